"""Upkeep of the search: fast for what is new, complete for what is old."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from tocsin.models.notification_search import search_document
from tocsin.repositories.search_backfill import Unsearchable
from tocsin.repositories.unit_of_work import Database, UnitOfWork

_log = structlog.get_logger(__name__)

_STEP: Final = 500
_MAX_STEPS: Final = 20


class SearchUpkeep:
    """Keeps the index in order, and after an upgrade makes searchable what the release before wrote."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def merge_index(self) -> None:
        """Merge what is new into the index, before a create has to do it or searches get slow."""

        async def work(uow: UnitOfWork) -> None:
            if await uow.jobs.try_maintenance_lock():
                await uow.search.merge_new()

        await self._database.transaction(work)

    async def backfill(self) -> None:
        """Do what is left, from the newest on, in steps of bounded size and number."""
        for _ in range(_MAX_STEPS):
            if not await self._step():
                break

    async def _step(self) -> bool:
        """Return whether there may be more."""

        async def work(uow: UnitOfWork) -> bool:
            if not await uow.jobs.try_maintenance_lock():
                return False
            before = await uow.search_backfill.before()
            if before is None:
                return False
            found = await uow.search_backfill.newest(before, _STEP)
            # Not on the event loop, since half a thousand long texts take it a second.
            documents = await asyncio.to_thread(_documents, found)
            await uow.inboxes.lock_versions({one.user_id for one in found})
            await uow.search.add_missing(documents)
            if len(found) < _STEP:
                await uow.search_backfill.finish()
                _log.info("search_backfilled")
                return False
            await uow.search_backfill.go_on_before(found[-1].id)
            return True

        return await self._database.transaction(work)


def _documents(found: Sequence[Unsearchable]) -> dict[UUID, str]:
    return {one.id: search_document(one.user_id, one.title, one.source, one.text) for one in found}
