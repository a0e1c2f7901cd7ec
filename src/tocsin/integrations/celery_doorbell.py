"""The doorbell: publishes ids to the Celery queue without ever holding anybody up."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import structlog
from celery import Celery

from tocsin.coalescer import Coalescer
from tocsin.integrations.celery_app import ANALYSE_TASK, MAX_IDS_PER_MESSAGE, QUEUE
from tocsin.integrations.redis_client import GuardedRedis
from tocsin.telemetry import BATCH_ITEMS, RINGS_LOST

_MAX_WAITING: Final = 10_000
_CLOSE_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


class CeleryDoorbell:
    """Collects what was committed since the last ring and rings once, in a thread of its own.

    If the broker is gone, or too much waits, ids are dropped and counted: the maintenance loop rings for them later.
    """

    def __init__(self, celery: Celery, redis: GuardedRedis, pause: float) -> None:
        self._celery = celery
        self._redis = redis
        self._pause = pause
        self._paused_until = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doorbell")
        self._coalescer: Coalescer[UUID, None] = Coalescer(
            self._publish,
            max_batch=MAX_IDS_PER_MESSAGE,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("ring").observe,
        )

    def ring(self, ids: Sequence[UUID]) -> None:
        """Publish ``ids`` soon."""
        lost = sum(not self._coalescer.post(notification_id) for notification_id in ids)
        if lost:
            RINGS_LOST.inc(lost)

    async def queue_length(self) -> int | None:
        """Return how many messages wait for a worker, None if the broker cannot be asked."""
        return await self._redis.call(lambda redis: redis.llen(QUEUE))

    async def close(self) -> None:
        """Ring for what waits, for a second at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._coalescer.drain(), _CLOSE_SECONDS)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._celery.close()

    async def _publish(self, ids: Sequence[UUID]) -> Sequence[None]:
        if time.monotonic() < self._paused_until:
            RINGS_LOST.inc(len(ids))
            return [None] * len(ids)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._send, [str(item) for item in ids])
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing depends on the ring
            self._paused_until = time.monotonic() + self._pause
            RINGS_LOST.inc(len(ids))
            _log.warning("ring_lost", notifications=len(ids), error=type(error).__name__)
        return [None] * len(ids)

    def _send(self, ids: list[str]) -> None:
        self._celery.send_task(ANALYSE_TASK, args=[ids], queue=QUEUE, retry=False, ignore_result=True)


@asynccontextmanager
async def open_doorbell(celery: Celery, redis: GuardedRedis, pause: float) -> AsyncIterator[CeleryDoorbell]:
    """Open a doorbell and close it at the end; after a failure the broker is left alone for ``pause`` seconds."""
    doorbell = CeleryDoorbell(celery, redis, pause)
    try:
        yield doorbell
    finally:
        await doorbell.close()
