"""The two lanes of intake: whoever meets an inbox that somebody else keeps locked makes way for all others."""

import asyncio
from collections import Counter
from typing import Final, Generic, TypeVar
from uuid import UUID

from tocsin.coalescer import Coalescer, Write
from tocsin.repositories.intake import NewNotification
from tocsin.telemetry import BATCH_ITEMS

_MAX_BATCH: Final = 200
_Result = TypeVar("_Result")


class InboxHeld(Exception):
    """The inbox is locked by somebody else for longer than others should wait with it."""


class IntakeLanes(Generic[_Result]):
    """Has items written in batches, one batch at a time in each lane.

    ``write_quickly`` gives each item of an inbox that is held the error `InboxHeld`, after a moment. Such items go to
    the lane of ``write_patiently``, and as long as some of an inbox are in there, all of that inbox do.
    """

    def __init__(
        self,
        write_quickly: Write[NewNotification, _Result],
        write_patiently: Write[NewNotification, _Result],
        max_waiting: int,
    ) -> None:
        self._quick = _lane("intake", write_quickly, max_waiting)
        self._patient = _lane("intake_held", write_patiently, max_waiting)
        self._held: Counter[UUID] = Counter()

    @property
    def waiting(self) -> int:
        """How many items are not being written yet."""
        return self._quick.waiting + self._patient.waiting

    async def submit(self, item: NewNotification) -> _Result:
        """Have ``item`` written.

        Raises:
            Overloaded: too many wait already.
            Exception: what the write raised or returned for this item.
        """
        if item.user_id not in self._held:
            try:
                return await self._quick.submit(item)
            except InboxHeld:
                pass
        self._held[item.user_id] += 1
        try:
            return await self._patient.submit(item)
        finally:
            self._held[item.user_id] -= 1
            if not self._held[item.user_id]:
                del self._held[item.user_id]

    async def drain(self) -> None:
        """Wait until everything handed in is written."""
        await self._quick.drain()
        # Whose inbox is held changes lanes now.
        await asyncio.sleep(0)
        await self._patient.drain()


def _lane(name: str, write: Write[NewNotification, _Result], max_waiting: int) -> Coalescer[NewNotification, _Result]:
    return Coalescer(write, max_batch=_MAX_BATCH, max_waiting=max_waiting, observe=BATCH_ITEMS.labels(name).observe)
