"""Types of fields that come from outside, each with its limits and a message that says what to do."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from tocsin.models.notification import DATA_MAX_BYTES, IDEMPOTENCY_KEY_MAX, LINK_MAX, SOURCE_MAX, TEXT_MAX, TITLE_MAX
from tocsin.models.search_query import QUERY_MAX

_MAX_DEPTH: Final = 32
_MAX_MEMBERS: Final = 32
_SIZED: Final[frozenset[type]] = frozenset({str, list, dict})
_NO_NUL: Final[dict[str, JsonValue]] = {"pattern": r"^[^\u0000]*$"}

JSON_VALUE_SCHEMA: Final[dict[str, JsonValue]] = {
    "description": "Any JSON value, without the character NUL.",
    "anyOf": [
        {
            "type": "object",
            "propertyNames": _NO_NUL,
            "additionalProperties": {"$ref": "#/components/schemas/JsonValue"},
        },
        {"type": "array", "items": {"$ref": "#/components/schemas/JsonValue"}},
        {"type": "string", **_NO_NUL},
        {"type": ["number", "boolean", "null"]},
    ],
}
"""What pydantic's type of this name is described as; it says only that it is anything."""
# What is white space differs between dialects of regular expressions; what any of them takes for it is blank here.
_INK: Final = r"[^\s\u0000-\u001f\u007f-\u00a0\u180e\ufeff]"
_NOT_BLANK: Final = {"pattern": rf"^[^\u0000]*{_INK}[^\u0000]*$"}
_VISIBLE: Final = re.compile(_INK)
_LINK: Final = re.compile(r"https?://[A-Za-z0-9._~%:@\[\]\-]+([/?#][!-~]*)?")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_TOO_FINE: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
_KEY: Final = re.compile(r"[!-~]+")


def _text(value: str) -> str:
    if not _VISIBLE.search(value):
        raise ValueError("must not be blank")
    return _storable(value)


def _search(value: str) -> str:
    value = _text(value.strip())
    if len(value) > QUERY_MAX:
        raise ValueError(f"must have at most {QUERY_MAX} characters; this has {len(value)}")
    return value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain the character NUL (U+0000)")
    return value


def _link(value: str) -> str:
    if not _LINK.fullmatch(value):
        raise ValueError("must be an absolute http or https URL, with anything beyond ASCII percent-encoded")
    return value


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ValueError("must consist of visible ASCII characters, without spaces")
    return value


def _short(value: object) -> object:
    """Refuse what is far too long, as soon as that shows; what is counted is what it takes at the very least."""
    left = DATA_MAX_BYTES
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str | list | dict):
            left -= len(item)
        if left < 0:
            raise ValueError(f"must take at most {DATA_MAX_BYTES} bytes as JSON")
        if isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend([member for member in item if member.__class__ in _SIZED])
    return value


def _data(value: dict[str, Any]) -> dict[str, Any]:
    _check_depth_and_text(value, 1)
    try:
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates") from None
    except ValueError:
        raise ValueError("must not contain NaN or infinite numbers") from None
    if len(encoded) > DATA_MAX_BYTES:
        raise ValueError(f"must take at most {DATA_MAX_BYTES} bytes as JSON; this takes {len(encoded)}")
    return value


def _check_depth_and_text(value: JsonValue, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError(f"must be nested at most {_MAX_DEPTH} deep")
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, dict):
        for key, member in value.items():
            _storable(key)
            _check_depth_and_text(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check_depth_and_text(member, depth + 1)


def _time(value: object) -> datetime:
    if not (isinstance(value, str) and _TIME.fullmatch(value)):
        raise ValueError("must be a time as in RFC 3339, with its time zone, such as 2026-01-31T12:00:00Z")
    try:
        # Python keeps microseconds; no notification is told apart by less.
        return datetime.fromisoformat(_TOO_FINE.sub(r"\1", value.upper()))
    except ValueError:
        raise ValueError("must be a time that exists; there is no such date, time or time zone") from None


def _number(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004 - what pydantic takes for a finding
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be within the years 1 to 9999 in UTC") from None


class Input(BaseModel):
    """An object that comes from outside, without unknown members."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_few_members(cls, value: object) -> object:
        """Refuse in one error what would be an error for each of a million members, while all other calls wait."""
        if isinstance(value, dict) and len(value) > _MAX_MEMBERS:
            raise ValueError(f"must have at most {_MAX_MEMBERS} members")
        return value


USER_EXAMPLE: Final = "018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01"
NOTIFICATION_EXAMPLE: Final = "01981c5e-4b7a-7c3e-8f21-6d2b9a0c4e55"
UserId = Annotated[UUID, Path(description="Whose inbox; any UUID.", examples=[USER_EXAMPLE])]
NotificationId = Annotated[UUID, Path(description="From the answer to its creation.", examples=[NOTIFICATION_EXAMPLE])]
Title = Annotated[
    str,
    Field(min_length=1, max_length=TITLE_MAX, json_schema_extra=_NOT_BLANK, description="Not blank."),
    AfterValidator(_text),
]
BodyText = Annotated[
    str,
    Field(min_length=1, max_length=TEXT_MAX, json_schema_extra=_NOT_BLANK, description="The message, not blank."),
    AfterValidator(_text),
]
Source = Annotated[
    str,
    Field(min_length=1, max_length=SOURCE_MAX, json_schema_extra=_NOT_BLANK, description="Which program tells this."),
    AfterValidator(_text),
]
Link = Annotated[
    str,
    Field(
        max_length=LINK_MAX,
        json_schema_extra={"pattern": f"^{_LINK.pattern}$"},
        description="Where to read more; http or https.",
    ),
    AfterValidator(_link),
]
Data = Annotated[
    dict[str, JsonValue],
    Field(
        json_schema_extra={"propertyNames": _NO_NUL},
        description=f"Anything else, as a JSON object of at most {DATA_MAX_BYTES} bytes, {_MAX_DEPTH} deep.",
    ),
    BeforeValidator(_short),
    AfterValidator(_data),
]
IdempotencyKey = Annotated[
    str,
    Field(
        min_length=1,
        max_length=IDEMPOTENCY_KEY_MAX,
        json_schema_extra={"pattern": "^[!-~]+$"},
        description="Your own name for this call: repeated with the same key, it is made once.",
    ),
    AfterValidator(_key),
]
Search = Annotated[
    str,
    Field(
        json_schema_extra={"minLength": 1, "maxLength": QUERY_MAX, **_NOT_BLANK},
        description='Words in title, text and source, in any form and in English or Russian. All must be there; `"…"` '
        "in this order, `-word` must not, `or` between two means either; the last word may be unfinished.",
        examples=["payment failed"],
    ),
    AfterValidator(_search),
]
UtcTime = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_utc)]
Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = BeforeValidator(_number)
"""In a body a number is a number; in a query it is text."""
