"""Workers that are killed, frozen, stopped and poisoned: everything accepted becomes final, with one verdict."""

import signal

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.e2e.programs import WITHIN
from tests.e2e.up import Up
from tests.fixtures.processes import paused
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)

SIGTERM_WITHIN = 10
"""What the product promises. No deadline of the test, and no measurement: later is wrong."""


async def test_work_of_a_killed_worker_is_taken_up_by_another(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user, count = new_user(), 20
    _, ai = await crew.mock_ai(http, delay=60)
    victim = await crew.worker(ai)
    made = await api.create_many(user, ["An error"] * count)
    await ai.holds(count)

    victim.kill()
    await ai.answer_in(0.05)
    successor = await crew.worker(ai)
    judged = await api.all_completed(user, count)

    told = await successor.says("notification_judged", count)
    assert victim.events("notification_judged") == []
    assert sorted(event["notification_id"] for event in told) == sorted(made)
    assert {item["category"] for item in judged} == {"critical"}
    assert await ledger.tries(user) == [2] * count
    await ledger.audit(api, user)


async def test_a_killed_worker_is_started_again_and_goes_on(up: Up, http: httpx2.AsyncClient) -> None:
    api, ai, user = up.api(http), up.ai(http), new_user()
    await ai.answer_in(60)
    await api.create_many(user, ["all is well"] * 5)
    await ai.holds(5)

    pid = up.kill_part("worker")
    await ai.answer_in(0.05)

    await api.all_completed(user, 5)
    assert up.pids["worker"] != pid


async def test_the_verdict_of_a_worker_that_was_frozen_past_its_lease_does_not_count(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, slow_ai = await crew.mock_ai(http, delay=3)
    _, quick_ai = await crew.mock_ai(http)
    zombie = await crew.worker(slow_ai)
    notification = await api.create(user)
    one = f"/notifications/{notification['id']}"
    await slow_ai.holds(1)
    # Else it might be frozen in the midst of noting that, with the inbox locked.
    await eventually(lambda: is_in(api, one, "processing"), WITHIN)

    with paused(zombie.pid):
        successor = await crew.worker(quick_ai)
        await api.all_completed(user, 1)
        # Asked for anew there is a job again, and its try is the first, as the zombie's was.
        await quick_ai.answer_in(5)
        await api.post(f"{one}/analysis")
        await quick_ai.holds(1)
        # The answer is there and waits for the zombie to read it.
        await slow_ai.holds(0)
    (lost,) = await zombie.says("lease_lost")
    (judged,) = await api.all_completed(user, 1)

    assert (lost["outcome"], lost["notification_id"]) == ("judged", notification["id"])
    assert zombie.events("notification_judged") == []
    verdicts = [event["confidence"] for event in await successor.says("notification_judged", 2)]
    assert len(verdicts) == 2
    assert judged["confidence"] == verdicts[-1]
    await ledger.audit(api, user)


async def test_a_worker_that_is_told_to_stop_puts_back_what_hangs(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, ai = await crew.mock_ai(http)
    await ai.turn(hang_rate=1)
    leaver = await crew.worker(ai)
    await api.create_many(user, ["all is well"] * 3)
    await ai.holds(3)

    leaver.send(signal.SIGTERM)
    code = await leaver.ends(SIGTERM_WITHIN)

    assert code == 0
    assert [item["processing_status"] for item in await api.all(user)] == ["pending"] * 3
    await ai.turn(hang_rate=0)
    await crew.worker(ai)
    await api.all_completed(user, 3)
    assert await ledger.tries(user) == [1] * 3, "what was put back was not counted"
    await ledger.audit(api, user)


async def test_a_worker_that_is_told_to_stop_lets_calls_come_to_their_end(
    api: Api, crew: Crew, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, ai = await crew.mock_ai(http, delay=1)
    worker = await crew.worker(ai)
    await api.create_many(user, ["all is well"] * 3)
    await ai.holds(3)

    worker.send(signal.SIGTERM)

    assert await worker.ends(SIGTERM_WITHIN) == 0
    assert [item["processing_status"] for item in await api.all(user)] == ["completed"] * 3
    said = [line for line in worker.output.splitlines() if line]
    assert [line for line in said if not line.startswith("{")] == []


async def test_a_text_that_kills_workers_ends_as_failed(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    user = new_user()
    _, ai = await crew.mock_ai(http, delay=60)
    await api.create(user, "a poisonous text")
    for deaths in (1, 2):
        victim = await crew.worker(ai, AI__MAX_TRIES="2")
        await ai.was_asked(deaths)
        victim.kill()

    await crew.worker(ai, AI__MAX_TRIES="2")
    (failed,) = await api.all_final(user, 1)

    assert failed["processing_status"] == "failed"
    assert failed["error"] == "The worker died 2 times on this notification."
    await ledger.audit(api, user)
    await ai.answer_in(0.05)
    await api.post(f"/notifications/{failed['id']}/analysis")
    await api.all_completed(user, 1)


async def test_a_worker_that_cannot_begin_says_why_in_one_line(crew: Crew) -> None:
    worker = crew.start("worker", AI__URL="https://user:password@ai.example/analyze", AI__API_KEY="a key")

    assert await worker.ends() == 2
    assert worker.output.splitlines() == [
        "tocsin: TOCSIN_AI__URL: must not carry credentials when TOCSIN_AI__API_KEY is set"
    ]


async def is_in(api: Api, path: str, status: str) -> bool:
    return bool((await api.get(path))["processing_status"] == status)
