"""When an AI is asked again."""

import random

import pytest

from tocsin.errors import (
    AnalyzerBusy,
    AnalyzerError,
    AnalyzerFailing,
    AnalyzerRefused,
    AnalyzerTimeout,
    AnalyzerUnintelligible,
    AnalyzerUnreachable,
)
from tocsin.services.retry_policy import RetryPolicy

LOW, MIDDLE, HIGH = 0.0, 0.5, 1.0


def policy(jitter: float = MIDDLE, max_tries: int = 5) -> RetryPolicy:
    return RetryPolicy(quick_repeats=2, max_tries=max_tries, delay=5, delay_max=900, jitter=lambda: jitter)


@pytest.mark.parametrize(
    ("attempt", "jitter", "expected"),
    [(0, LOW, 0.05), (0, MIDDLE, 0.1), (0, HIGH, 0.15), (1, MIDDLE, 0.2), (2, MIDDLE, 0.4), (4, HIGH, 0.6)],
)
def test_quick_delay(attempt: int, jitter: float, expected: float) -> None:
    assert policy(jitter).quick_delay(attempt) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tries", "jitter", "error", "expected"),
    [
        (1, MIDDLE, AnalyzerTimeout(), 5),
        (1, LOW, AnalyzerTimeout(), 4),
        (1, HIGH, AnalyzerTimeout(), 6),
        (2, MIDDLE, AnalyzerUnreachable(), 20),
        (3, MIDDLE, AnalyzerFailing(), 80),
        (4, MIDDLE, AnalyzerFailing(), 320),
        (0, MIDDLE, AnalyzerFailing(), 5),
        (1, MIDDLE, AnalyzerBusy(retry_after=0), 5),
        (1, MIDDLE, AnalyzerBusy(retry_after=3), 5),
        (1, LOW, AnalyzerBusy(retry_after=60), 60),
        (1, HIGH, AnalyzerBusy(retry_after=60), 72),
        (1, MIDDLE, AnalyzerBusy(retry_after=3600), 900),
        (5, MIDDLE, AnalyzerTimeout(), None),
        (6, MIDDLE, AnalyzerTimeout(), None),
        (1, MIDDLE, AnalyzerRefused(), None),
        (1, MIDDLE, AnalyzerUnintelligible(), None),
    ],
)
def test_delay_before_next_try(tries: int, jitter: float, error: AnalyzerError, expected: float | None) -> None:
    delay = policy(jitter).delay_before_next_try(tries, error)

    assert delay == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("jitter", [LOW, MIDDLE, HIGH])
def test_no_delay_is_longer_than_the_longest(jitter: float) -> None:
    patient = policy(jitter, max_tries=100)

    assert all(0 < (patient.delay_before_next_try(tries, AnalyzerTimeout()) or 0) <= 900 for tries in range(100))


def test_delays_are_spread_unless_told_otherwise() -> None:
    spread = RetryPolicy(quick_repeats=0, max_tries=2, delay=5, delay_max=900)

    delays = {spread.delay_before_next_try(1, AnalyzerTimeout()) for _ in range(20)}

    assert spread.jitter is random.random
    assert len(delays) > 1
