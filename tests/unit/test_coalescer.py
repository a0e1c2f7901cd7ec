"""One batch at a time, and nobody's trouble is another's."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.coalescer import Coalescer
from tocsin.errors import Overloaded


class Writer:
    """Writes tenfold; each batch waits for the gate."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.running = 0
        self.most_running = 0

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return [item * 10 for item in items]


def coalescer(writer: Writer, max_batch: int = 100, max_waiting: int = 1000, writers: int = 1) -> Coalescer[int, int]:
    return Coalescer(writer, max_batch=max_batch, max_waiting=max_waiting, writers=writers)


async def begin(it: Coalescer[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Submit each item from a task of its own and let the tasks run until they wait."""
    tasks = [asyncio.create_task(it.submit(item)) for item in items]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_items_that_come_while_a_batch_is_written_are_written_together() -> None:
    writer = Writer()
    it = coalescer(writer)

    first = await begin(it, 1)
    later = await begin(it, 2, 3, 4)
    writer.gate.set()

    assert await asyncio.gather(*first, *later) == [10, 20, 30, 40]
    assert writer.batches == [[1], [2, 3, 4]]
    assert writer.most_running == 1


async def test_a_caller_may_submit_again_in_the_very_moment_it_got_its_result() -> None:
    writer = Writer()
    writer.gate.set()
    it = coalescer(writer)

    async with asyncio.timeout(5):
        assert [await it.submit(item) for item in range(10)] == [item * 10 for item in range(10)]


async def test_a_batch_is_never_larger_than_allowed() -> None:
    writer = Writer()
    writer.gate.set()
    it = coalescer(writer, max_batch=3)

    assert await asyncio.gather(*await begin(it, *range(8))) == [item * 10 for item in range(8)]
    assert [len(batch) for batch in writer.batches] == [3, 3, 2]


async def test_as_many_batches_run_as_there_are_writers() -> None:
    writer = Writer()
    it = coalescer(writer, max_batch=1, writers=2)

    tasks = await begin(it, 1, 2, 3)
    assert writer.running == 2
    writer.gate.set()

    assert await asyncio.gather(*tasks) == [10, 20, 30]


async def test_a_cancelled_caller_leaves_its_item_and_harms_nobody() -> None:
    writer = Writer()
    it = coalescer(writer)
    (first,) = await begin(it, 1)
    cancelled, other = await begin(it, 2, 3)

    cancelled.cancel()
    first.cancel()
    writer.gate.set()

    assert await other == 30
    assert writer.batches == [[1], [2, 3]]
    assert await it.submit(4) == 40


async def test_an_error_of_the_write_reaches_every_caller_of_the_batch_and_no_other() -> None:
    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        if 2 in items:
            raise ConnectionError("gone")
        return items

    it: Coalescer[int, int] = Coalescer(write, max_batch=2, max_waiting=10)
    results = await asyncio.gather(*await begin(it, 1, 2, 3, 4), return_exceptions=True)

    assert [type(result) for result in results] == [ConnectionError, ConnectionError, int, int]


async def test_an_error_returned_for_one_item_reaches_its_caller_alone() -> None:
    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        return [ValueError(item) if item == 2 else item for item in items]

    it: Coalescer[int, int] = Coalescer(write, max_batch=10, max_waiting=10)
    results = await asyncio.gather(*await begin(it, 1, 2, 3), return_exceptions=True)

    assert results[0] == 1
    assert isinstance(results[1], ValueError)
    assert results[2] == 3


async def test_a_writer_that_loses_results_fails_its_batch_instead_of_leaving_callers_waiting() -> None:
    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        return items[1:]

    it: Coalescer[int, int] = Coalescer(write, max_batch=10, max_waiting=10)

    with pytest.raises(RuntimeError, match="2 items were written, 1 results came back"):
        await asyncio.gather(*await begin(it, 1, 2))


async def test_when_the_writer_dies_everybody_who_waits_is_told() -> None:
    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        raise asyncio.CancelledError

    it: Coalescer[int, int] = Coalescer(write, max_batch=1, max_waiting=10)
    results = await asyncio.gather(*await begin(it, 1, 2, 3), return_exceptions=True)

    assert [type(result) for result in results] == [Overloaded, Overloaded, Overloaded]


async def test_a_full_queue_refuses_at_once() -> None:
    writer = Writer()
    it = coalescer(writer, max_waiting=2)
    tasks = await begin(it, 1)
    tasks += await begin(it, 2, 3)

    with pytest.raises(Overloaded):
        await it.submit(4)
    assert not it.post(5)

    writer.gate.set()
    assert await asyncio.gather(*tasks) == [10, 20, 30]


async def test_posted_items_are_written_and_their_errors_trouble_nobody() -> None:
    written: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        written.extend(items)
        raise ConnectionError

    it: Coalescer[int, int] = Coalescer(write, max_batch=10, max_waiting=10)
    assert it.post(1)
    assert it.post(2)
    await it.drain()

    assert written == [1, 2]


async def test_draining_waits_for_what_waits_and_for_what_is_written() -> None:
    writer = Writer()
    it = coalescer(writer, max_batch=1)
    tasks = await begin(it, 1, 2)
    drained = asyncio.create_task(it.drain())
    await asyncio.sleep(0)
    assert not drained.done()

    writer.gate.set()
    await drained

    assert all(task.done() for task in tasks)
    assert writer.batches == [[1], [2]]


@given(items=st.lists(st.integers(), max_size=60), max_batch=st.integers(1, 7), writers=st.integers(1, 3))
def test_every_caller_gets_its_own_result(items: list[int], max_batch: int, writers: int) -> None:
    async def run() -> None:
        writer = Writer()
        writer.gate.set()
        it = coalescer(writer, max_batch=max_batch, writers=writers)

        assert await asyncio.gather(*(it.submit(item) for item in items)) == [item * 10 for item in items]
        assert [item for batch in writer.batches for item in batch] == items
        assert writer.most_running <= writers

    asyncio.run(run())
