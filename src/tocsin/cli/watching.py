"""How ``tocsin watch`` follows an inbox."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, aclosing, nullcontext
from math import ceil
from typing import Final, Protocol
from uuid import UUID

from rich.live import Live
from rich.text import Text

from tocsin.cli.calling import complain
from tocsin.cli.listing import make_table
from tocsin.cli.looks import clean, clean_json, counts, row
from tocsin.cli.screen import is_terminal, make_console, write
from tocsin.cli.watch_log import WatchLog
from tocsin.client import TocsinClient
from tocsin.client.models import (
    Change,
    Disconnected,
    Hello,
    Message,
    Notification,
    Ping,
    ProcessingStatus,
    Reset,
    Unread,
)

_MISSED: Final = 200


class View(Protocol):
    """Where news are shown."""

    def show(self, notification: Notification) -> None:
        """Show a notification."""

    def note(self, text: str) -> None:
        """Say something beside."""

    def state(self, *, unread: Unread | None, waiting: int, trouble: str | None) -> None:
        """Show how things are; ``trouble`` tells why nothing comes right now."""


async def watch_json(client: TocsinClient, user: UUID, since: str | None, category: str | None) -> None:
    """Write every message, but for changes of notifications of another category than ``category``."""
    async with aclosing(client.stream(user, since)) as messages:
        async for message in messages:
            if not isinstance(message, Change) or _fits(message.notification, category):
                write(clean_json(message.model_dump_json()))


async def watch(client: TocsinClient, user: UUID, since: str | None, category: str | None, last: int) -> None:
    """Show verdicts as they come, after the ``last`` ones that were there already, or those after ``since``."""
    view = LiveView() if is_terminal() else PipeView()
    with view.opened() if isinstance(view, LiveView) else nullcontext():
        watcher = _Watcher(client, user, category, last if since is None else 0, view)
        async with aclosing(client.stream(user, since)) as messages:
            async for message in messages:
                await watcher.take(message)


class _Watcher:
    def __init__(self, client: TocsinClient, user: UUID, category: str | None, last: int, view: View) -> None:
        self._client = client
        self._user = user
        self._category = category
        self._last = last
        self._view = view
        self._unread: Unread | None = None
        self._log = WatchLog()
        self._trouble: str | None = "connecting"
        self._has_begun = False

    async def take(self, message: Message) -> None:
        match message:
            case Hello():
                self._unread, self._trouble = message.unread, None
                if not message.recovered and not self._has_begun:
                    await self._begin()
                self._has_begun = True
            case Change():
                self._unread = message.unread
                self._show([message.notification])
            case Reset():
                self._unread = message.unread
                await self._catch_up()
            case Disconnected():
                self._trouble = f"{message.reason.rstrip('.')}; trying again in {ceil(message.retry_in)} s"
            case Ping():
                pass
        self._view.state(unread=self._unread, waiting=self._log.waiting, trouble=self._trouble)

    async def _begin(self) -> None:
        """Show what was there before, and what of it still waits for its verdict."""
        known = [item async for item in self._client.notifications(user_id=self._user, limit=max(self._last, 1))]
        for notification in reversed(known):
            self._log.recall(notification)
        for status in (ProcessingStatus.PENDING, ProcessingStatus.PROCESSING):
            async for notification in self._client.notifications(user_id=self._user, status=status, limit=_MISSED):
                self._log.recall(notification)
        for notification in reversed(known[: self._last]):
            if notification.is_final and _fits(notification, self._category):
                self._view.show(notification)

    async def _catch_up(self) -> None:
        """Show what came while it could not be told one by one."""
        newest = self._log.newest
        found = [item async for item in self._client.notifications(user_id=self._user, limit=_MISSED)]
        if self._has_begun and newest.int and len(found) == _MISSED and found[-1].id > newest:
            self._view.note(f"more came than the {_MISSED} that follow; 'tocsin inbox' lists them")
        self._show(reversed(found))

    def _show(self, notifications: Iterable[Notification]) -> None:
        for notification in notifications:
            if self._log.take(notification) and _fits(notification, self._category):
                self._view.show(notification)


class PipeView:
    """Lines for another program; what else there is to say goes to standard error."""

    def __init__(self) -> None:
        self._trouble: str | None = None

    def show(self, notification: Notification) -> None:
        write(row(notification))

    def note(self, text: str) -> None:
        complain(text)

    def state(self, *, unread: Unread | None, waiting: int, trouble: str | None) -> None:
        if trouble and not self._trouble:
            complain(f"disconnected: {trouble}")
        elif self._trouble and not trouble:
            complain("connected again")
        self._trouble = trouble


class LiveView:
    """Lines on a terminal, and below them how things are."""

    def __init__(self) -> None:
        self._console = make_console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def opened(self) -> AbstractContextManager[object]:
        """Show the last line until left, on a terminal that can be written to anywhere."""
        return nullcontext() if self._console.is_dumb_terminal else self._live

    def show(self, notification: Notification) -> None:
        self._console.print(make_table(self._console, [notification]))

    def note(self, text: str) -> None:
        self._console.print(Text(text, "dim"))

    def state(self, *, unread: Unread | None, waiting: int, trouble: str | None) -> None:
        line = Text(no_wrap=True, overflow="ellipsis")
        if trouble:
            line.append("○ disconnected  ", "yellow").append(clean(trouble))
        elif unread is not None:
            line.append("● live  ", "green").append_text(counts(unread))
            if waiting:
                line.append(f"  {waiting} being judged", "dim")
        self._live.update(line, refresh=self._live.is_started)


def _fits(notification: Notification, category: str | None) -> bool:
    return category is None or notification.category == category
