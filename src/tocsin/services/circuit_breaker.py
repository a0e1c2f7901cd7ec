"""The breaker that keeps us from asking an AI that is not well."""

import enum
import math
from collections.abc import Callable
from uuid import UUID


class BreakerState(enum.StrEnum):
    """Whether the AI is asked."""

    CLOSED = "closed"
    """As much as one likes."""
    OPEN = "open"
    """Not at all, until the pause is over."""
    HALF_OPEN = "half_open"
    """The pause is over: by one call, the probe, which decides."""


class CircuitBreaker:
    """Opens after outages of ``threshold`` *different* notifications without a success between them.

    So that one poisonous text does not stop the service, repeated outages of one notification count once.
    After a pause of ``cooldown`` seconds one call is permitted. If it meets an outage too, the pause doubles,
    up to ``cooldown_max``; if the AI answers, the breaker closes.

    Calls outlive openings: one that was begun before may end long after. Its outage must not pass for the
    probe's, or stragglers would drive the pause to its maximum. So callers take `era` with their permits and hand
    it in with the result; without it a result is taken as one of the present. A late success is evidence, not
    proof: it ends the pause early, though never one that the AI asked for, and leaves the verdict to the probe.

    For one event loop: it knows no locks. Times are seconds of ``clock``.

    Args:
        threshold: at least 1.
        cooldown: the first pause.
        cooldown_max: the longest pause, also if the AI asks for a longer one. A probe of which nothing was heard
            for this long is taken for lost and the next one is permitted.
        clock: a monotonic clock.
        on_change: told the new state as calls make it change; not told that a pause is over before the probe
            is permitted.
    """

    def __init__(
        self,
        threshold: int,
        cooldown: float,
        cooldown_max: float,
        clock: Callable[[], float],
        on_change: Callable[[BreakerState], None] = lambda state: None,
    ) -> None:
        self._threshold = threshold
        self._cooldown = cooldown
        self._cooldown_max = cooldown_max
        self._clock = clock
        self._on_change = on_change
        self._era = 0
        self._failed: set[UUID] = set()
        self._is_closed = True
        self._pause = cooldown
        self._paused_until = -math.inf
        self._asked_until = -math.inf
        self._probe_since: float | None = None

    @property
    def state(self) -> BreakerState:
        """The state at this moment."""
        if self._is_closed:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probe_in_the_air or self._pause_is_over else BreakerState.OPEN

    @property
    def era(self) -> int:
        """How often it has opened: take it with the permits, before anything is awaited; hand it in with the result."""
        return self._era

    @property
    def allows_ringing(self) -> bool:
        """Whether a call would be permitted, so that telling workers of work makes sense."""
        return self._is_closed or (self._pause_is_over and not self._probe_in_the_air)

    def permits(self, wanted: int) -> int:
        """Return how many of the ``wanted`` calls may be claimed now.

        When half-open that is one, the probe: its permit is taken, and must be answered for by `record_success`,
        `record_outage` or `release_probe`.
        """
        if wanted < 1 or not self.allows_ringing:
            return 0
        if self._is_closed:
            return wanted
        self._probe_since = self._clock()
        self._on_change(BreakerState.HALF_OPEN)
        return 1

    def release_probe(self) -> None:
        """Give the permit of the probe back: nothing was claimed for it, or it was put back unasked."""
        self._probe_since = None

    def record_success(self, era: int | None = None) -> None:
        """Note that the AI answered: with a verdict, or with a refusal or rubbish, which also shows it is there.

        Args:
            era: the `era` in which the call was permitted.
        """
        if self._is_closed:
            self._failed.clear()
            self._asked_until = -math.inf
        elif self._is_probe(era):
            self._close()
        else:
            self._paused_until = self._clock()

    def record_outage(self, notification_id: UUID, retry_after: float | None = None, era: int | None = None) -> bool:
        """Note that the AI was not well, and return whether this try counts against the notification.

        It counts while the breaker is closed, the outage that opens it included. After that, and for calls begun
        before the last opening, it says nothing of the notification, so that an hour without an AI fails nobody.

        Args:
            notification_id: whose call it was.
            retry_after: how long the AI asked to be left alone; it lengthens the pause.
            era: the `era` in which the call was permitted.
        """
        if retry_after is not None:
            self._asked_until = max(self._asked_until, self._clock() + min(retry_after, self._cooldown_max))
        if self._is_closed:
            if not self._is_of_this_era(era):
                return False
            self._failed.add(notification_id)
            if len(self._failed) >= self._threshold:
                self._open(self._cooldown)
            return True
        if self._is_probe(era):
            self._open(self._pause * 2)
        return False

    @property
    def _pause_is_over(self) -> bool:
        return self._clock() >= max(self._paused_until, self._asked_until)

    @property
    def _probe_in_the_air(self) -> bool:
        return self._probe_since is not None and self._clock() < self._probe_since + self._cooldown_max

    def _is_probe(self, era: int | None) -> bool:
        """Calls of this era that end while not closed can only be probes, also those that were taken for lost."""
        return self._probe_since is not None if era is None else era == self._era

    def _is_of_this_era(self, era: int | None) -> bool:
        return era is None or era == self._era

    def _open(self, pause: float) -> None:
        self._is_closed = False
        self._era += 1
        self._pause = min(pause, self._cooldown_max)
        self._paused_until = self._clock() + self._pause
        self._failed.clear()
        self._probe_since = None
        self._on_change(BreakerState.OPEN)

    def _close(self) -> None:
        self._is_closed = True
        self._asked_until = -math.inf
        self._on_change(BreakerState.CLOSED)
