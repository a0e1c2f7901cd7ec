"""Room for those who wait: so many in all, and so many of one caller."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tocsin.errors import Overloaded, RateLimited
from tocsin.services.access import Caller, ServiceCaller

POLICY: Final = "waits"
_COME_BACK_SECONDS: Final = 1.0


class WaitingRoom:
    """Belongs to one process: what it guards is its memory and its connections, which others do not share."""

    def __init__(self, max_waiting: int, max_of_caller: int) -> None:
        self._max_waiting = max_waiting
        self._max_of_caller = max_of_caller
        self._waiting: Counter[object] = Counter()
        self._total = 0

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Have a place while the block runs.

        Raises:
            RateLimited: the caller has all that he may have.
            Overloaded: all places are taken.
        """
        who = caller.key_id if isinstance(caller, ServiceCaller) else caller.user_id
        if self._waiting.get(who, 0) >= self._max_of_caller:
            detail = f"This credential has {self._max_of_caller} calls waiting in one process, as many as it may have."
            raise RateLimited(detail, [POLICY], retry_after=_COME_BACK_SECONDS)
        if self._total >= self._max_waiting:
            raise Overloaded(f"In this process {self._max_waiting} calls wait already; ask without 'wait', or later.")
        self._waiting[who] += 1
        self._total += 1
        try:
            yield
        finally:
            self._total -= 1
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]
