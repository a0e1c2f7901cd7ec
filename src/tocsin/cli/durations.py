"""Times on the command line: ``90d``, ``12h``, or a date."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str) -> timedelta:
    """Return how long ``text`` is: a number and one of s, m, h, d; or 0."""
    if text == "0":
        return timedelta()
    if found := _DURATION.fullmatch(text):
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    raise typer.BadParameter(f"'{text}' is no duration such as 90d, 12h, 30m, 45s or 0.")


def parse_moment(text: str) -> datetime:
    """Return the moment after a duration, or that of a date or time (RFC 3339; UTC unless it says otherwise)."""
    if found := _DURATION.fullmatch(text):
        return datetime.now(UTC) + parse_duration(found[0])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a duration such as 90d nor a date such as 2030-01-31.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
