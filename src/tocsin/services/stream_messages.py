"""What a stream says. How it looks on the wire is decided by whoever sends it."""

from dataclasses import dataclass, field

from tocsin.errors import TocsinError
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.services.inboxes import Unread
from tocsin.services.positions import Position


@dataclass(slots=True)
class Hello:
    """The first. ``recovered``: what changed after ``position``, which is where the client was, follows."""

    position: Position
    unread: Unread
    recovered: bool
    rendered: str | None = field(default=None, compare=False)


@dataclass(slots=True)
class Change:
    """A notification as it was at the version of ``position``."""

    position: Position
    unread: Unread
    notification: NotificationRow
    rendered: str | None = field(default=None, compare=False)


@dataclass(slots=True)
class Reset:
    """What changed cannot be told one by one."""

    position: Position
    unread: Unread
    rendered: str | None = field(default=None, compare=False)


@dataclass(slots=True)
class Ping:
    """The stream is alive."""

    position: Position
    rendered: str | None = field(default=None, compare=False)


@dataclass(slots=True)
class Closing:
    """The last, with the reason; there is no position if nothing was told yet."""

    position: Position | None
    error: TocsinError
    rendered: str | None = field(default=None, compare=False)


Message = Hello | Change | Reset | Ping | Closing
"""``rendered`` is room for its text: one message goes to all who listen to an inbox, and is rendered once."""
