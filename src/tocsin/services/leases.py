"""Leases of this process: renewed together until their result is committed."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import structlog

from tocsin.errors import Unavailable
from tocsin.repositories.analysis_jobs import Lease
from tocsin.repositories.unit_of_work import Database

_log = structlog.get_logger(__name__)


class LeaseKeeper:
    """Keeps the leases that are held alive, by one statement for all of them."""

    def __init__(self, database: Database, lease_time: timedelta, renew_every: float) -> None:
        self._database = database
        self.lease_time = lease_time
        self._renew_every = renew_every
        self._held: dict[UUID, UUID] = {}

    def hold(self, leases: Iterable[Lease]) -> None:
        """Renew these from now on."""
        self._held.update((lease.notification_id, lease.id) for lease in leases)

    def drop(self, lease: Lease) -> None:
        """Renew this one no more."""
        if self.holds(lease):
            del self._held[lease.notification_id]

    def holds(self, lease: Lease) -> bool:
        """Whether the lease is being renewed."""
        return self._held.get(lease.notification_id) == lease.id

    async def run(self) -> None:
        """Renew for ever; an unreachable database is asked again at the next turn."""
        while True:
            await asyncio.sleep(self._renew_every)
            if not self._held:
                continue
            try:
                await self._database.transaction(lambda uow: uow.jobs.renew(dict(self._held), self.lease_time))
            except Unavailable as error:
                _log.warning("leases_not_renewed", held=len(self._held), error=error.detail)
