"""Single notifications: read one, and change it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tocsin.coalescer import Coalescer
from tocsin.errors import NotFound, UndoExpired
from tocsin.models.api_key import Scope
from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification
from tocsin.repositories.analysis_jobs import JobRow
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.access import Caller
from tocsin.services.finality_watch import FinalityWatch
from tocsin.services.ports import Clock, Doorbell
from tocsin.services.waiting_room import WaitingRoom
from tocsin.telemetry import BATCH_ITEMS, current_request_id
from tocsin.tracing import current_traceparent

_MAX_TOGETHER: Final = 200
_MAX_WAITING: Final = 10_000


@dataclass(frozen=True, slots=True)
class AnalysisStatus:
    """How far the analysis is; ``next_try_at`` is set while work is left and nobody is at it."""

    notification: NotificationRow
    tries: int
    next_try_at: datetime | None
    last_error: str | None


class NotificationService:
    """Use cases of one notification at a time. What the caller may not see raises `NotFound`."""

    def __init__(
        self,
        database: Database,
        doorbell: Doorbell,
        finality: FinalityWatch,
        room: WaitingRoom,
        undo: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._doorbell = doorbell
        self._finality = finality
        self._room = room
        self._undo = undo
        self._clock = clock
        self._rows: Coalescer[UUID, NotificationRow | None] = Coalescer(
            self._read,
            max_batch=_MAX_TOGETHER,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("notifications").observe,
        )
        # Together for all that ask: those who wait for their verdicts are often woken at the same moment.
        self._statuses: Coalescer[UUID, AnalysisStatus | None] = Coalescer(
            self._read_statuses,
            max_batch=_MAX_TOGETHER,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("statuses").observe,
        )

    async def get(self, caller: Caller, notification_id: UUID) -> NotificationRow:
        """Return the notification."""
        caller.require(Scope.READ)
        return _visible(caller, await self._rows.submit(notification_id), Scope.READ)

    async def status(self, caller: Caller, notification_id: UUID, wait: float = 0) -> AnalysisStatus:
        """Return how far its analysis is, as soon as that is final but not later than after ``wait`` seconds.

        Raises:
            RateLimited: it would have to wait, and the caller has as many calls waiting as he may have.
            Overloaded: the same for all callers of this process.
        """
        status = await self._status(caller, notification_id)
        if wait > 0 and not status.notification.processing_status.is_final:
            with self._room.place(caller):
                await self._finality.wait(status.notification.user_id, notification_id, wait)
            status = await self._status(caller, notification_id)
        return status

    async def mark_read(self, caller: Caller, notification_id: UUID) -> NotificationRow:
        """Note that its user has seen it."""
        return await self._change(caller, notification_id, lambda it: it.mark_read(self._clock()))

    async def mark_unread(self, caller: Caller, notification_id: UUID) -> NotificationRow:
        """Note that its user wants to see it again."""
        return await self._change(caller, notification_id, lambda it: it.mark_unread())

    async def delete(self, caller: Caller, notification_id: UUID) -> None:
        """Take it out of the inbox; what was already deleted stays so."""

        async def work(uow: UnitOfWork) -> None:
            inbox, notification = await self._lock(uow, caller, notification_id, shown=False)
            if inbox.change(notification, lambda: notification.delete(self._clock())):
                await uow.jobs.withdraw([notification.id])

        await self._database.transaction(work)

    async def restore(self, caller: Caller, notification_id: UUID) -> NotificationRow:
        """Undo a deletion; what is not deleted stays as it is.

        Raises:
            UndoExpired: it was deleted too long ago.
        """

        async def work(uow: UnitOfWork) -> NotificationRow:
            inbox, notification = await self._lock(uow, caller, notification_id)
            if notification.deleted_at and self._clock() - notification.deleted_at > self._undo:
                raise UndoExpired
            if inbox.change(notification, notification.restore) and not notification.processing_status.is_final:
                await self._enqueue(uow, notification)
            return NotificationRow.of(notification)

        return await self._database.transaction(work)

    async def analyse_again(self, caller: Caller, notification_id: UUID) -> NotificationRow:
        """Have it judged anew; the old verdict stays until the new one is there. What already waits is left alone."""

        async def work(uow: UnitOfWork) -> NotificationRow:
            inbox, notification = await self._lock(uow, caller, notification_id)
            _require_alive(notification)
            if inbox.change(notification, notification.request_analysis):
                await self._enqueue(uow, notification)
            return NotificationRow.of(notification)

        return await self._database.transaction(work)

    async def _change(
        self, caller: Caller, notification_id: UUID, transition: Callable[[Notification], bool]
    ) -> NotificationRow:
        async def work(uow: UnitOfWork) -> NotificationRow:
            inbox, notification = await self._lock(uow, caller, notification_id)
            _require_alive(notification)
            inbox.change(notification, lambda: transition(notification))
            return NotificationRow.of(notification)

        return await self._database.transaction(work)

    async def _lock(
        self, uow: UnitOfWork, caller: Caller, notification_id: UUID, *, shown: bool = True
    ) -> tuple[Inbox, Notification]:
        """Return the notification, deleted or not, and its inbox, locked before the notification was read."""
        caller.require(Scope.WRITE)
        if shown:
            caller.require(Scope.READ)
        user_id = (await uow.notifications.owners([notification_id])).get(notification_id)
        if user_id is None:
            raise NotFound
        caller.require_inbox(user_id, Scope.WRITE)
        inbox = (await uow.inboxes.lock([user_id]))[user_id]
        notification = await uow.notifications.get(notification_id)
        if notification is None:
            raise NotFound
        return inbox, notification

    async def _enqueue(self, uow: UnitOfWork, notification: Notification) -> None:
        await uow.jobs.enqueue(notification.id, current_request_id(), current_traceparent())
        uow.after_commit(lambda: self._doorbell.ring([notification.id]))

    async def _status(self, caller: Caller, notification_id: UUID) -> AnalysisStatus:
        caller.require(Scope.READ)
        status = await self._statuses.submit(notification_id)
        if status is None:
            raise NotFound
        _visible(caller, status.notification, Scope.READ)
        return status

    async def _read(self, ids: Sequence[UUID]) -> Sequence[NotificationRow | None]:
        found = await self._database.read(lambda uow: uow.notifications.rows(set(ids)))
        return [found.get(item) for item in ids]

    async def _read_statuses(self, ids: Sequence[UUID]) -> Sequence[AnalysisStatus | None]:
        found = await self._database.read(lambda uow: uow.notifications.with_jobs(set(ids)))
        return [_status_of(*found[item]) if item in found else None for item in ids]


def _status_of(notification: NotificationRow, job: JobRow | None) -> AnalysisStatus:
    if job is None:
        return AnalysisStatus(notification, notification.tries, None, notification.error)
    waits = job.lease is None
    return AnalysisStatus(notification, job.tries, job.available_at if waits else None, job.last_error)


def _visible(caller: Caller, notification: NotificationRow | None, scope: Scope) -> NotificationRow:
    if notification is None:
        raise NotFound
    caller.require_inbox(notification.user_id, scope)
    _require_alive(notification)
    return notification


def _require_alive(notification: Notification | NotificationRow) -> None:
    if notification.deleted_at is not None:
        raise NotFound
