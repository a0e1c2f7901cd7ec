"""Analysis: claim jobs, ask the AI, write what came of it.

Nothing that is claimed waits for a slot, and no database connection is held while the AI is asked.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import structlog

from tocsin.coalescer import Coalescer
from tocsin.errors import AnalyzerError, Unavailable, UnstorableInput
from tocsin.models.verdict import Verdict
from tocsin.repositories.analysis_jobs import Claimed
from tocsin.repositories.unit_of_work import Database
from tocsin.services.circuit_breaker import CircuitBreaker
from tocsin.services.leases import LeaseKeeper
from tocsin.services.outcomes import GivenUp, Judged, Outcome, Postponed, Started, apply_outcomes
from tocsin.services.ports import Analyzer, Clock, Doorbell
from tocsin.services.retry_policy import RetryPolicy
from tocsin.services.slots import Slots
from tocsin.telemetry import AI_SECONDS, ANALYSES, BATCH_ITEMS, CALLS_IN_THE_AIR, JUDGED_SECONDS
from tocsin.tracing import analysis_span

_log = structlog.get_logger(__name__)

_MAX_BATCH: Final = 128
_STORE_SECONDS: Final = 60.0
_STORE_PAUSE: Final = 0.5
_OUTCOMES: Final = ("judged", "givenup", "postponed", "lease_lost", "broke_off")


class AnalysisService:
    """Judges notifications, at most so many at a time as there are slots.

    What came of it is counted under ``analyzer_name``.
    """

    def __init__(
        self,
        database: Database,
        analyzer: Analyzer,
        breaker: CircuitBreaker,
        policy: RetryPolicy,
        keeper: LeaseKeeper,
        slots: Slots,
        doorbell: Doorbell,
        clock: Clock,
        analyzer_name: str,
    ) -> None:
        self._database = database
        self._analyzer = analyzer
        self._breaker = breaker
        self._policy = policy
        self._keeper = keeper
        self._slots = slots
        self._doorbell = doorbell
        self._clock = clock
        self._name = analyzer_name
        for outcome in _OUTCOMES:
            ANALYSES.labels(analyzer_name, outcome)
        self._in_the_air: dict[asyncio.Task[None], Claimed] = {}
        self._taken_up: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._outcomes: Coalescer[Outcome, bool] = Coalescer(
            self._write,
            max_batch=_MAX_BATCH,
            max_waiting=100_000,
            observe=BATCH_ITEMS.labels("outcomes").observe,
        )

    async def analyse(self, ids: Iterable[UUID]) -> None:
        """Judge what can be claimed of ``ids`` and return when it is written; the rest is dropped silently.

        While the breaker is open nothing is claimed; overdue work is rung for later.
        """
        waiting = list(dict.fromkeys(ids))
        tasks: set[asyncio.Task[None]] = set()
        while waiting and not self._stopping.is_set():
            taken = await self._slots.take(len(waiting))
            permitted = 0 if self._stopping.is_set() else self._breaker.permits(taken)
            era = self._breaker.era
            batch, waiting = waiting[:permitted], waiting[permitted:]
            started = await self._start(batch, era)
            tasks.update(started)
            await self._slots.release(taken - len(started))
            if permitted < taken:
                break
        if tasks:
            await asyncio.wait(tasks)

    async def take_up(self, ids: Sequence[UUID]) -> None:
        """Judge as many of ``ids`` as there are free slots, without waiting for it: for when nobody could be rung."""
        task = asyncio.create_task(self.analyse(ids[: self._slots.free]), name="take-up")
        self._taken_up.add(task)
        task.add_done_callback(self._taken_up.discard)

    async def stop(self, seconds: float) -> None:
        """Claim no more, let calls go on for ``seconds``, then cancel them and put back what is left."""
        self._stopping.set()
        if self._in_the_air:
            await asyncio.wait(self._in_the_air, timeout=seconds)
        left = dict(self._in_the_air)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
            await self._put_back(list(left.values()))
        await self._outcomes.drain()

    async def _start(self, ids: Sequence[UUID], era: int) -> list[asyncio.Task[None]]:
        if not ids:
            return []
        try:
            claimed = await self._claim(ids)
        except Unavailable as error:
            _log.warning("claim_failed", notifications=len(ids), error=error.detail)
            claimed = []
        if not claimed:
            self._breaker.release_probe()
        return [self._begin(item, era) for item in claimed]

    def _begin(self, claimed: Claimed, era: int) -> asyncio.Task[None]:
        task = asyncio.create_task(self._judge(claimed, era), name=f"judge-{claimed.lease.notification_id}")
        self._in_the_air[task] = claimed
        CALLS_IN_THE_AIR.inc()
        return task

    async def _claim(self, ids: Sequence[UUID]) -> list[Claimed]:
        claimed = await self._database.at_once(lambda uow: uow.jobs.claim(ids, self._keeper.lease_time))
        self._keeper.hold(item.lease for item in claimed)
        return claimed

    async def _judge(self, claimed: Claimed, era: int) -> None:
        lease, began = claimed.lease, time.monotonic()
        names = {"notification_id": str(lease.notification_id), "request_id": lease.request_id, "tries": lease.tries}
        with structlog.contextvars.bound_contextvars(**names), analysis_span(lease.traceparent, names):
            try:
                outcome = await self._ask(claimed, era)
                applied = await self._store(outcome)
                self._report(outcome, lease.waited + time.monotonic() - began, applied=applied)
            except Exception:  # noqa: BLE001 - the lease runs out and the work is taken up again
                _log.exception("analysis_broke_off")
                ANALYSES.labels(self._name, "broke_off").inc()
            finally:
                self._keeper.drop(lease)
                self._in_the_air.pop(asyncio.current_task(), None)  # type: ignore[arg-type]  # a task runs this
                CALLS_IN_THE_AIR.dec()
                await asyncio.shield(self._slots.release(1))

    async def _ask(self, claimed: Claimed, era: int) -> Outcome:
        lease = claimed.lease
        if lease.tries > self._policy.max_tries:
            self._breaker.release_probe()
            return GivenUp(claimed, f"The worker died {lease.tries - 1} times on this notification.")
        self._outcomes.post(Started(claimed))
        began = time.perf_counter()
        try:
            verdict: Verdict = await self._analyzer.analyze(claimed.message.title, claimed.message.text)
        except AnalyzerError as error:
            AI_SECONDS.labels(self._name, error.code).observe(time.perf_counter() - began)
            return self._after_error(claimed, error, era)
        AI_SECONDS.labels(self._name, "verdict").observe(time.perf_counter() - began)
        self._breaker.record_success(era)
        return Judged(claimed, verdict)

    def _after_error(self, claimed: Claimed, error: AnalyzerError, era: int) -> Outcome:
        counted = error.counts
        if error.retryable:
            # Told in any case: it is the breaker's business too.
            counted &= self._breaker.record_outage(claimed.lease.notification_id, error.retry_after, era)
        else:
            self._breaker.record_success(era)
        tries = claimed.lease.tries if counted else claimed.lease.tries - 1
        delay = self._policy.delay_before_next_try(tries, error)
        if delay is None:
            return GivenUp(claimed, error.detail)
        return Postponed(claimed, delay, counted, error.detail)

    async def _store(self, outcome: Outcome) -> bool:
        """Write the outcome; return whether the lease was still held.

        An unreachable database is asked again for a while: the lease tells if it is too late.
        """
        deadline = time.monotonic() + _STORE_SECONDS
        while True:
            try:
                return await self._outcomes.submit(outcome)
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                _log.warning("outcome_not_stored", error=error.detail)
                await asyncio.sleep(_STORE_PAUSE)

    def _report(self, outcome: Outcome, seconds: float, *, applied: bool) -> None:
        name = type(outcome).__name__.lower() if applied else "lease_lost"
        ANALYSES.labels(self._name, name).inc()
        match outcome:
            case Judged(_, verdict) if applied:
                JUDGED_SECONDS.observe(seconds)
                _log.info("notification_judged", category=verdict.category.value, confidence=verdict.confidence)
            case GivenUp(_, reason) if applied:
                _log.warning("notification_failed", reason=reason)
            case Postponed(_, delay, counted, error) if applied:
                _log.warning("notification_postponed", seconds=round(delay, 1), counted=counted, reason=error)
            case _:
                _log.warning("lease_lost", outcome=type(outcome).__name__.lower())

    async def _write(self, outcomes: Sequence[Outcome]) -> Sequence[bool | Exception]:
        ending = {o.claimed.lease.id for o in outcomes if not isinstance(o, Started)}
        useful = [o for o in outcomes if not (isinstance(o, Started) and self._is_void(o, ending))]
        try:
            applied = await self._apply(useful) if useful else []
        except UnstorableInput as error:
            if len(useful) == 1:
                return [error for _ in outcomes]
            return [result for outcome in outcomes for result in await self._write([outcome])]
        results = dict(zip(map(id, useful), applied, strict=True))
        return [results.get(id(outcome), False) for outcome in outcomes]

    async def _apply(self, outcomes: Sequence[Outcome]) -> list[bool]:
        return await self._database.transaction(lambda uow: apply_outcomes(uow, outcomes, self._clock))

    def _is_void(self, started: Started, ending: set[UUID]) -> bool:
        return started.claimed.lease.id in ending or not self._keeper.holds(started.claimed.lease)

    async def _put_back(self, claimed: Sequence[Claimed]) -> None:
        """Put back what stopping cut short: not counted, since the text is not to blame, and claimable at once."""
        back = [Postponed(item, delay=0, counted=False, error=None) for item in claimed]
        try:
            await self._apply(back)
        except Unavailable as error:
            _log.warning("put_back_failed", notifications=len(back), error=error.detail)
            return
        self._doorbell.ring([item.lease.notification_id for item in claimed])
        _log.info("put_back", notifications=len(back))
