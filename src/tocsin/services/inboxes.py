"""Whole inboxes: counts, what changed, mark all read."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from tocsin.errors import InvalidPosition
from tocsin.models.api_key import Scope
from tocsin.models.inbox import Inbox
from tocsin.repositories.notification_pages import Keyset, NotificationFilter, Order
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.access import Caller
from tocsin.services.ports import Clock
from tocsin.services.positions import Position
from tocsin.services.search_pages import SearchPages
from tocsin.services.turnstile import Turnstile

MAX_CHANGES: Final = 1_000
_STEP: Final = 1_000
_BULK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Unread:
    """Exact numbers of unread notifications."""

    critical: int = 0
    warning: int = 0
    info: int = 0
    unjudged: int = 0

    @classmethod
    def of(cls, inbox: Inbox | None) -> "Unread":
        """Read the counters of ``inbox``; one that nobody wrote to has none."""
        if inbox is None:
            return cls()
        return cls(inbox.unread_critical, inbox.unread_warning, inbox.unread_info, inbox.unread_unjudged)

    @property
    def total(self) -> int:
        """All of them."""
        return self.critical + self.warning + self.info + self.unjudged


@dataclass(frozen=True, slots=True)
class InboxOverview:
    """An inbox at one version."""

    user_id: UUID
    position: Position
    unread: Unread


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed after a position, oldest first, or ``reset``: reload everything.

    ``position`` is where this page of changes ends; ``more`` says that another page follows.
    """

    overview: InboxOverview
    position: Position
    notifications: Sequence[NotificationRow]
    reset: bool
    more: bool


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What a bulk change did; ``complete`` is false if time ran out before all was done."""

    changed: int
    version: int
    complete: bool


class InboxService:
    """Use cases of a whole inbox."""

    def __init__(self, database: Database, turnstile: Turnstile, search: SearchPages, clock: Clock) -> None:
        self._database = database
        self._turnstile = turnstile
        self._search = search
        self._clock = clock

    async def overview(self, caller: Caller, user_id: UUID) -> InboxOverview:
        """Return version and unread counts."""
        caller.require_inbox(user_id, Scope.READ)
        return await self._database.snapshot(lambda uow: _overview(uow, user_id))

    async def changes(self, caller: Caller, user_id: UUID, since: str | None, limit: int) -> Changes:
        """Return what changed after the position ``since``; without one, where to begin.

        Raises:
            InvalidPosition: ``since`` is not a position.
        """
        caller.require_inbox(user_id, Scope.READ)
        position = Position.parse(since) if since is not None else None

        async def work(uow: UnitOfWork) -> Changes:
            inbox = await uow.inboxes.get(user_id)
            overview = await _overview(uow, user_id)
            if position is None or not _servable(position, overview.position, inbox):
                return Changes(overview, overview.position, (), reset=True, more=False)
            return await _page_of_changes(uow, overview, position, limit)

        return await self._database.snapshot(work)

    async def mark_all_read(self, caller: Caller, wanted: NotificationFilter, up_to: str | None) -> BulkChange:
        """Mark read what matches and has not changed after the position ``up_to``, in steps of bounded size.

        Raises:
            InvalidPosition: ``up_to`` is not a position of this epoch.
        """
        if wanted.user_id is None:
            raise ValueError("mark_all_read needs a user_id")
        user_id = wanted.user_id
        caller.require_inbox(user_id, Scope.WRITE)
        wanted = replace(wanted, read=None)
        version = await self._version_of(up_to)
        deadline = time.monotonic() + _BULK_SECONDS
        changed, after, more = 0, None, True
        while more and time.monotonic() < deadline:
            ids, after = await self._unread(wanted, version, after)
            changed += await self._mark_read(user_id, ids, wanted, version) if ids else 0
            more = after is not None
        clocks = await self._database.read(lambda uow: uow.inboxes.clocks([user_id]))
        return BulkChange(changed, clocks[user_id].version, complete=not more)

    async def _unread(
        self, wanted: NotificationFilter, up_to: int | None, after: Keyset | None
    ) -> tuple[Sequence[UUID], Keyset | None]:
        """Return the unread ones of the step that follows ``after``, and where it ends if it is not the last."""
        async with self._turnstile.passage():
            if wanted.search is None:
                last = after.id if after else None
                ids = await self._database.read(lambda uow: uow.bulk.unread(wanted, up_to, last, _STEP))
                return ids, Keyset(ids[-1], 0) if len(ids) == _STEP else None
            unread = replace(wanted, read=False)
            found = await self._database.snapshot(
                lambda uow: self._search.find(uow, unread, Order.OLDEST, after, _STEP)
            )
            return found.ids, found.end

    async def _version_of(self, up_to: str | None) -> int | None:
        if up_to is None:
            return None
        position = Position.parse(up_to)
        if position.epoch != await self._database.read(lambda uow: uow.inboxes.epoch()):
            raise InvalidPosition("This position belongs to an earlier epoch; read the inbox again to get a new one.")
        return position.version

    async def _mark_read(
        self, user_id: UUID, ids: Sequence[UUID], wanted: NotificationFilter, up_to: int | None
    ) -> int:
        async def work(uow: UnitOfWork) -> int:
            inbox = (await uow.inboxes.lock([user_id]))[user_id]
            return await uow.bulk.mark_read(inbox, ids, wanted, up_to, self._clock())

        return await self._database.transaction(work)


async def _overview(uow: UnitOfWork, user_id: UUID) -> InboxOverview:
    inbox = await uow.inboxes.get(user_id)
    epoch = await uow.inboxes.epoch()
    return InboxOverview(user_id, Position(epoch, inbox.version if inbox else 0), Unread.of(inbox))


def _servable(since: Position, now: Position, inbox: Inbox | None) -> bool:
    floor = inbox.floor if inbox else 0
    return since.epoch == now.epoch and floor <= since.version <= now.version


async def _page_of_changes(uow: UnitOfWork, overview: InboxOverview, since: Position, limit: int) -> Changes:
    if await uow.pages.count_changed_since(overview.user_id, since.version, MAX_CHANGES + 1) > MAX_CHANGES:
        return Changes(overview, overview.position, (), reset=True, more=False)
    found = await uow.pages.changed_since(overview.user_id, since.version, limit + 1)
    page = found[:limit]
    more = len(found) > limit
    end = replace(overview.position, version=page[-1].version) if more else overview.position
    return Changes(overview, end, page, reset=False, more=more)
