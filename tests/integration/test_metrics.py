"""What the metrics tell, beside what happened."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry

from tests.fixtures.analyzers import INFO, ScriptedAnalyzer
from tests.fixtures.posting import fetch, post, post_many
from tests.fixtures.product import OpenWorker
from tests.waiting import until
from tocsin.bootstrap import Resources
from tocsin.errors import AnalyzerRefused, AnalyzerTimeout, DatabaseUnavailable, Overloaded
from tocsin.integrations.redis_client import open_redis
from tocsin.repositories.engine import open_engine
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.telemetry import API, WORKER


@contextmanager
def adds(count: float, registry: CollectorRegistry, name: str, **labels: str) -> Iterator[None]:
    """See that what happens within adds ``count`` to one series."""
    before = registry.get_sample_value(name, labels) or 0
    yield
    assert (registry.get_sample_value(name, labels) or 0) - before == count, f"{name}{labels}"


def told(name: str, **labels: str) -> Callable[[], float | None]:
    return lambda: WORKER.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("answer", "outcome", "ai_outcome"),
    [
        (INFO, "judged", "verdict"),
        (AnalyzerRefused(), "givenup", "analyzer_refused"),
        (AnalyzerTimeout(), "postponed", "analyzer_timeout"),
    ],
    ids=["judged", "given up", "postponed"],
)
async def test_a_try_is_counted_by_how_it_ended(
    resources: Resources, worker: OpenWorker, answer: Exception, outcome: str, ai_outcome: str
) -> None:
    posted = await post(resources)

    async with worker(ScriptedAnalyzer(answer)) as it:
        with (
            adds(1, WORKER, "tocsin_analyses_total", analyzer="http", outcome=outcome),
            adds(1, WORKER, "tocsin_ai_seconds_count", analyzer="http", outcome=ai_outcome),
            adds(outcome == "judged", WORKER, "tocsin_judged_seconds_count"),
        ):
            await it.analysis.analyse([posted.id])


async def test_a_try_that_a_fault_of_ours_ended_is_counted_too(resources: Resources, worker: OpenWorker) -> None:
    posted = await post(resources)

    async with worker(ScriptedAnalyzer(ZeroDivisionError())) as it:
        with adds(1, WORKER, "tocsin_analyses_total", analyzer="http", outcome="broke_off"):
            await it.analysis.analyse([posted.id])


async def test_the_time_to_a_verdict_begins_with_the_promise(
    resources: Resources, worker: OpenWorker, database_url: str
) -> None:
    posted = await post(resources)
    await fetch(database_url, "UPDATE analysis_jobs SET enqueued_at = enqueued_at - interval '20 seconds'")

    async with worker(ScriptedAnalyzer()) as it:
        with (
            adds(0, WORKER, "tocsin_judged_seconds_bucket", le="10.0"),
            adds(1, WORKER, "tocsin_judged_seconds_bucket", le="30.0"),
        ):
            await it.analysis.analyse([posted.id])


async def test_the_backlog_is_told_with_its_age_and_with_what_nobody_takes_up(
    resources: Resources, worker: OpenWorker, database_url: str
) -> None:
    await post_many(resources, 3)
    await fetch(
        database_url,
        "UPDATE analysis_jobs SET enqueued_at = enqueued_at - interval '1 hour', available_at = now() + interval '1 h'",
    )
    await fetch(
        database_url,
        "UPDATE analysis_jobs SET available_at = now() - interval '1 minute'"
        " WHERE notification_id = (SELECT min(notification_id::text)::uuid FROM analysis_jobs)",
    )

    def measured() -> tuple[float, int, int]:
        jobs, age, overdue = (
            told(f"tocsin_backlog_{name}")() or 0 for name in ("jobs", "age_seconds", "overdue_seconds")
        )
        return jobs, round(age / 3600), round(overdue / 60)

    async with worker(ScriptedAnalyzer(held=True)) as it:
        running = asyncio.create_task(it.maintenance.run())
        try:
            await until(lambda: measured() == (3, 1, 1))
        finally:
            running.cancel()


async def test_the_calls_in_the_air_are_told_beside_how_many_there_may_be(
    resources: Resources, worker: OpenWorker
) -> None:
    ids = [notification.id for notification in await post_many(resources, 3)]
    analyzer = ScriptedAnalyzer(held=True)

    async with worker(analyzer) as it:
        running = asyncio.create_task(it.analysis.analyse(ids))
        await until(lambda: told("tocsin_ai_calls_in_the_air")() == 3)
        analyzer.open.set()
        await running

    assert told("tocsin_ai_calls_in_the_air")() == 0
    assert told("tocsin_ai_calls_max")() == 256


async def test_the_pool_tells_who_has_a_connection_and_who_waits(database_url: str) -> None:
    async with open_engine(database_url, application="tests", pool_size=1, pool_timeout=30) as engine:
        database = Database(engine)
        release, waiting = asyncio.Event(), told("tocsin_database_waiting")

        async def hold(uow: UnitOfWork) -> None:
            await uow.inboxes.epoch()
            await release.wait()

        holder = asyncio.create_task(database.transaction(hold))
        await until(lambda: told("tocsin_database_connections", state="in_use")() == 1)
        other = asyncio.create_task(database.read(lambda uow: uow.inboxes.epoch()))
        await until(lambda: waiting() == 1)
        assert told("tocsin_database_connections_max")() == 1
        release.set()
        await asyncio.gather(holder, other)

        assert waiting() == 0
        assert told("tocsin_database_connections", state="in_use")() == 0
        assert told("tocsin_database_connections", state="idle")() == 1


async def test_a_database_that_is_gone_and_one_that_is_busy_are_counted_apart(database_url: str) -> None:
    name = "tocsin_database_failures_total"
    async with open_engine("postgresql://nobody@127.0.0.1:1/none", application="tests") as engine:
        with (
            adds(1, API, name, code="database_unavailable"),
            adds(0, API, name, code="overloaded"),
            pytest.raises(DatabaseUnavailable),
        ):
            await Database(engine).read(lambda uow: uow.inboxes.epoch())

    async with open_engine(database_url, application="tests", pool_size=1, pool_timeout=0.05) as engine:
        database = Database(engine)

        async def work(uow: UnitOfWork) -> None:
            await uow.inboxes.epoch()
            with adds(1, API, name, code="overloaded"), pytest.raises(Overloaded):
                await database.read(lambda other: other.inboxes.epoch())

        with adds(0, API, name, code="database_unavailable"):
            await database.transaction(work)


async def test_each_call_that_a_redis_does_not_answer_is_counted_by_its_use() -> None:
    nobody = "redis://127.0.0.1:1/0"
    async with open_redis(nobody, use="tests", connect_timeout=0.5, read_timeout=0.1, pause=60) as redis:
        with adds(3, API, "tocsin_redis_failures_total", use="tests"):
            for _ in range(3):
                assert await redis.call(lambda it: it.get("key")) is None
