"""What happens to streams when nothing happens in their inboxes: pings, looks, and ends."""

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from tocsin.errors import TokenExpired, Unauthenticated, Unavailable
from tocsin.repositories.unit_of_work import Database
from tocsin.services.ports import ChangeFeed, Clock
from tocsin.services.stream_hub import StreamHub
from tocsin.services.stream_listener import Listener
from tocsin.services.stream_messages import Ping
from tocsin.telemetry import STREAM_LOOKS

_TICK: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """Seconds between two pings of a stream, and two looks of a process, also while no hints of others arrive."""

    ping_every: float
    look_every: float
    look_every_alone: float


class StreamKeeper:
    """Looks after all streams of this process."""

    def __init__(self, hub: StreamHub, database: Database, feed: ChangeFeed, times: StreamTimes, clock: Clock) -> None:
        self._hub = hub
        self._database = database
        self._feed = feed
        self._times = times
        self._clock = clock
        self._looked_at = time.monotonic()

    async def run(self) -> None:
        """Look after them for ever."""
        while True:
            with suppress(TimeoutError):
                # Not wait_for, which in Python 3.11 swallows a cancellation that comes with the event.
                async with asyncio.timeout(min(_TICK, self._times.ping_every / 2)):
                    await self._hub.missed.wait()
            try:
                await self.tick()
            except Exception:  # noqa: BLE001 - the next tick must come
                _log.exception("stream_tick_broke_off")

    def welcome(self, listener: Listener) -> None:
        """Have ``listener`` pinged from now on."""
        listener.ping_at = time.monotonic() + self._times.ping_every

    async def tick(self) -> None:
        """Do what is due."""
        now, moment = time.monotonic(), self._clock()
        for listener in list(self._hub.listeners):
            if listener.tenure.expires_at and listener.tenure.expires_at <= moment:
                listener.end(TokenExpired("The credential of this stream has expired; get a new one."))
            if now >= listener.ping_at:
                self._ping(listener, now)
        self._hub.retry()
        every = self._times.look_every if self._feed.is_whole else self._times.look_every_alone
        if self._hub.missed.is_set() or now >= self._looked_at + every:
            self._hub.missed.clear()
            self._looked_at = now
            await self._look()

    def _ping(self, listener: Listener, now: float) -> None:
        listener.ping_at = now + self._times.ping_every
        if not listener.check_progress():
            listener.abandon()
        elif listener.position and listener.greeted:
            listener.push([Ping(listener.position)], listener.position)

    async def _look(self) -> None:
        try:
            found = await self._hub.look()
            await self._end_revoked()
        except Unavailable as error:
            # Again at the next tick: nothing else may ever tell of what it would have found.
            self._looked_at = -math.inf
            STREAM_LOOKS.labels("failed").inc()
            _log.warning("stream_look_failed", error=error.detail)
        else:
            STREAM_LOOKS.labels("found" if found else "nothing").inc()

    async def _end_revoked(self) -> None:
        hashes = {listener.tenure.key_hash for listener in self._hub.listeners if listener.tenure.key_hash}
        if not hashes:
            return
        now = self._clock()
        ended = hashes - await self._database.read(lambda uow: uow.api_keys.good_among(hashes, now))
        for listener in list(self._hub.listeners):
            if listener.tenure.key_hash in ended:
                listener.end(Unauthenticated("The service key of this stream was revoked, or another took its place."))
