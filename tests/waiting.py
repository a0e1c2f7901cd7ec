"""The one place where tests wait: for something to become true, or for time itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")


async def eventually(probe: Callable[[], Awaitable[_T]], within: float = 30, every: float = 0.02) -> _T:
    """Ask ``probe`` until it returns something true and does not raise AssertionError, and return that.

    Raises:
        AssertionError: of the probe, or with its last answer, if it does not come true ``within`` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            answer = await probe()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            if answer:
                return answer
            assert time.monotonic() <= deadline, f"still {answer!r} after {within} s"
        await asyncio.sleep(every)


async def until(condition: Callable[[], _T], within: float = 30, every: float = 0.02) -> _T:
    """Do as `eventually` does, for a condition that need not be awaited."""

    async def probe() -> _T:
        return condition()

    return await eventually(probe, within, every)


def until_blocking(condition: Callable[[], _T], within: float = 30, every: float = 0.02) -> _T:
    """Do as `until` does, in a test without an event loop."""
    return asyncio.run(until(condition, within, every))


def in_a_thread(work: Coroutine[Any, Any, _T]) -> _T:
    """Run ``work`` to its end, also where a loop is running: a plain fixture of a test that has one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def elapse(seconds: float) -> None:
    """Let time pass, where its passing is what is tested (a lease runs out, a fake is slow)."""
    await asyncio.sleep(seconds)
