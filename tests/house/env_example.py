"""What ``.env.example`` must say, made from the settings themselves.

``python -m tests.house.env_example`` (part of `make fix`) writes it.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from tests.house.source import ROOT
from tocsin.settings import MockAiSettings, Settings

PATH = ROOT / ".env.example"

_HEAD = """\
# Every setting of Tocsin. Copy this file to .env, fill in what has no default, and take the '#' away from what you
# want otherwise. Times are seconds. A test compares this file with the settings; `make fix` writes it.
#
# `make up` needs none of it.
"""


def render() -> str:
    """Return the text of the file."""
    service = section("", Settings, "TOCSIN_")
    mock_ai = section("mock-ai", MockAiSettings, "TOCSIN_MOCK_AI__")
    return "".join((_HEAD, *service, *mock_ai))


def section(name: str, group: type[BaseModel], prefix: str) -> Iterator[str]:
    fields = group.model_fields
    if name:
        (summary, *_) = (group.__doc__ or name).splitlines()
        yield f"\n# ---- {name}: {summary}\n"
    for field_name, field in fields.items():
        if nested(field) is None:
            yield _setting(f"{prefix}{field_name.upper()}", field)
    for field_name, field in fields.items():
        if (inner := nested(field)) is not None:
            yield from section(field_name, inner, f"{prefix}{field_name.upper()}__")


def nested(field: FieldInfo) -> type[BaseModel] | None:
    """Return the group that ``field`` holds, None if it holds a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _setting(variable: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"{variable} needs a description")
    if field.is_required():
        return f"\n# {field.description} Required.\n{variable}=\n"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, SecretStr):
        # A secret with a default is one that somebody runs in production.
        raise TypeError(f"{variable} is a secret and may have no default")
    return f"\n# {field.description}\n#{variable}={plain(default)}\n"


def plain(default: Any) -> str:  # noqa: ANN401 - a default may be anything
    """Return what to write into a variable to mean ``default``."""
    value = to_jsonable_python(default)
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    PATH.write_text(render(), "utf-8")
