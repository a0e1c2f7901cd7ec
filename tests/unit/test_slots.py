"""Slots are handed out several at a time, never more than there are."""

import asyncio

from tocsin.services.slots import Slots


async def test_takes_as_many_as_are_free() -> None:
    slots = Slots(5)

    assert await slots.take(3) == 3
    assert await slots.take(3) == 2
    assert slots.free == 0


async def test_waits_until_one_is_free() -> None:
    slots = Slots(1)
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(4))
    await asyncio.sleep(0)
    assert not waiting.done()

    await slots.release(1)

    assert await waiting == 1


async def test_a_cancelled_wait_takes_nothing() -> None:
    slots = Slots(1)
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    waiting.cancel()

    await slots.release(1)

    assert slots.free == 1


async def test_all_that_wait_get_their_turn() -> None:
    slots = Slots(2)
    busy, most = 0, 0

    async def work() -> None:
        nonlocal busy, most
        taken = await slots.take(2)
        busy += taken
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= taken
        await slots.release(taken)

    await asyncio.gather(*(work() for _ in range(50)))

    assert most == 2
    assert slots.free == 2
