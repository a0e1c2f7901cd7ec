"""The breaker that keeps us from asking an AI that is not well."""

from uuid import UUID, uuid4

import pytest

from tocsin.services.circuit_breaker import BreakerState, CircuitBreaker

THRESHOLD, COOLDOWN, COOLDOWN_MAX = 3, 5.0, 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> list[BreakerState]:
    return []


@pytest.fixture
def breaker(clock: Clock, seen: list[BreakerState]) -> CircuitBreaker:
    return CircuitBreaker(THRESHOLD, COOLDOWN, COOLDOWN_MAX, clock, seen.append)


def open_it(breaker: CircuitBreaker) -> None:
    for _ in range(THRESHOLD):
        assert breaker.record_outage(uuid4())
    assert breaker.state is BreakerState.OPEN


def take_probe(breaker: CircuitBreaker, clock: Clock, pause: float = COOLDOWN) -> None:
    clock.now += pause
    assert breaker.permits(64) == 1


def test_closed_permits_what_is_wanted(breaker: CircuitBreaker) -> None:
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allows_ringing
    assert [breaker.permits(wanted) for wanted in (64, 1, 0, -1)] == [64, 1, 0, 0]


def test_different_notifications_open_it_and_count(breaker: CircuitBreaker, seen: list[BreakerState]) -> None:
    counted = [breaker.record_outage(uuid4()) for _ in range(THRESHOLD)]

    assert counted == [True, True, True]
    assert breaker.state is BreakerState.OPEN
    assert not breaker.allows_ringing
    assert breaker.permits(64) == 0
    assert seen == [BreakerState.OPEN]


def test_one_poisonous_text_does_not_open_it(breaker: CircuitBreaker) -> None:
    poisonous = uuid4()

    assert all(breaker.record_outage(poisonous) for _ in range(100))

    assert breaker.state is BreakerState.CLOSED


def test_a_success_starts_the_count_again(breaker: CircuitBreaker) -> None:
    for _ in range(10):
        breaker.record_outage(uuid4())
        breaker.record_outage(uuid4())
        breaker.record_success()

    assert breaker.state is BreakerState.CLOSED


def test_outages_while_open_do_not_count(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)

    assert not breaker.record_outage(uuid4())
    clock.now += COOLDOWN
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.record_outage(uuid4())
    assert breaker.permits(1) == 1


def test_after_the_pause_one_probe_is_permitted(
    breaker: CircuitBreaker, clock: Clock, seen: list[BreakerState]
) -> None:
    open_it(breaker)
    clock.now += COOLDOWN - 0.01
    assert breaker.permits(64) == 0
    clock.now += 0.01
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allows_ringing

    assert breaker.permits(0) == 0
    assert breaker.permits(64) == 1
    assert breaker.permits(64) == 0
    assert not breaker.allows_ringing
    assert seen == [BreakerState.OPEN, BreakerState.HALF_OPEN]  # type: ignore[unreachable]  # mypy takes a property for a constant


def test_a_probe_that_succeeds_closes_it(breaker: CircuitBreaker, clock: Clock, seen: list[BreakerState]) -> None:
    open_it(breaker)
    take_probe(breaker, clock)

    breaker.record_success(breaker.era)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.permits(64) == 64
    assert seen == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]


def test_each_probe_that_fails_doubles_the_pause_up_to_the_longest(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    for pause in (5, 10, 20, 40, 60, 60):
        clock.now += pause - 0.01
        assert breaker.permits(1) == 0
        clock.now += 0.01
        assert breaker.permits(1) == 1
        assert not breaker.record_outage(uuid4(), era=breaker.era)
        assert breaker.state is BreakerState.OPEN


def test_after_it_closed_the_pause_starts_small_again(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    take_probe(breaker, clock)
    breaker.record_outage(uuid4())
    take_probe(breaker, clock, 2 * COOLDOWN)
    breaker.record_success()

    open_it(breaker)

    take_probe(breaker, clock, COOLDOWN)


def test_a_released_probe_may_be_taken_again(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    take_probe(breaker, clock)

    breaker.release_probe()

    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.permits(64) == 1


def test_releasing_what_was_not_taken_does_nothing(breaker: CircuitBreaker) -> None:
    breaker.release_probe()
    assert breaker.permits(64) == 64
    open_it(breaker)
    breaker.release_probe()
    assert breaker.permits(64) == 0


def test_a_lost_probe_costs_a_pause_and_not_the_service(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    take_probe(breaker, clock)

    clock.now += COOLDOWN_MAX - 0.01
    assert breaker.permits(1) == 0
    clock.now += 0.01
    assert breaker.permits(1) == 1


def test_a_probe_taken_for_lost_still_decides(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    take_probe(breaker, clock)
    clock.now += COOLDOWN_MAX + 1

    breaker.record_success(breaker.era)

    assert breaker.state is BreakerState.CLOSED


def test_outage_of_an_earlier_call_is_not_the_probes(breaker: CircuitBreaker, clock: Clock) -> None:
    before = breaker.era
    open_it(breaker)
    take_probe(breaker, clock)

    assert not breaker.record_outage(uuid4(), era=before)

    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.permits(1) == 0
    breaker.record_success(breaker.era)
    assert breaker.permits(64) == 64


def test_outages_of_earlier_calls_do_not_open_it_again(breaker: CircuitBreaker, clock: Clock) -> None:
    before = breaker.era
    open_it(breaker)
    take_probe(breaker, clock)
    breaker.record_success(breaker.era)

    assert not any(breaker.record_outage(uuid4(), era=before) for _ in range(10 * THRESHOLD))

    assert breaker.state is BreakerState.CLOSED


def test_success_of_an_earlier_call_ends_the_pause_and_leaves_the_verdict_to_the_probe(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    before = breaker.era
    open_it(breaker)

    breaker.record_success(before)

    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.permits(64) == 1
    breaker.record_success(before)
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.permits(64) == 0
    breaker.record_outage(uuid4(), era=breaker.era)
    assert not breaker.allows_ringing
    clock.now += 2 * COOLDOWN
    assert breaker.permits(64) == 1


@pytest.mark.parametrize(
    ("asked_for", "pause"), [(0.0, COOLDOWN), (COOLDOWN - 1, COOLDOWN), (30.0, 30.0), (3600.0, COOLDOWN_MAX)]
)
def test_a_pause_asked_for_lengthens_the_pause(
    breaker: CircuitBreaker, clock: Clock, asked_for: float, pause: float
) -> None:
    breaker.record_outage(uuid4(), asked_for)
    breaker.record_outage(uuid4())
    breaker.record_outage(uuid4())

    clock.now += pause - 0.01
    assert breaker.permits(1) == 0
    clock.now += 0.01
    assert breaker.permits(1) == 1


def test_a_late_success_does_not_end_a_pause_that_was_asked_for(breaker: CircuitBreaker, clock: Clock) -> None:
    before = breaker.era
    open_it(breaker)
    breaker.record_outage(uuid4(), retry_after=30, era=before)

    breaker.record_success(before)

    clock.now += 29
    assert breaker.permits(1) == 0
    clock.now += 1
    assert breaker.permits(1) == 1


def test_a_pause_asked_for_before_a_success_is_forgotten(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record_outage(uuid4(), retry_after=60)
    breaker.record_success()

    open_it(breaker)

    take_probe(breaker, clock, COOLDOWN)


def test_the_longest_pause_asked_for_counts(breaker: CircuitBreaker, clock: Clock) -> None:
    for asked_for in (10, 40, 20):
        breaker.record_outage(uuid4(), asked_for)

    clock.now += 39
    assert breaker.permits(1) == 0
    clock.now += 1
    assert breaker.permits(1) == 1


def test_a_pause_asked_for_while_the_probe_was_out_is_forgotten_when_it_succeeds(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    before = breaker.era
    open_it(breaker)
    take_probe(breaker, clock)
    breaker.record_outage(uuid4(), retry_after=60, era=before)
    breaker.record_success(breaker.era)

    open_it(breaker)

    take_probe(breaker, clock, COOLDOWN)


def test_a_threshold_of_one_opens_at_once(clock: Clock) -> None:
    breaker = CircuitBreaker(1, COOLDOWN, COOLDOWN_MAX, clock)

    assert breaker.record_outage(UUID(int=1))

    assert breaker.state is BreakerState.OPEN
