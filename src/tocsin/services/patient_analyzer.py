"""Quick repeats of a call that failed."""

import asyncio
from collections.abc import Awaitable, Callable

from tocsin.errors import AnalyzerOutage
from tocsin.models.verdict import Verdict
from tocsin.services.ports import Analyzer
from tocsin.services.retry_policy import RetryPolicy

_LONGEST_WAIT = 1.0


class PatientAnalyzer:
    """Asks another analyzer, and after an outage asks again a few times, shortly after.

    An outage whose ``retry_after`` is beyond a second is given back at once: such a wait is for the schedule,
    not for a slot in the air.

    Args:
        analyzer: who is asked.
        policy: how many repeats, and when.
        sleep: waits for a number of seconds.
        may_repeat: asked before and after each wait; False ends the repeats, as when a breaker has opened.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        policy: RetryPolicy,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> None:
        self._analyzer = analyzer
        self._policy = policy
        self._sleep = sleep
        self._may_repeat = may_repeat

    async def analyze(self, title: str, text: str) -> Verdict:
        """Return the first verdict.

        Raises:
            AnalyzerOutage: the last one, when it was not or no longer repeated.
            AnalyzerError: of any other kind, at once.
        """
        for attempt in range(self._policy.quick_repeats):
            try:
                return await self._analyzer.analyze(title, text)
            except AnalyzerOutage as outage:
                await self._wait_or_give_up(attempt, outage)
        return await self._analyzer.analyze(title, text)

    async def _wait_or_give_up(self, attempt: int, outage: AnalyzerOutage) -> None:
        asked_for = outage.retry_after or 0.0
        if asked_for > _LONGEST_WAIT or not self._may_repeat():
            raise outage
        await self._sleep(max(self._policy.quick_delay(attempt), asked_for))
        if not self._may_repeat():
            raise outage
