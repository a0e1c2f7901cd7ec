"""Quick repeats of a call that failed."""

from collections.abc import Iterator

import pytest

from tocsin.errors import (
    AnalyzerBusy,
    AnalyzerError,
    AnalyzerFailing,
    AnalyzerRefused,
    AnalyzerTimeout,
    AnalyzerUnintelligible,
)
from tocsin.models.verdict import Category, Verdict
from tocsin.services.patient_analyzer import PatientAnalyzer
from tocsin.services.retry_policy import RetryPolicy

VERDICT = Verdict(Category.INFO, 0.9, (), "scripted")
POLICY = RetryPolicy(quick_repeats=2, max_tries=5, delay=5, delay_max=900, jitter=lambda: 0.5)


class ScriptedAnalyzer:
    """Meets the errors of the script, one a call, and judges when it is over."""

    def __init__(self, *script: AnalyzerError) -> None:
        self._script = iter(script)
        self.asked: list[tuple[str, str]] = []

    async def analyze(self, title: str, text: str) -> Verdict:
        self.asked.append((title, text))
        for error in self._script:
            raise error
        return VERDICT


class Sleeper:
    """Waits for nothing and remembers for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize(
    ("script", "slept"),
    [
        ([], []),
        ([AnalyzerTimeout()], [0.1]),
        ([AnalyzerFailing(), AnalyzerTimeout()], [0.1, 0.2]),
        ([AnalyzerBusy()], [0.1]),
        ([AnalyzerBusy(retry_after=0)], [0.1]),
        ([AnalyzerBusy(retry_after=1)], [1]),
    ],
)
async def test_repeats_after_an_outage(script: list[AnalyzerError], slept: list[float]) -> None:
    scripted, sleeper = ScriptedAnalyzer(*script), Sleeper()

    assert await PatientAnalyzer(scripted, POLICY, sleeper).analyze("title", "text") == VERDICT

    assert scripted.asked == [("title", "text")] * (len(script) + 1)
    assert sleeper.slept == slept


@pytest.mark.parametrize(
    ("script", "slept"),
    [
        ([AnalyzerFailing(), AnalyzerFailing(), AnalyzerTimeout()], [0.1, 0.2]),
        ([AnalyzerBusy(retry_after=1.5)], []),
        ([AnalyzerFailing(), AnalyzerBusy(retry_after=60)], [0.1]),
        ([AnalyzerRefused()], []),
        ([AnalyzerFailing(), AnalyzerUnintelligible()], [0.1]),
    ],
)
async def test_gives_the_last_error_back(script: list[AnalyzerError], slept: list[float]) -> None:
    scripted, sleeper = ScriptedAnalyzer(*script), Sleeper()

    with pytest.raises(AnalyzerError) as caught:
        await PatientAnalyzer(scripted, POLICY, sleeper).analyze("title", "text")

    assert caught.value is script[-1]
    assert len(scripted.asked) == len(script)
    assert sleeper.slept == slept


async def test_without_repeats_it_asks_once() -> None:
    scripted = ScriptedAnalyzer(AnalyzerTimeout())
    once = RetryPolicy(quick_repeats=0, max_tries=5, delay=5, delay_max=900)

    with pytest.raises(AnalyzerTimeout):
        await PatientAnalyzer(scripted, once, Sleeper()).analyze("title", "text")

    assert len(scripted.asked) == 1


@pytest.mark.parametrize(("permissions", "slept"), [([False], []), ([True, False], [0.1])])
async def test_stops_when_it_may_not_repeat(permissions: list[bool], slept: list[float]) -> None:
    scripted, sleeper = ScriptedAnalyzer(AnalyzerFailing(), AnalyzerFailing()), Sleeper()
    answers: Iterator[bool] = iter(permissions)

    with pytest.raises(AnalyzerFailing):
        await PatientAnalyzer(scripted, POLICY, sleeper, lambda: next(answers)).analyze("title", "text")

    assert len(scripted.asked) == 1
    assert sleeper.slept == slept
