"""Prepared queries: the same rows as by SQLAlchemy, run once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Float, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.fixtures.posting import fetch, post
from tests.waiting import until
from tocsin.bootstrap import Resources
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.errors import DatabaseUnavailable
from tocsin.models.notification import new_notification_id
from tocsin.repositories import schema
from tocsin.repositories.engine import open_engine
from tocsin.repositories.notification_pages import NotificationFilter, Order
from tocsin.repositories.prepared import PreparedQuery
from tocsin.repositories.unit_of_work import Database, UnitOfWork

SLEEP = PreparedQuery(select(func.nextval("runs"), func.pg_sleep(bindparam("seconds", type_=Float(53)))))
DAY = timedelta(days=1)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections on which a statement may take 0.2 s, and a sequence that counts runs."""
    await fetch(database_url, "CREATE SEQUENCE runs")
    async with open_engine(database_url, application="tests", statement_timeout=0.2) as engine:
        yield engine.execution_options(isolation_level="AUTOCOMMIT")


async def test_rows_are_those_of_sqlalchemy_with_the_types_of_the_columns(
    resources: Resources, database: Database, database_url: str
) -> None:
    posted = await post(resources)
    await fetch(
        database_url,
        "UPDATE notifications SET data = $1, keywords = $2, category = 'warning', severity = 2, confidence = 0.5,"
        " analyzer = 'a test', analyzed_at = now()",
        '{"orders": [4711, null]}',
        ["late", 'a "b", c'],
    )

    wanted = NotificationFilter(user_id=posted.user_id, min_confidence=0.5, created_after=posted.created_at - DAY)

    async def work(uow: UnitOfWork) -> object:
        page = await uow.pages.page_of_inbox(wanted, Order.NEWEST, None, 10)
        return page, await uow.notifications.with_jobs([posted.id]), await uow.inboxes.clocks([posted.user_id])

    read, by_sqlalchemy = await database.read(work), await database.snapshot(work)

    assert read == by_sqlalchemy
    assert repr(read) == repr(by_sqlalchemy)


async def test_a_query_that_takes_too_long_is_not_run_again(engine: AsyncEngine, database_url: str) -> None:
    with pytest.raises(TimeoutError):
        async with engine.connect() as connection:
            await SLEEP.fetch(connection, {"seconds": 60})

    assert [tuple(row) for row in await fetch(database_url, "SELECT last_value, is_called FROM runs")] == [(1, True)]


async def test_connections_found_dead_are_replaced_unnoticed(database: Database, database_url: str) -> None:
    async def clock(uow: UnitOfWork) -> int:
        return len(await uow.inboxes.clocks([new_notification_id()]))

    await asyncio.gather(*(database.read(clock) for _ in range(8)))
    assert await fetch(
        database_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'tests'",
    )

    assert await asyncio.gather(*(database.read(clock) for _ in range(8))) == [1] * 8


async def test_readers_are_told_that_the_database_is_gone_however_it_dies(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        async with open_engine(postgres.url, application="tests") as engine:
            await schema.upgrade(engine)
            database, reads = Database(engine), Counter[str]()

            async def follow() -> None:
                while True:
                    await database.read(lambda uow: uow.inboxes.clocks([new_notification_id()]))
                    reads["well"] += 1

            for _ in range(3):
                reads.clear()
                readers = [asyncio.create_task(follow()) for _ in range(12)]
                await until(lambda: reads["well"] > 50)
                await asyncio.to_thread(postgres.kill)
                ends = await asyncio.gather(*readers, return_exceptions=True)
                assert {type(end) for end in ends} == {DatabaseUnavailable}
                await asyncio.to_thread(postgres.start)
