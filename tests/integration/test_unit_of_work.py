"""The unit of work: whole or not at all, and repeated where that is right."""

import asyncio
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from sqlalchemy import text

from tests.fixtures.lossy import lossy
from tests.fixtures.posting import fetch
from tocsin.errors import DatabaseUnavailable, Overloaded, UnstorableInput
from tocsin.models.api_key import ApiKey
from tocsin.models.notification import new_notification_id
from tocsin.repositories.engine import open_engine
from tocsin.repositories.unit_of_work import Database, UnitOfWork

NAMES = "SELECT name FROM api_keys ORDER BY name"


def key(name: str) -> ApiKey:
    made = new_notification_id()
    return ApiKey(id=made, name=name, hash=made.bytes * 2, scopes=[])


async def names(database_url: str) -> list[str]:
    return [row["name"] for row in await fetch(database_url, NAMES)]


async def test_hooks_run_after_the_commit(database: Database, database_url: str) -> None:
    seen: list[list[str]] = []
    tasks = []

    async def look() -> None:
        seen.append(await names(database_url))

    async def work(uow: UnitOfWork) -> str:
        uow.api_keys.add(key("made"))
        uow.after_commit(lambda: tasks.append(asyncio.create_task(look())))
        return "result"

    assert await database.transaction(work) == "result"
    await asyncio.gather(*tasks)
    assert seen == [["made"]]


async def test_an_error_rolls_back_and_runs_no_hook(database: Database, database_url: str) -> None:
    ran: list[bool] = []

    async def work(uow: UnitOfWork) -> None:
        uow.api_keys.add(key("never"))
        uow.after_commit(lambda: ran.append(True))
        raise LookupError("changed my mind")

    with pytest.raises(LookupError, match="changed my mind"):
        await database.transaction(work)
    assert (await names(database_url), ran) == ([], [])


async def test_a_failing_hook_harms_neither_the_result_nor_other_hooks(database: Database) -> None:
    ran: list[bool] = []

    def broken() -> None:
        raise LookupError("nobody is there")

    async def work(uow: UnitOfWork) -> str:
        uow.after_commit(broken)
        uow.after_commit(lambda: ran.append(True))
        return "result"

    assert await database.transaction(work) == "result"
    assert ran == [True]


async def test_a_deadlock_repeats_the_whole_transaction(database: Database, database_url: str) -> None:
    users = [new_notification_id() for _ in range(2)]
    await fetch(database_url, "INSERT INTO inboxes (user_id) SELECT unnest($1::uuid[])", users)
    attempts: list[int] = []
    both_hold = asyncio.Barrier(2)

    async def lock(order: list[int]) -> None:
        first_time = True

        async def work(uow: UnitOfWork) -> None:
            nonlocal first_time
            attempts.append(1)
            await uow.inboxes.lock([users[order[0]]])
            if first_time:
                first_time = False
                await both_hold.wait()
            inbox = (await uow.inboxes.lock([users[order[1]]]))[users[order[1]]]
            inbox.version += 1

        await database.transaction(work)

    await asyncio.gather(lock([0, 1]), lock([1, 0]))

    assert len(attempts) > 2
    assert [row["version"] for row in await fetch(database_url, "SELECT version FROM inboxes")] == [1, 1]


async def test_a_connection_found_dead_is_replaced_unnoticed(database: Database, database_url: str) -> None:
    await database.read(lambda uow: uow.inboxes.epoch())
    killed = await fetch(
        database_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'tests'",
    )
    assert killed

    async def work(uow: UnitOfWork) -> None:
        uow.api_keys.add(key("made"))

    await database.transaction(work)
    assert await names(database_url) == ["made"]


async def test_a_value_that_does_not_fit_is_told_apart_from_trouble(database: Database) -> None:
    async def work(uow: UnitOfWork) -> None:
        uow.api_keys.add(key("x" * 101))

    with pytest.raises(UnstorableInput):
        await database.transaction(work)


async def test_when_all_connections_stay_busy_the_caller_is_told(database_url: str) -> None:
    async with open_engine(database_url, application="tests", pool_size=1, pool_timeout=0.05) as engine:
        database = Database(engine)

        async def work(uow: UnitOfWork) -> None:
            await uow.inboxes.epoch()
            await database.read(lambda other: other.inboxes.epoch())

        with pytest.raises(Overloaded):
            await database.transaction(work)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with open_engine("postgresql://nobody@127.0.0.1:1/none", application="tests") as engine:
        database = Database(engine)
        for call in (database.transaction, database.read, database.snapshot):
            with pytest.raises(DatabaseUnavailable):
                await call(lambda uow: uow.inboxes.epoch())


async def test_a_statement_that_takes_too_long_is_ended(database_url: str) -> None:
    async with open_engine(database_url, application="tests", statement_timeout=0.2) as engine:
        database = Database(engine)
        user = new_notification_id()
        await fetch(database_url, "INSERT INTO inboxes (user_id) VALUES ($1)", user)
        holder = await asyncpg.connect(database_url)
        try:
            await holder.execute("BEGIN; LOCK TABLE inboxes")
            with pytest.raises(DatabaseUnavailable):
                await database.transaction(lambda uow: uow.inboxes.lock([user]))
        finally:
            await holder.close()
        assert user in await database.transaction(lambda uow: uow.inboxes.lock([user]))


@pytest.mark.parametrize("way", ["read", "transaction"])
async def test_a_connection_that_never_answers_is_not_used_again(database_url: str, way: str) -> None:
    address = urlsplit(database_url)
    async with lossy(address.hostname or "", address.port or 0, losses=0) as network:
        behind = address._replace(netloc=f"{address.username}:{address.password}@{urlsplit(network.url).netloc}")
        async with open_engine(urlunsplit(behind), application="tests", pool_size=1, statement_timeout=0.2) as engine:
            run = getattr(Database(engine), way)
            epoch = await run(lambda uow: uow.inboxes.epoch())
            network.fall_silent()
            with pytest.raises(DatabaseUnavailable):
                await run(lambda uow: uow.inboxes.epoch())

            assert await asyncio.wait_for(run(lambda uow: uow.inboxes.epoch()), 20) == epoch


async def test_a_snapshot_sees_one_state(database: Database, database_url: str) -> None:
    user = new_notification_id()

    async def work(uow: UnitOfWork) -> tuple[int, int]:
        before = (await uow.inboxes.clocks([user]))[user].version
        await fetch(database_url, "INSERT INTO inboxes (user_id, version) VALUES ($1, 5)", user)
        return before, (await uow.inboxes.clocks([user]))[user].version

    assert await database.snapshot(work) == (0, 0)
    assert (await database.read(lambda uow: uow.inboxes.clocks([user])))[user].version == 5


async def test_whoever_is_frozen_with_an_inbox_locked_must_let_go_of_it(database_url: str, database: Database) -> None:
    user = new_notification_id()
    await fetch(database_url, "INSERT INTO inboxes (user_id) VALUES ($1)", user)
    attempts: list[bool] = []
    locked, thawed = asyncio.Event(), asyncio.Event()

    async def freeze(uow: UnitOfWork) -> None:
        inbox = (await uow.inboxes.lock([user]))[user]
        attempts.append(True)
        locked.set()
        await thawed.wait()
        inbox.version += 1

    async with open_engine(database_url, application="tests", idle_timeout=0.2) as engine:
        frozen = asyncio.create_task(Database(engine).transaction(freeze))
        await locked.wait()
        await database.transaction(lambda uow: uow.inboxes.lock([user]))
        thawed.set()
        await frozen

    assert len(attempts) == 2, "what it began was made void, and repeated"
    assert [row["version"] for row in await fetch(database_url, "SELECT version FROM inboxes")] == [1]


async def test_a_transaction_as_a_whole_is_bounded_where_the_server_can_do_it(database_url: str) -> None:
    (version,) = await fetch(database_url, "SHOW server_version_num")
    async with open_engine(database_url, application="tests", statement_timeout=2) as engine, engine.connect() as it:
        found = await it.scalars(text("SELECT setting FROM pg_settings WHERE name = 'transaction_timeout'"))

        assert found.all() == (["3000"] if int(version[0]) >= 170_000 else [])
