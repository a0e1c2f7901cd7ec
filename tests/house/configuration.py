"""The tables of settings in README.md and docs/configuration.md, made from the settings themselves.

``python -m tests.house.configuration`` (part of `make fix`) writes them between their markers.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.house.env_example import nested, plain
from tests.house.source import ROOT
from tocsin.settings import MockAiSettings, Settings

README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "configuration.md"

# What somebody who runs it for the first time should know of.
USUAL = (
    "TOCSIN_SECRET",
    "TOCSIN_DATABASE__URL",
    "TOCSIN_REDIS__BROKER_URL",
    "TOCSIN_REDIS__CACHE_URL",
    "TOCSIN_API__HOST",
    "TOCSIN_API__PORT",
    "TOCSIN_AI__PROVIDER",
    "TOCSIN_AI__URL",
    "TOCSIN_AI__API_KEY",
    "TOCSIN_AI__CONCURRENCY",
    "TOCSIN_AI__TIMEOUT",
    "TOCSIN_LOG__FORMAT",
)
_HEAD = "| variable | default | meaning |\n|---|---|---|\n"
_MARKED = re.compile(r"(<!-- settings:[^>]*-->\n).*?(<!-- /settings -->)", re.DOTALL)


def expected(path: Path) -> str:
    """Return the text of ``path`` with its table as it must be."""
    table = _usual() if path == README else _all()
    (text, count) = _MARKED.subn(lambda marked: f"{marked[1]}{table}{marked[2]}", path.read_text("utf-8"))
    if count != 1:
        raise ValueError(f"{path} needs the markers '<!-- settings: … -->' and '<!-- /settings -->' once")
    return text


def _usual() -> str:
    rows = dict(_rows(Settings, "TOCSIN_"))
    return _HEAD + "".join(rows[variable] for variable in USUAL)


def _all() -> str:
    groups: list[tuple[str, str, type[BaseModel], str]] = [("tocsin", "What every part needs.", Settings, "TOCSIN_")]
    for name, field in Settings.model_fields.items():
        if (inner := nested(field)) is not None:
            groups.append((name, _summary(inner), inner, f"TOCSIN_{name.upper()}__"))
    groups.append(("mock-ai", _summary(MockAiSettings), MockAiSettings, "TOCSIN_MOCK_AI__"))
    return "\n".join(
        f"### {name}\n\n{summary}\n\n{_HEAD}{''.join(row for _, row in _rows(group, prefix, deep=False))}"
        for name, summary, group, prefix in groups
    )


def _rows(group: type[BaseModel], prefix: str, *, deep: bool = True) -> Iterator[tuple[str, str]]:
    for name, field in group.model_fields.items():
        inner = nested(field)
        if inner is None:
            yield f"{prefix}{name.upper()}", _row(f"{prefix}{name.upper()}", field)
        elif deep:
            yield from _rows(inner, f"{prefix}{name.upper()}__")


def _row(variable: str, field: FieldInfo) -> str:
    if field.is_required():
        default = "**required**"
    else:
        value = plain(field.get_default(call_default_factory=True))
        default = f"`{value}`" if value else ""
    return f"| `{variable}` | {default} | {field.description} |\n"


def _summary(group: type[BaseModel]) -> str:
    return (group.__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    for document in (README, REFERENCE):
        document.write_text(expected(document), "utf-8")
