"""An inbox that somebody listens to: how far all are told, and what they are told next. No waiting in here."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tocsin.repositories.stream_reads import StreamRead
from tocsin.services.inboxes import MAX_CHANGES, Unread
from tocsin.services.positions import Position
from tocsin.services.stream_listener import Listener
from tocsin.services.stream_messages import Change, Hello, Message, Reset
from tocsin.telemetry import STREAMS_OPENED

PAGE: Final = 100
"""Changes told one by one, of one read. More of them at once are a `Reset` for whoever is live."""

Made = dict[UUID, Change]
"""The messages made of one snapshot so far, by notification: whoever gets one gets the same."""


class Topic:
    """The listeners of one inbox. Those who are live are at ``cursor``, all of them; there is one while there are any.

    Reads must be given in the order in which their snapshots were taken.
    """

    def __init__(self, user_id: UUID) -> None:
        self.user_id = user_id
        self.listeners: set[Listener] = set()
        self.cursor: Position | None = None
        self.requested = False
        self._live: set[Listener] = set()
        self._hinted = 0
        self._stale = False

    @property
    def is_due(self) -> bool:
        """Whether live listeners may have something to learn."""
        return self.cursor is not None and (self._stale or self._hinted > self.cursor.version)

    def note(self, version: int) -> None:
        """Take note that the inbox is at least at ``version``."""
        self._hinted = max(version, self._hinted)

    def distrust(self) -> None:
        """Take note that the cursor may be wrong, in whatever way."""
        self._stale = True

    def begin_read(self) -> None:
        """Forget what is known already to any snapshot that is taken from now on."""
        self._hinted = 0
        self._stale = False

    def leave(self, listener: Listener) -> None:
        """Forget ``listener``."""
        self.listeners.discard(listener)
        self._live.discard(listener)
        if not self._live:
            self.cursor = None

    def advance(self, since: Position, read: StreamRead, made: Made) -> None:
        """Tell the live listeners, who are at ``since``, what ``read`` found after it."""
        if self.cursor != since:
            return
        now = self.cursor = Position(read.epoch, read.version)
        if now == since:
            return
        continuous = _is_continuous(since, now, read.floor) and len(read.changed) <= PAGE
        messages: Sequence[Message] = _changes(read, made) if continuous else [Reset(now, _unread(read))]
        for listener in list(self._live):
            listener.push(messages, now)

    def admit(self, listener: Listener, read: StreamRead, made: Made) -> None:
        """Tell ``listener``, who is behind, what ``read`` found after its position; it is live if that was all."""
        now, since, unread = Position(read.epoch, read.version), listener.position, _unread(read)
        continuous = since is not None and _is_continuous(since, now, read.floor) and read.count <= MAX_CHANGES
        messages: list[Message] = []
        if not listener.greeted:
            listener.greeted = True
            messages.append(Hello(since if since and continuous else now, unread, recovered=continuous))
            STREAMS_OPENED.labels("resumed" if continuous else "reset" if since else "new").inc()
        if continuous:
            messages += _changes(read, made)
        elif since:
            messages.append(Reset(now, unread))
        if continuous and len(read.changed) > PAGE:
            listener.push(messages, Position(read.epoch, read.changed[PAGE - 1].version))
        else:
            self._go_live(listener, now, messages)

    def _go_live(self, listener: Listener, now: Position, messages: Sequence[Message]) -> None:
        listener.behind = False
        listener.push(messages, now)
        self._live.add(listener)
        self.cursor = now


def _is_continuous(since: Position, now: Position, floor: int) -> bool:
    return since.epoch == now.epoch and floor <= since.version <= now.version


def _changes(read: StreamRead, made: Made) -> list[Change]:
    unread = _unread(read)
    for item in read.changed[:PAGE]:
        if item.id not in made:
            made[item.id] = Change(Position(read.epoch, item.version), unread, item)
    return [made[item.id] for item in read.changed[:PAGE]]


def _unread(read: StreamRead) -> Unread:
    return Unread(read.critical, read.warning, read.info, read.unjudged)
