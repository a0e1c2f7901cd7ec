"""Retention: what is older than it may get is deleted, like everything that is deleted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from tocsin.models.notification import first_id_at
from tocsin.repositories.notification_bulk import Aged
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.ports import Clock
from tocsin.telemetry import EXPIRED

_log = structlog.get_logger(__name__)

_STEP: Final = 200
_MAX_STEPS: Final = 10
_ROUND: Final = timedelta(hours=6)
_NOBODY: Final = UUID(int=0)


class Retention:
    """Walks through all notifications from the oldest on, once every six hours, and deletes those past ``keep``.

    Each step takes up where the last one ended, so that tombstones, which stay for a month, are not read again and
    again; the next round finds what was restored meanwhile.
    """

    def __init__(self, database: Database, keep: timedelta, clock: Clock) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock
        self._after = _NOBODY
        self._round_began: datetime | None = None

    async def expire(self) -> None:
        """Do what is due, in steps of bounded size and number; nothing if everything is kept for ever."""
        if not self._keep:
            return
        self._begin_round_if_due()
        for _ in range(_MAX_STEPS):
            if not await self._step():
                break

    def _begin_round_if_due(self) -> None:
        now = self._clock()
        if self._round_began is None or now - self._round_began >= _ROUND:
            self._after, self._round_began = _NOBODY, now

    async def _step(self) -> bool:
        """Return whether there may be more."""
        horizon = first_id_at(self._clock() - self._keep)

        async def work(uow: UnitOfWork) -> Sequence[Aged]:
            if not await uow.jobs.try_maintenance_lock():
                return ()
            aged = await uow.bulk.aged(self._after, horizon, _STEP)
            await self._delete(uow, {one.id: one.user_id for one in aged if not one.is_deleted})
            return aged

        aged = await self._database.transaction(work)
        if not aged:
            return False
        self._after = aged[-1].id
        expired = sum(not one.is_deleted for one in aged)
        if expired:
            EXPIRED.inc(expired)
            _log.info("notifications_expired", notifications=expired)
        return len(aged) == _STEP

    async def _delete(self, uow: UnitOfWork, owners: dict[UUID, UUID]) -> None:
        if not owners:
            return
        inboxes = await uow.inboxes.lock(set(owners.values()))
        now = self._clock()
        for notification in (await uow.notifications.get_many(owners)).values():
            inboxes[notification.user_id].change(notification, partial(notification.delete, now))
        await uow.jobs.withdraw(owners)
