"""Waiting until analyses are final: one query for all that wait, however many they are."""

import asyncio
import contextlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from tocsin.errors import Unavailable
from tocsin.repositories.unit_of_work import Database
from tocsin.services.ports import ChangeFeed, Versions

_LOOK_EVERY: Final = 2.0
_LOOK_EVERY_ALONE: Final = 0.2
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Wait:
    """Those who wait for one notification."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    waiters: int = 0


class FinalityWatch:
    """Wakes whoever waits for a notification to become final, to be deleted, or to vanish.

    It looks when a hint tells of a change in an inbox that somebody waits for, and now and then, since hints may be
    lost; often while those of other processes do not arrive.
    """

    def __init__(self, database: Database, feed: ChangeFeed) -> None:
        self._database = database
        self._feed = feed
        self._waits: dict[UUID, dict[UUID, _Wait]] = {}
        self._due: set[UUID] = set()
        self._hinted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiters(self) -> int:
        """How many wait."""
        return sum(wait.waiters for waits in self._waits.values() for wait in waits.values())

    async def wait(self, user_id: UUID, notification_id: UUID, seconds: float) -> None:
        """Return when it is final, after ``seconds``, or when the service stops, whatever comes first."""
        if self._closed:
            return
        wait = self._waits.setdefault(user_id, {}).setdefault(notification_id, _Wait())
        wait.waiters += 1
        # It may have become final since the caller looked, and the hint have come before somebody waited for it.
        self._request({user_id})
        if self._task is None:
            self._task = asyncio.create_task(self._look(), name="finality-watch")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await wait.event.wait()
        finally:
            self._leave(user_id, notification_id)

    def hint(self, versions: Versions) -> None:
        """Look soon if somebody waits for a change in one of the inboxes."""
        if self._waits:
            self._request(self._waits.keys() & versions.keys())

    def catch_up(self) -> None:
        """Look soon."""
        self._request(self._waits.keys())

    def close(self) -> None:
        """Let everybody go at once."""
        self._closed = True
        for waits in self._waits.values():
            for wait in waits.values():
                wait.event.set()
        if self._task:
            self._task.cancel()

    def _request(self, user_ids: AbstractSet[UUID]) -> None:
        if user_ids:
            self._due |= user_ids
            self._hinted.set()

    def _leave(self, user_id: UUID, notification_id: UUID) -> None:
        waits = self._waits[user_id]
        waits[notification_id].waiters -= 1
        if not waits[notification_id].waiters:
            del waits[notification_id]
        if not waits:
            del self._waits[user_id]

    async def _look(self) -> None:
        try:
            while self._waits:
                every = _LOOK_EVERY if self._feed.is_whole else _LOOK_EVERY_ALONE
                try:
                    async with asyncio.timeout(every):
                        await self._hinted.wait()
                except TimeoutError:
                    self._due |= self._waits.keys()
                self._hinted.clear()
                due, self._due = self._due, set()
                await self._wake_among({item: wait for user in due for item, wait in self._waits.get(user, {}).items()})
        finally:
            self._task = None

    async def _wake_among(self, waits: dict[UUID, _Wait]) -> None:
        if not waits:
            return
        try:
            final = await self._database.read(lambda uow: uow.notifications.final_among(waits))
        except Unavailable as error:
            _log.warning("finality_look_failed", error=error.detail)
            return
        for notification_id in final:
            waits[notification_id].event.set()
