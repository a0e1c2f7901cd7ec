"""Maintenance: ring for overdue work, forget what was deleted.

Every worker runs it, one at a time, so there is no scheduler that could be forgotten.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from tocsin.errors import Unavailable
from tocsin.repositories.analysis_jobs import Backlog
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.circuit_breaker import BreakerState, CircuitBreaker
from tocsin.services.ports import Clock, Doorbell
from tocsin.services.retention import Retention
from tocsin.services.search_upkeep import SearchUpkeep
from tocsin.telemetry import BACKLOG_AGE, BACKLOG_JOBS, BACKLOG_OVERDUE, RUNG_AGAIN

_log = structlog.get_logger(__name__)

_MAX_RUNG: Final = 4_096
_FULL_QUEUE: Final = 100
_STEP: Final = 1_000
_MAX_STEPS: Final = 10


class Ringer:
    """Rings for jobs that nobody took up, whatever became of their first ring."""

    def __init__(
        self,
        database: Database,
        doorbell: Doorbell,
        breaker: CircuitBreaker,
        overdue: timedelta,
        take_up: Callable[[Sequence[UUID]], Awaitable[None]],
    ) -> None:
        self._database = database
        self._doorbell = doorbell
        self._breaker = breaker
        self._overdue = overdue
        self._take_up = take_up

    async def ring(self) -> None:
        """Ring for the oldest overdue jobs, unless the queue is full or the AI is not well.

        If the broker cannot be reached, this process takes them up itself.
        """
        if not self._breaker.allows_ringing:
            return
        length = await self._doorbell.queue_length()
        if length is not None and length >= _FULL_QUEUE:
            return
        limit = _MAX_RUNG if self._breaker.state is BreakerState.CLOSED else 1

        async def work(uow: UnitOfWork) -> list[UUID]:
            if not await uow.jobs.try_maintenance_lock():
                return []
            return await uow.jobs.overdue(self._overdue, limit)

        ids = await self._database.transaction(work)
        if not ids:
            return
        RUNG_AGAIN.inc(len(ids))
        if length is None:
            _log.warning("broker_bypassed", notifications=len(ids))
            await self._take_up(ids)
        else:
            _log.info("rung_for_overdue", notifications=len(ids))
            self._doorbell.ring(ids)


class Purger:
    """Forgets the text of deleted notifications when their undo time is over, and later their tombstones."""

    def __init__(self, database: Database, undo: timedelta, tombstone: timedelta, clock: Clock) -> None:
        self._database = database
        self._undo = undo
        self._tombstone = max(tombstone, undo)
        self._clock = clock

    async def purge(self) -> None:
        """Do what is due, in steps of bounded size and number."""
        for step in (self._blank_step, self._remove_step):
            for _ in range(_MAX_STEPS):
                if await step() < _STEP:
                    break

    async def _blank_step(self) -> int:
        before = self._clock() - self._undo

        async def work(uow: UnitOfWork) -> int:
            if not await uow.jobs.try_maintenance_lock():
                return 0
            owners = await uow.bulk.deleted_before(before, _STEP, blanked=False)
            if owners:
                await uow.inboxes.lock_versions(set(owners.values()))
                await uow.bulk.blank(owners, before)
            return len(owners)

        return await self._database.transaction(work)

    async def _remove_step(self) -> int:
        before = self._clock() - self._tombstone

        async def work(uow: UnitOfWork) -> int:
            if not await uow.jobs.try_maintenance_lock():
                return 0
            owners = await uow.bulk.deleted_before(before, _STEP, blanked=True)
            if owners:
                inboxes = await uow.inboxes.lock(set(owners.values()))
                for user_id, version in (await uow.bulk.purge(owners, before)).items():
                    inboxes[user_id].floor = max(inboxes[user_id].floor, version)
            return len(owners)

        return await self._database.transaction(work)


class Maintenance:
    """The loop of every worker."""

    def __init__(
        self,
        database: Database,
        ringer: Ringer,
        retention: Retention,
        purger: Purger,
        search: SearchUpkeep,
        every: float,
    ) -> None:
        self._database = database
        self._ringer = ringer
        self._retention = retention
        self._purger = purger
        self._search = search
        self._every = every

    async def run(self) -> None:
        """Maintain for ever; what fails is logged and tried again at the next turn."""
        while True:
            for duty in (
                self._ringer.ring,
                self._retention.expire,
                self._purger.purge,
                self._search.merge_index,
                self._search.backfill,
                self._measure,
            ):
                try:
                    await duty()
                except Unavailable as error:
                    _log.warning("maintenance_failed", duty=duty.__name__, error=error.detail)
                except Exception:  # noqa: BLE001 - the other duties must go on
                    _log.exception("maintenance_broke_off", duty=duty.__name__)
            await asyncio.sleep(self._every)

    async def _measure(self) -> None:
        backlog: Backlog = await self._database.read(lambda uow: uow.jobs.backlog())
        BACKLOG_JOBS.set(backlog.jobs)
        BACKLOG_AGE.set(backlog.age)
        BACKLOG_OVERDUE.set(backlog.overdue)
