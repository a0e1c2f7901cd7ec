"""A listing on a terminal, in a pipe, or as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.cli.looks import badge, clean, clean_json, counts, headline, row, when
from tocsin.cli.screen import is_terminal, make_console, write
from tocsin.client import TocsinClient
from tocsin.client.filters import Filters
from tocsin.client.models import Inbox, Notification

_SOURCE_WIDTH: Final = 16
_ROOM_FOR_SOURCES: Final = 80


async def show(client: TocsinClient, user: UUID, filters: Filters, limit: int, *, as_json: bool) -> None:
    """Show at most ``limit`` notifications of an inbox."""
    if as_json or not is_terminal():
        async for notification in client.notifications(limit=limit, **filters):
            write(clean_json(notification.model_dump_json()) if as_json else row(notification))
        return
    inbox = await client.inbox(user)
    # One more than is shown says whether there are more.
    found = [notification async for notification in client.notifications(limit=limit + 1, **filters)]
    _show_table(inbox, found[:limit], is_all=len(found) <= limit)


def _show_table(inbox: Inbox, notifications: Sequence[Notification], *, is_all: bool) -> None:
    console = make_console()
    head = counts(inbox.unread).append(f"  {inbox.user_id}", "dim")
    console.print(head, no_wrap=True, overflow="ellipsis")
    if not notifications:
        console.print(Text("Nothing here.", "dim"))
        return
    console.print(make_table(console, notifications))
    if not is_all:
        console.print(Text("There is more; see --limit, --search, --category.", "dim"))


def make_table(console: Console, notifications: Sequence[Notification]) -> Table:
    """Return a line for each, as wide as the terminal, cut where there is no room."""
    now = datetime.now(UTC)
    table = Table(box=None, show_header=False, pad_edge=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    has_room = console.width >= _ROOM_FOR_SOURCES
    if has_room:
        table.add_column(no_wrap=True, overflow="ellipsis", style="dim", max_width=_SOURCE_WIDTH, justify="right")
    for notification in notifications:
        source = [clean(notification.source or "")] if has_room else []
        mark = Text("• " if notification.read_at is None else "  ", "bold")
        table.add_row(mark + badge(notification), when(notification.created_at, now), headline(notification), *source)
    return table
