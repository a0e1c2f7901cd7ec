"""A day of a small company: what its programs and people tell each other. The texts are in ``demo_day.jsonl``."""

from importlib.resources import files
from typing import Final
from uuid import UUID

from tocsin.cli.lines import parse
from tocsin.cli.sending import Template
from tocsin.client.models import Draft

_TEXTS: Final = "demo_day.jsonl"


def load_day(user_id: UUID) -> list[Draft]:
    """Return the notifications of the day for ``user_id``, first things first."""
    lines = files("tocsin.cli").joinpath(_TEXTS).read_bytes().splitlines()
    return [parse(line, Template(user_id), number) for number, line in enumerate(lines, 1)]
