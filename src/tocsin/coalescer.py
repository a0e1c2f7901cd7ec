"""Coalescing: many callers, one batch at a time.

Callers hand in one item each and await its own result. While one batch is being written, the next one fills, so
that an idle service adds no delay and a busy one writes few large batches. There is no timer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

from tocsin.errors import Overloaded

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Write = Callable[[Sequence[_Item]], Awaitable[Sequence[_Result | Exception]]]
"""Writes a batch and returns, in its order, the result or the error of each item. What it raises fails the batch."""


@dataclass(slots=True)
class _Waiting(Generic[_Item, _Result]):
    item: _Item
    future: asyncio.Future[_Result]


class Coalescer(Generic[_Item, _Result]):
    """Collects items and writes them in batches of at most ``max_batch``, ``writers`` batches at a time.

    A caller that is cancelled leaves its item in the batch; only its result is dropped. Belongs to the event loop
    that it is first used on.
    """

    def __init__(
        self,
        write: Write[_Item, _Result],
        *,
        max_batch: int,
        max_waiting: int,
        writers: int = 1,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._write = write
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._writers = writers
        self._observe = observe
        self._waiting: deque[_Waiting[_Item, _Result]] = deque()
        # Not the number of tasks: one that came to its end is a task until the loop turns, but writes no more.
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many items are not being written yet."""
        return len(self._waiting)

    async def submit(self, item: _Item) -> _Result:
        """Hand in ``item`` and wait for its result.

        Raises:
            Overloaded: ``max_waiting`` items wait already.
            Exception: whatever the write raised or returned for this item.
        """
        return await self._enqueue(item)

    def post(self, item: _Item) -> bool:
        """Hand in ``item`` without waiting for its result; return False if there is no room for it."""
        try:
            future = self._enqueue(item)
        except Overloaded:
            return False
        future.add_done_callback(_retrieve)
        return True

    async def drain(self) -> None:
        """Wait until nothing waits and nothing is being written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _enqueue(self, item: _Item) -> asyncio.Future[_Result]:
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, future))
        if self._running < self._writers:
            self._running += 1
            # A batch belongs to many requests; it must not carry the context of the first.
            task = asyncio.create_task(self._run(), name="coalescer", context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._write_next()
        finally:
            self._running -= 1

    async def _write_next(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]
        if self._observe:
            self._observe(len(batch))
        try:
            results = await self._write_all([waiting.item for waiting in batch])
        except BaseException:
            self._abandon([*batch, *self._waiting])
            raise
        for waiting, result in zip(batch, results, strict=True):
            _settle(waiting.future, result)

    async def _write_all(self, items: Sequence[_Item]) -> Sequence[_Result | Exception]:
        try:
            results = await self._write(items)
        except Exception as error:  # noqa: BLE001 - every caller of the batch gets it
            return [error] * len(items)
        if len(results) != len(items):
            return [RuntimeError(f"{len(items)} items were written, {len(results)} results came back")] * len(items)
        return results

    def _abandon(self, everybody: Sequence[_Waiting[_Item, _Result]]) -> None:
        self._waiting.clear()
        for waiting in everybody:
            _settle(waiting.future, Overloaded("The service is stopping."))


def _settle(future: asyncio.Future[_Result], result: _Result | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _retrieve(future: asyncio.Future[_Result]) -> None:
    if not future.cancelled():
        future.exception()
