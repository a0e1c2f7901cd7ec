"""Values of options and arguments that need a word of their own when they do not fit."""

from datetime import datetime
from uuid import UUID

import typer


def parse_id(text: str) -> UUID:
    """Return the UUID that ``text`` is."""
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no UUID such as 018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01.") from None


def parse_time(text: str) -> datetime:
    """Return the date or time (ISO 8601) that ``text`` is, in the zone of whoever types unless it names another."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"'{text}' is no time such as 2026-01-31 or '2026-01-31 12:00:00'.") from None
