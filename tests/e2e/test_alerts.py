"""Each alert fires in a real fault, in a real Prometheus, and ends with it; nobody is woken for what can wait."""

import asyncio

import asyncpg
import pytest

from tests.e2e.api import new_user
from tests.e2e.watched import Watched
from tests.waiting import elapse, eventually

pytestmark = pytest.mark.timeout(300)

SLOW = 150
"""Seconds within which an alert that looks back for long must have ended."""


async def is_calm(watched: Watched) -> bool:
    firing = await watched.prometheus.firing()
    return not [name for name, alert in firing.items() if alert["labels"]["severity"] == "page"]


async def test_nobody_is_called_while_all_is_well(watched: Watched) -> None:
    async def enough_was_seen() -> bool:
        assert await watched.prometheus.number('min(count_over_time(up{job=~"tocsin-.+"}[15s]))') > 24
        assert await watched.prometheus.number("tocsin:judged:rate5m") > 0
        return True

    await eventually(enough_was_seen, 90)

    assert await watched.prometheus.firing() == {}
    assert [rule["name"] for rule in await watched.prometheus.rules() if rule["health"] != "ok"] == []


async def test_somebody_is_woken_when_no_api_answers(watched: Watched) -> None:
    with watched.frozen("api"):
        await watched.prometheus.fires("TocsinApiDown")
        down = await watched.prometheus.fires("TocsinProcessDown")
        assert down["labels"]["job"] == "tocsin-api"

    await watched.prometheus.resolves("TocsinApiDown")
    await watched.prometheus.resolves("TocsinProcessDown")


async def test_somebody_is_woken_when_no_worker_works(watched: Watched) -> None:
    with watched.frozen("worker"):
        await watched.prometheus.fires("TocsinWorkersDown")

    await watched.prometheus.resolves("TocsinWorkersDown")


async def test_somebody_is_woken_when_the_database_is_gone(watched: Watched) -> None:
    with watched.frozen("postgres"):
        await watched.prometheus.fires("TocsinDatabaseUnavailable")
        await watched.prometheus.fires("TocsinErrors")

    await watched.prometheus.resolves("TocsinDatabaseUnavailable")
    await watched.prometheus.resolves("TocsinErrors")


async def test_nobody_is_woken_when_redis_is_gone_but_it_is_told(watched: Watched) -> None:
    # What was started, or broken by the last test, a moment ago may still be told.
    await eventually(lambda: is_calm(watched), SLOW)
    with watched.frozen("valkey"):
        await watched.prometheus.fires("TocsinRedisDown")
        assert await is_calm(watched)

    await watched.prometheus.resolves("TocsinRedisDown")


async def test_an_ai_that_is_gone_is_told_and_wakes_when_verdicts_are_late(watched: Watched) -> None:
    await watched.ai.turn(error_rate=1)
    told = await watched.prometheus.fires("TocsinAiDown")
    assert told["labels"]["analyzer"] == "http"
    assert "TocsinVerdictsLate" not in await watched.prometheus.firing()

    # As if it had been gone for ten minutes already.
    await watched.ledger.rows("UPDATE analysis_jobs SET available_at = available_at - interval '10 minutes'")
    await watched.prometheus.fires("TocsinVerdictsLate")

    await watched.ai.turn(error_rate=0)
    await watched.prometheus.resolves("TocsinVerdictsLate")
    await watched.prometheus.resolves("TocsinAiDown")


async def test_an_ai_that_talks_rubbish_is_told(watched: Watched) -> None:
    await watched.ai.turn(garbage_rate=0.5)

    await watched.long_prometheus.fires("TocsinAiFails")
    await watched.long_prometheus.fires("TocsinAnalysesFail")

    await watched.ai.turn(garbage_rate=0)
    await watched.long_prometheus.resolves("TocsinAiFails", SLOW)
    await watched.long_prometheus.resolves("TocsinAnalysesFail", SLOW)


async def test_it_is_told_when_more_comes_in_than_is_judged(watched: Watched) -> None:
    await watched.ai.turn(delay_min=1.5, delay_max=1.5)

    async def flood() -> None:
        for _ in range(120):
            await watched.api.create_many(new_user(), ["all is well"] * 400)
            await elapse(0.5)

    flooding = asyncio.create_task(flood())
    try:
        await watched.long_prometheus.fires("TocsinBacklogGrows", 120)
    finally:
        flooding.cancel()

    await watched.ai.answer_in(0.01)
    await watched.long_prometheus.resolves("TocsinBacklogGrows")


async def test_it_is_told_when_calls_take_long_and_connections_run_out(watched: Watched) -> None:
    async def hold_locks() -> None:
        holder = await asyncpg.connect(watched.up.status["database_url"])
        try:
            while True:
                async with holder.transaction():
                    await holder.execute("LOCK TABLE inboxes")
                    await elapse(1.7)
        finally:
            holder.terminate()

    async def read_much() -> None:
        user = new_user()
        while True:
            await asyncio.gather(*(watched.api.send("GET", f"/inboxes/{user}") for _ in range(20)))

    holding = [asyncio.create_task(hold_locks()), asyncio.create_task(read_much())]
    try:
        await watched.long_prometheus.fires("TocsinSlow", 120)
        await watched.long_prometheus.fires("TocsinOverloaded")
    finally:
        for task in holding:
            task.cancel()
        await asyncio.gather(*holding, return_exceptions=True)

    await watched.long_prometheus.resolves("TocsinSlow", SLOW)
    await watched.long_prometheus.resolves("TocsinOverloaded")


async def test_it_is_told_when_a_worker_dies_again_and_again_and_of_a_fault_of_ours_which_lingers(
    watched: Watched,
) -> None:
    # One after the other, but their ends are waited for together: they take a minute each.
    await _break_and_mend(watched)
    for _ in range(3):
        pid = watched.up.kill_part("worker")
        await watched.up.replaces("worker", pid)
        await watched.prometheus.sees("tocsin-worker", 1)

    again = await watched.prometheus.fires("TocsinRestarts")

    assert again["labels"]["job"] == "tocsin-worker"
    assert "TocsinErrorsLinger" in await watched.long_prometheus.firing()
    await watched.prometheus.resolves("TocsinErrors")
    await watched.long_prometheus.resolves("TocsinFaults", SLOW)
    await watched.prometheus.resolves("TocsinRestarts", SLOW)
    await watched.long_prometheus.resolves("TocsinErrorsLinger", SLOW)


async def _break_and_mend(watched: Watched) -> None:
    await watched.ledger.rows("ALTER TABLE inboxes RENAME TO inboxes_of_old")
    try:
        await watched.long_prometheus.fires("TocsinFaults", job="tocsin-api")
        await watched.prometheus.fires("TocsinErrors")
        await watched.long_prometheus.fires("TocsinErrorsLinger")
    finally:
        await watched.ledger.rows("ALTER TABLE inboxes_of_old RENAME TO inboxes")
