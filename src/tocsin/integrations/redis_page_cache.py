"""The page cache in Redis."""

from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis

from tocsin.coalescer import Coalescer
from tocsin.errors import Overloaded
from tocsin.integrations.redis_client import GuardedRedis
from tocsin.telemetry import BATCH_ITEMS, CACHE_READS

_PREFIX: Final = "tocsin:page:"
_MAX_BATCH: Final = 64
_MAX_WAITING: Final = 10_000
_HIT, _MISS, _FAILED = (CACHE_READS.labels(outcome) for outcome in ("hit", "miss", "failed"))


class RedisPageCache:
    """Keeps rendered pages for ``ttl`` seconds; fails open.

    Who asks at the same moment is asked for together: a call of Redis takes longer than all else that a hit needs.
    """

    def __init__(self, redis: GuardedRedis, ttl: float) -> None:
        self._redis = redis
        self._ttl_ms = round(ttl * 1000)
        self._reads: Coalescer[str, bytes | None] = Coalescer(
            self._read,
            max_batch=_MAX_BATCH,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("cache_reads").observe,
        )
        self._writes: Coalescer[tuple[str, bytes], None] = Coalescer(
            self._write,
            max_batch=_MAX_BATCH,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("cache_writes").observe,
        )

    async def get(self, key: str) -> bytes | None:
        """Return what was stored under ``key``, if it is still there."""
        try:
            return await self._reads.submit(_PREFIX + key)
        except Overloaded:
            return None

    async def set(self, key: str, page: bytes) -> None:
        """Keep ``page`` under ``key`` for a while."""
        try:
            await self._writes.submit((_PREFIX + key, page))
        except Overloaded:
            return

    async def _read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        pages = await self._redis.call(lambda redis: redis.mget(keys))
        if pages is None:
            _FAILED.inc(len(keys))
            return [None] * len(keys)
        hits = len(pages) - pages.count(None)
        _HIT.inc(hits)
        _MISS.inc(len(pages) - hits)
        return [page.encode() if isinstance(page, str) else page for page in pages]

    async def _write(self, pages: Sequence[tuple[str, bytes]]) -> Sequence[None]:
        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                for key, page in pages:
                    pipeline.set(key, page, px=self._ttl_ms)
                await pipeline.execute()

        await self._redis.call(write)
        return [None] * len(pages)
