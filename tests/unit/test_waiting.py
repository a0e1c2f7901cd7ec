"""Waiting ends when what was waited for is there, and says what was there instead if it never came."""

import itertools

import pytest

from tests.waiting import elapse, eventually, until, until_blocking


async def test_the_first_true_answer_is_returned() -> None:
    answers = iter(["", "", "judged", "later"])

    async def probe() -> str:
        return next(answers)

    assert await eventually(probe, every=0) == "judged"
    assert next(answers) == "later"


async def test_a_failing_assertion_is_asked_again() -> None:
    turns = itertools.count()

    async def probe() -> bool:
        assert next(turns) > 2
        return True

    assert await eventually(probe, every=0)


async def test_the_last_failing_assertion_is_what_one_reads() -> None:
    async def probe() -> bool:
        raise AssertionError("nothing was judged")

    with pytest.raises(AssertionError, match="nothing was judged"):
        await eventually(probe, within=0.01, every=0)


async def test_the_last_untrue_answer_is_what_one_reads() -> None:
    async def probe() -> list[int]:
        await elapse(0)
        return []

    with pytest.raises(AssertionError, match=r"still \[\] after 0.01 s"):
        await eventually(probe, within=0.01, every=0)


async def test_a_condition_need_not_be_awaited() -> None:
    answers = iter([0, 0, 3])

    assert await until(lambda: next(answers), every=0) == 3


def test_a_test_may_have_no_event_loop() -> None:
    answers = iter([0, 0, 3])

    assert until_blocking(lambda: next(answers), every=0) == 3
    with pytest.raises(AssertionError, match="still 0"):
        until_blocking(lambda: 0, within=0.01, every=0)
