"""Service keys on a terminal, or in a pipe."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from tocsin.services.access import ListedKey

_HEAD: Final = ("ID", "NAME", "SCOPES", "LAST USED", "STATE")
_STEPS: Final = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def print_keys(keys: Sequence[ListedKey]) -> None:
    """Print a table; or, for other programs, a line each, with tabs between the columns."""
    now = datetime.now(UTC)
    if not sys.stdout.isatty():
        for item in keys:
            typer.echo("\t".join(_cells(item, now)))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not keys:
        console.print("There are no service keys; 'tocsin keys create NAME' makes one.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _HEAD:
        table.add_column(name, no_wrap=name == "ID", overflow="fold")
    for item in keys:
        table.add_row(*_cells(item, now), style="dim" if item.is_over else None)
    console.print(table)


def _cells(item: ListedKey, now: datetime) -> tuple[str, ...]:
    key = item.key
    scopes = " ".join(scope.removeprefix("notifications:") for scope in key.scopes)
    return str(key.id), key.name, scopes, _ago(key.last_used_at, now), _state(item)


def _state(item: ListedKey) -> str:
    key = item.key
    if key.revoked_at:
        return f"revoked {_date(key.revoked_at)}"
    if key.expires_at and item.is_over:
        return f"expired {_date(key.expires_at)}"
    state = f"good until {_date(key.expires_at)}" if key.expires_at else "good"
    return f"{state}; former secret until {_date(item.former_until)}" if item.former_until else state


def _date(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def _ago(moment: datetime | None, now: datetime) -> str:
    """Say how long ago something was, to the minute, as it is kept."""
    if moment is None:
        return "never"
    for name, step in _STEPS:
        if (count := (now - moment) // step) > 0:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
