"""When something is tried again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a call is tried. Times are seconds.

    Args:
        deadline: after this it gives up, all tries and the waits between them included.
        attempt: how long one try may take.
        first_delay: the longest wait before the second try; it doubles with each further one.
        longest_delay: what it grows to. What the service asks for by ``Retry-After`` may exceed it.
    """

    deadline: float = 30
    attempt: float = 10
    first_delay: float = 0.5
    longest_delay: float = 8


class Backoff:
    """Random delays within a bound that doubles from ``first`` to ``longest`` seconds, until `reset`.

    They are random from 0 on ("full jitter"), so that those who failed together do not come back together.
    """

    def __init__(self, first: float, longest: float, jitter: Callable[[], float] = random.random) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._bound = first

    def next(self, at_least: float | None = None) -> float:
        """Return the next delay; what was asked for by ``at_least`` is exceeded, but not by much."""
        delay = self._bound * self._jitter()
        if at_least:
            delay = at_least + min(delay, self._first)
        self._bound = min(self._bound * 2, self._longest)
        return delay

    def reset(self) -> None:
        """Begin anew, since all is well."""
        self._bound = self._first


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header (RFC 9110, 10.2.3) asks for; None if it makes no sense."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    # The parser of the standard library meets strange dates with more than its documented ValueError.
    try:
        date = parsedate_to_datetime(value)
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(seconds, 0.0)
