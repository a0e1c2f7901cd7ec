"""When an AI is asked again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tocsin.errors import AnalyzerError

_QUICK_DELAY = 0.1
_QUICK_DELAY_MAX = 0.4
_GROWTH = 4
_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after how long; it only decides, it neither waits nor asks. Times are seconds.

    Args:
        quick_repeats: repeats within one try.
        max_tries: tries, each with its repeats, before a notification is given up.
        delay: about the delay before the second try; it quadruples with each further one.
        delay_max: no delay between tries is longer, whatever the AI asks for.
        jitter: random numbers within 0..1, so that those who failed together do not come back together.
    """

    quick_repeats: int
    max_tries: int
    delay: float
    delay_max: float
    jitter: Callable[[], float] = random.random

    def quick_delay(self, attempt: int) -> float:
        """Return the delay before the repeat number ``attempt``, counted from 0: within 0.05..0.6 seconds."""
        return min(_QUICK_DELAY * 2.0**attempt, _QUICK_DELAY_MAX) * (0.5 + self.jitter())

    def delay_before_next_try(self, tries: int, error: AnalyzerError) -> float | None:
        """Return the delay before the next try, or None if ``error`` is the end of it.

        Never less than ``error.retry_after`` asks for, unless that exceeds ``delay_max``.

        Args:
            tries: how many were made, the one that met ``error`` included; 0 is taken as 1.
            error: a permanent one ends it at once.
        """
        if not error.retryable or tries >= self.max_tries:
            return None
        jitter = self.jitter()
        backoff = self.delay * float(_GROWTH) ** max(tries - 1, 0)
        spread_backoff = min(backoff, self.delay_max) * (1 - _SPREAD + 2 * _SPREAD * jitter)
        asked_for = (error.retry_after or 0.0) * (1 + _SPREAD * jitter)
        return min(max(spread_backoff, asked_for), self.delay_max)
