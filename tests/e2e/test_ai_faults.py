"""An AI that is slow, gone, hanging, busy or talks rubbish: who waits waits, and nobody fails for its sake."""

import asyncio

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.timeout(180)

IMPATIENT = {"AI__MAX_TRIES": "2", "AI__QUICK_REPEATS": "0"}
THRESHOLD = 5
"""Of the breaker: outages of so many different notifications open it."""


async def test_nobody_fails_while_the_ai_is_gone_and_all_are_judged_when_it_is_back(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user, count = new_user(), THRESHOLD + 1
    program, ai = await crew.mock_ai(http)
    worker = await crew.worker(ai, **IMPATIENT, AI__BREAKER_COOLDOWN="0.1", AI__BREAKER_COOLDOWN_MAX="0.2")
    program.kill()
    await api.create_many(user, ["all is well"] * count)

    # More calls in vain than there are tries.
    await worker.says("notification_postponed", 2 * count + 1)
    assert not [item for item in await api.all(user) if item["processing_status"] == "failed"]
    await crew.mock_ai(http, port=int(ai.url.rpartition(":")[2]))

    await api.all_completed(user, count)
    await ledger.audit(api, user)


async def test_an_ai_that_is_slower_than_a_lease_costs_one_call_each(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, ai = await crew.mock_ai(http, delay=5)
    await crew.worker(ai)
    await api.create_many(user, ["all is well"] * 10)

    await api.all_completed(user, 10)

    await ai.was_asked(10)
    assert await ledger.tries(user) == [1] * 10


async def test_an_ai_that_hangs_is_given_up_after_its_deadline_and_asked_again(
    api: Api, crew: Crew, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, ai = await crew.mock_ai(http)
    await ai.turn(hang_rate=1)
    worker = await crew.worker(ai, AI__TIMEOUT="0.5")
    await api.create(user)

    (postponed,) = await worker.says("notification_postponed")
    await ai.turn(hang_rate=0)

    await api.all_completed(user, 1)
    assert postponed["reason"] == "The AI did not answer within 0.5 seconds."


async def test_rubbish_ends_as_failed_with_a_reason_that_can_be_read(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, ai = await crew.mock_ai(http)
    await ai.turn(garbage_rate=1)
    await crew.worker(ai)
    # Each kind of rubbish comes twice: no JSON, unknown category, confidence 7 and NaN, a field missing, HTML.
    for _ in range(6):
        await api.create(user)

    failed = await api.all_final(user, 6)

    for item in failed:
        assert (item["processing_status"], item["category"]) == ("failed", None)
        assert "does not fit" in item["error"]
    await ledger.audit(api, user)
    await ai.turn(garbage_rate=0)
    await asyncio.gather(*(api.post(f"/notifications/{item['id']}/analysis") for item in failed))
    await api.all_completed(user, 6)
    await ledger.audit(api, user)


async def test_an_ai_that_is_busy_is_left_alone_for_as_long_as_it_asks(
    api: Api, crew: Crew, http: httpx2.AsyncClient
) -> None:
    user, count = new_user(), 2 * THRESHOLD
    _, ai = await crew.mock_ai(http)
    await ai.turn(busy_rate=1)
    worker = await crew.worker(ai, **IMPATIENT)
    await api.create_many(user, ["all is well"] * count)

    postponed = await worker.says("notification_postponed", count)
    await ai.turn(busy_rate=0)

    await api.all_completed(user, count)
    assert {event["reason"] for event in postponed} == {"The AI asked to be called less often (HTTP 429)."}
    assert min(event["seconds"] for event in postponed) >= 1
