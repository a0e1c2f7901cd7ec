"""A turnstile before what may be slow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tocsin.errors import Overloaded


class Turnstile:
    """Lets ``width`` through at a time, so that what may be slow never takes all connections from what is quick."""

    def __init__(self, width: int, patience: float) -> None:
        self._free = asyncio.Semaphore(width)
        self._patience = patience

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait for a turn, ``patience`` seconds at most, and keep it until the block is left.

        Raises:
            Overloaded: it took longer.
        """
        try:
            await asyncio.wait_for(self._free.acquire(), self._patience)
        except TimeoutError:
            raise Overloaded from None
        try:
            yield
        finally:
            self._free.release()
