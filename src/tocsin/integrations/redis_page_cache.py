"""The page cache in Redis."""

from typing import Final

from tocsin.integrations.redis_client import GuardedRedis
from tocsin.telemetry import CACHE_READS

_PREFIX: Final = "tocsin:page:"
_HIT, _MISS, _FAILED = (CACHE_READS.labels(outcome) for outcome in ("hit", "miss", "failed"))


class RedisPageCache:
    """Keeps rendered pages for ``ttl`` seconds; fails open."""

    def __init__(self, redis: GuardedRedis, ttl: float) -> None:
        self._redis = redis
        self._ttl_ms = round(ttl * 1000)

    async def get(self, key: str) -> bytes | None:
        """Return what was stored under ``key``, if it is still there."""
        page = await self._redis.call(lambda redis: redis.get(_PREFIX + key))
        if page is None:
            (_FAILED if self._redis.is_paused else _MISS).inc()
            return None
        _HIT.inc()
        return page if isinstance(page, bytes) else page.encode()

    async def set(self, key: str, page: bytes) -> None:
        """Keep ``page`` under ``key`` for a while."""
        await self._redis.call(lambda redis: redis.set(_PREFIX + key, page, px=self._ttl_ms))
