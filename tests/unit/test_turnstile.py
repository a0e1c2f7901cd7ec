"""What may be slow waits for its turn, and not for ever."""

import asyncio

import pytest

from tocsin.errors import Overloaded
from tocsin.services.turnstile import Turnstile


async def test_so_many_pass_at_a_time() -> None:
    turnstile = Turnstile(2, patience=10)
    inside, most = 0, 0

    async def go_through() -> None:
        nonlocal inside, most
        async with turnstile.passage():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(go_through() for _ in range(20)))

    assert most == 2


async def test_whoever_waits_too_long_is_told() -> None:
    turnstile = Turnstile(1, patience=0.01)

    async with turnstile.passage():
        with pytest.raises(Overloaded):
            async with turnstile.passage():
                pytest.fail("there is only one place")

    async with turnstile.passage():
        pass


async def test_an_error_inside_frees_the_place() -> None:
    turnstile = Turnstile(1, patience=10)

    with pytest.raises(LookupError):
        async with turnstile.passage():
            raise LookupError

    async with turnstile.passage():
        pass
