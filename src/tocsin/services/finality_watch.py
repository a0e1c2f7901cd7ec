"""Waiting until analyses are final: one query for all that wait, however many they are."""

import asyncio
import contextlib
from typing import Final
from uuid import UUID

import structlog

from tocsin.errors import Unavailable
from tocsin.repositories.unit_of_work import Database

_LOOK_EVERY: Final = 0.2
_log = structlog.get_logger(__name__)


class FinalityWatch:
    """Wakes whoever waits for a notification to become final, to be deleted, or to vanish."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events: dict[UUID, asyncio.Event] = {}
        self._waiters: dict[UUID, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def wait(self, notification_id: UUID, seconds: float) -> None:
        """Return when it is final, after ``seconds``, or when the service stops, whatever comes first."""
        if self._closed:
            return
        event = self._events.setdefault(notification_id, asyncio.Event())
        self._waiters[notification_id] = self._waiters.get(notification_id, 0) + 1
        if self._task is None:
            self._task = asyncio.create_task(self._look(), name="finality-watch")
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)
        finally:
            self._leave(notification_id)

    def close(self) -> None:
        """Let everybody go at once."""
        self._closed = True
        for event in self._events.values():
            event.set()
        if self._task:
            self._task.cancel()

    def _leave(self, notification_id: UUID) -> None:
        self._waiters[notification_id] -= 1
        if not self._waiters[notification_id]:
            del self._waiters[notification_id], self._events[notification_id]

    async def _look(self) -> None:
        try:
            while self._events:
                await asyncio.sleep(_LOOK_EVERY)
                for notification_id in await self._final_among(set(self._events)):
                    if event := self._events.get(notification_id):
                        event.set()
        finally:
            self._task = None

    async def _final_among(self, ids: set[UUID]) -> set[UUID]:
        try:
            return await self._database.read(lambda uow: uow.notifications.final_among(ids))
        except Unavailable as error:
            _log.warning("finality_look_failed", error=error.detail)
            return set()
