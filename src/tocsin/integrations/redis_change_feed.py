"""The change feed over Redis: one channel, and one connection of each process that listens to it.

A message is pairs of a user id and a version, 24 bytes each. Nothing depends on its arrival.
"""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from tocsin.coalescer import Coalescer
from tocsin.integrations.redis_client import GuardedRedis, make_redis
from tocsin.services.ports import HintReader, Versions
from tocsin.telemetry import BATCH_ITEMS, HINTS

_PAIR: Final = struct.Struct(">16sQ")
_MAX_PAIRS: Final = 1_000
_MAX_BATCH: Final = 256
_MAX_WAITING: Final = 10_000
_CLOSE_SECONDS: Final = 1.0
_CANCEL_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 1.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_log = structlog.get_logger(__name__)


def channel_of(redis: Redis) -> str:
    """Return the channel of the database that ``redis`` is connected to; Redis itself has them for all databases."""
    return f"tocsin:changes:{redis.connection_pool.connection_kwargs.get('db') or 0}"


class RedisChangeFeed:
    """Publishes what was committed since the last message in one; what cannot be published is dropped and counted."""

    def __init__(self, redis: GuardedRedis, channel: str) -> None:
        self._redis = redis
        self._channel = channel
        self._readers: list[HintReader] = []
        self.is_whole = False
        self._coalescer: Coalescer[Versions, None] = Coalescer(
            self._send, max_batch=_MAX_BATCH, max_waiting=_MAX_WAITING, observe=BATCH_ITEMS.labels("hints").observe
        )

    def add_reader(self, reader: HintReader) -> None:
        """Tell ``reader`` from now on."""
        self._readers.append(reader)

    def publish(self, versions: Versions) -> None:
        """Tell the readers of this process now, and others soon."""
        self.deliver(versions)
        if not self._coalescer.post(versions):
            HINTS.labels("lost").inc(len(versions))

    def deliver(self, versions: Versions) -> None:
        """Tell the readers of this process."""
        for reader in self._readers:
            reader.hint(versions)

    def set_whole(self, *, is_whole: bool) -> None:
        """Note whether the hints of others arrive; when they do again, some may have been missed."""
        self.is_whole = is_whole
        for reader in self._readers:
            reader.catch_up()

    async def close(self) -> None:
        """Publish what waits, for a second at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._coalescer.drain()

    async def _send(self, batch: Sequence[Versions]) -> Sequence[None]:
        newest: dict[UUID, int] = {}
        for versions in batch:
            for user_id, version in versions.items():
                newest[user_id] = max(version, newest.get(user_id, 0))
        pairs = list(newest.items())
        for start in range(0, len(pairs), _MAX_PAIRS):
            some = pairs[start : start + _MAX_PAIRS]
            message = b"".join(_PAIR.pack(user_id.bytes, version) for user_id, version in some)
            receivers = await self._redis.call(self._publishing(message))
            HINTS.labels("lost" if receivers is None else "published").inc(len(some))
        return [None] * len(batch)

    def _publishing(self, message: bytes) -> Callable[[Redis], Awaitable[int]]:
        return lambda redis: redis.publish(self._channel, message)


class RedisSubscription:
    """Brings what other processes publish; comes back by itself, however often the connection breaks."""

    def __init__(self, redis: Redis, channel: str, feed: RedisChangeFeed) -> None:
        self._redis = redis
        self._channel = channel
        self._feed = feed
        self._pause = _FIRST_PAUSE

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    await self._follow(pubsub)
            except (RedisError, OSError, TimeoutError) as error:
                self._note_loss(error)
            except Exception:  # noqa: BLE001 - without it no hint would ever come again
                _log.exception("change_feed_broke_off")
                self._note_loss(None)
            await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311 - spreads connects, guards nothing
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    async def _follow(self, pubsub: PubSub) -> None:
        """Pass on what comes. A connection on which nothing comes is asked; a frozen server breaks off no connection.

        Raises:
            TimeoutError: the server does not answer.
        """
        asked = True
        while True:
            message = await pubsub.get_message(timeout=_ANSWER_SECONDS if asked else _QUIET_SECONDS)
            if message is None:
                if asked:
                    raise TimeoutError
                await pubsub.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "subscribe":
                self._note_arrival()
            elif message["type"] == "message":
                self._pass_on(message["data"])

    def _pass_on(self, message: bytes) -> None:
        try:
            versions = dict(_unpack(message))
        except struct.error:
            _log.warning("change_hint_unreadable", length=len(message))
            return
        HINTS.labels("received").inc(len(versions))
        self._feed.deliver(versions)

    def _note_arrival(self) -> None:
        self._pause = _FIRST_PAUSE
        _log.info("change_feed_connected")
        self._feed.set_whole(is_whole=True)

    def _note_loss(self, error: Exception | None) -> None:
        if self._feed.is_whole:
            _log.warning("change_feed_lost", error=type(error).__name__)
            self._feed.set_whole(is_whole=False)


def _unpack(message: bytes) -> Iterator[tuple[UUID, int]]:
    for user_id, version in _PAIR.iter_unpack(message):
        yield UUID(bytes=user_id), version


@asynccontextmanager
async def open_change_feed(
    url: str, *, connect_timeout: float, read_timeout: float, pause: float, listening: bool
) -> AsyncIterator[RedisChangeFeed]:
    """Open a feed and close it at the end; all times are seconds. One that is not ``listening`` only publishes."""
    redis = make_redis(url, "tocsin-feed", connect_timeout=connect_timeout, read_timeout=read_timeout)
    channel = channel_of(redis)
    feed = RedisChangeFeed(GuardedRedis(redis, "feed", pause), channel)
    task = asyncio.create_task(RedisSubscription(redis, channel, feed).run(), name="change-feed") if listening else None
    try:
        yield feed
    finally:
        # More than once: the client waits by wait_for, which in Python 3.11 may swallow a cancellation.
        while task and not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
        await feed.close()
        await redis.aclose()
