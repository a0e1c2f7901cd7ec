"""What holds for the breaker whatever happens in whatever order."""

from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.services.circuit_breaker import BreakerState, CircuitBreaker

THRESHOLD, COOLDOWN, COOLDOWN_MAX = 3, 5.0, 40.0


class BreakerMachine(RuleBasedStateMachine):
    """Callers as the service has them: they claim, ask for some time, and report with the era of their start."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = CircuitBreaker(THRESHOLD, COOLDOWN, COOLDOWN_MAX, lambda: self.now)
        self.in_the_air: list[tuple[UUID, int]] = []
        self.probes: dict[UUID, float] = {}

    @rule(seconds=st.sampled_from([0.0, 1.0, COOLDOWN, COOLDOWN_MAX]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.state is BreakerState.CLOSED)
    @rule(wanted=st.integers(0, 5))
    def claim_while_closed(self, wanted: int) -> None:
        assert self.breaker.permits(wanted) == wanted
        self.in_the_air += [(uuid4(), self.breaker.era) for _ in range(wanted)]

    @precondition(lambda self: self.breaker.state is BreakerState.OPEN)
    @rule(wanted=st.integers(0, 5))
    def claim_while_open(self, wanted: int) -> None:
        assert self.breaker.permits(wanted) == 0

    @precondition(lambda self: self.breaker.state is BreakerState.HALF_OPEN)
    @rule(wanted=st.integers(0, 5), finds_work=st.booleans())
    def claim_while_half_open(self, wanted: int, finds_work: bool) -> None:
        ready = self.breaker.allows_ringing
        assert self.breaker.permits(wanted) == (1 if ready and wanted else 0)
        if not (ready and wanted):
            return
        assert all(self.now - since >= COOLDOWN_MAX for since in self.probes.values())
        assert self.breaker.permits(wanted) == 0
        if finds_work:
            probe = uuid4()
            self.probes[probe] = self.now
            self.in_the_air.append((probe, self.breaker.era))
        else:
            self.breaker.release_probe()
            assert self.breaker.allows_ringing

    @precondition(lambda self: self.in_the_air)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        notification_id, era = self._land(data)
        before, ready_before = self.breaker.state, self.breaker.allows_ringing

        self.breaker.record_success(era)

        if before is BreakerState.CLOSED or notification_id in self.probes:
            assert self.breaker.state is BreakerState.CLOSED
            self.probes.clear()
        else:
            assert self.breaker.state is not BreakerState.CLOSED
            assert self.breaker.allows_ringing >= ready_before

    @precondition(lambda self: self.in_the_air)
    @rule(data=st.data(), retry_after=st.none() | st.sampled_from([0.0, 10.0, 10_000.0]))
    def fail(self, data: st.DataObject, retry_after: float | None) -> None:
        notification_id, era = self._land(data)
        before, era_before = self.breaker.state, self.breaker.era

        counts = self.breaker.record_outage(notification_id, retry_after, era)

        assert counts == (before is BreakerState.CLOSED and era == era_before)
        if notification_id in self.probes:
            assert self.breaker.state is BreakerState.OPEN
        if self.breaker.era != era_before:
            assert counts or notification_id in self.probes
            assert self.breaker.state is BreakerState.OPEN
            self.probes.clear()

    @invariant()
    def rings_exactly_when_a_call_would_be_permitted(self) -> None:
        if self.breaker.state is not BreakerState.HALF_OPEN:
            assert self.breaker.allows_ringing == (self.breaker.state is BreakerState.CLOSED)

    @invariant()
    def it_always_comes_back(self) -> None:
        now = self.now
        self.now += COOLDOWN_MAX
        assert self.breaker.allows_ringing
        self.now = now

    def _land(self, data: st.DataObject) -> tuple[UUID, int]:
        call = data.draw(st.sampled_from(self.in_the_air))
        self.in_the_air.remove(call)
        return call


TestBreakerMachine = BreakerMachine.TestCase
