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


@asynccontextmanager
async def open_redis(
    url: str, *, use: str, connect_timeout: float, read_timeout: float, pause: float
) -> AsyncIterator[GuardedRedis]:
    """Open a pool of connections and close it at the end; all times are seconds."""
    redis = Redis.from_url(
        url,
        socket_connect_timeout=connect_timeout,
        socket_timeout=read_timeout,
        retry=Retry(NoBackoff(), 0),
        client_name="tocsin",
    )
    try:
        yield GuardedRedis(redis, use, pause)
    finally:
        await redis.aclose()
