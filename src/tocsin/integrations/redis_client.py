"""A Redis client that costs little when Redis is gone, or there but frozen."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from tocsin.telemetry import REDIS_FAILURES

_Answer = TypeVar("_Answer")
_log = structlog.get_logger(__name__)


class GuardedRedis:
    """Calls Redis; after a failure it is left alone for ``pause`` seconds, so that nobody waits for it again.

    ``use`` is the name under which failures are counted.
    """

    def __init__(self, redis: Redis, use: str, pause: float) -> None:
        self._redis = redis
        self._pause = pause
        self._paused_until = 0.0
        self._use = use
        self._failures = REDIS_FAILURES.labels(use)

    async def call(self, command: Callable[[Redis], Awaitable[_Answer]]) -> _Answer | None:
        """Return the answer to ``command``, or None if there is none. Never raises for a Redis that is not well."""
        if self.is_paused:
            self._failures.inc()
            return None
        try:
            return await command(self._redis)
        except (RedisError, OSError) as error:
            self._paused_until = time.monotonic() + self._pause
            self._failures.inc()
            _log.warning("redis_failed", use=self._use, error=type(error).__name__)
            return None

    @property
    def is_paused(self) -> bool:
        """Whether Redis failed lately."""
        return time.monotonic() < self._paused_until


def make_redis(url: str, name: str, *, connect_timeout: float, read_timeout: float) -> Redis:
    """Return a client that repeats nothing by itself; Redis knows it by ``name``, and times are seconds."""
    return Redis.from_url(
        url,
        socket_connect_timeout=connect_timeout,
        socket_timeout=read_timeout,
        retry=Retry(NoBackoff(), 0),
        client_name=name,
        # With them (they are on by default) redis-py 8.1 no longer sees that a connection of the pool was closed, and
        # after a restart of Redis the first call on each fails.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )


@asynccontextmanager
async def open_redis(
    url: str, *, use: str, connect_timeout: float, read_timeout: float, pause: float
) -> AsyncIterator[GuardedRedis]:
    """Open a pool of connections and close it at the end; all times are seconds."""
    redis = make_redis(url, "tocsin", connect_timeout=connect_timeout, read_timeout=read_timeout)
    try:
        yield GuardedRedis(redis, use, pause)
    finally:
        await redis.aclose()
