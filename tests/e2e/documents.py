"""Programs that documents show, made ready to run."""

import re
from pathlib import Path

from tests.house.source import ROOT

_PROGRAM = re.compile(r"<!-- python -->\n```python\n(.*?)^```\n<!-- /python -->", re.MULTILINE | re.DOTALL)
_SETTING = re.compile(r"^(URL|KEY|USER) = .*$", re.MULTILINE)


def programs(document: str) -> list[str]:
    """Return the programs between the markers of ``document``."""
    return _PROGRAM.findall((ROOT / document).read_text("utf-8"))


def with_settings(program: str, **settings: str) -> str:
    """Return ``program`` with the values of URL, KEY and USER that it is to run with."""
    (settled, count) = _SETTING.subn(lambda found: f"{found[1]} = {settings[found[1]]!r}", program)
    assert count == 3, program
    return settled


def write(program: str, folder: Path) -> Path:
    path = folder / "program.py"
    path.write_text(program, "utf-8")
    return path
