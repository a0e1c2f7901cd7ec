"""Slots: how many calls may be in the air in this process."""

import asyncio


class Slots:
    """A semaphore that hands out several slots at once: as many as are free, at least one."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._released = asyncio.Condition()

    @property
    def free(self) -> int:
        """How many could be taken now."""
        return self._free

    async def take(self, wanted: int) -> int:
        """Wait until a slot is free, take up to ``wanted`` and return how many were taken."""
        async with self._released:
            await self._released.wait_for(lambda: self._free > 0)
            taken = min(wanted, self._free)
            self._free -= taken
            return taken

    async def release(self, count: int) -> None:
        """Give slots back."""
        async with self._released:
            self._free += count
            self._released.notify(count)
