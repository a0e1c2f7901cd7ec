"""The schema: up, down, up again, and equal to the models."""

import asyncio

import asyncpg
import pytest

from tests.fixtures.posting import fetch
from tests.waiting import eventually
from tocsin.errors import DatabaseUnavailable
from tocsin.repositories import schema
from tocsin.repositories.engine import open_engine

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
WAITING = "SELECT virtualtransaction FROM pg_locks WHERE relation = 'alembic_version'::regclass AND NOT granted"


async def test_up_down_and_up_again_ends_at_what_the_models_say(bare_url: str) -> None:
    async with open_engine(bare_url, application="tests") as engine:
        await schema.upgrade(engine)
        await schema.check(engine)
        made = await fetch(bare_url, TABLES)

        await schema.downgrade(engine, "base")
        assert [row[0] for row in await fetch(bare_url, TABLES)] == ["alembic_version"]

        await schema.upgrade(engine)
        await schema.check(engine)
        assert await fetch(bare_url, TABLES) == made


async def test_migrating_from_several_places_at_once_makes_the_schema_once(bare_url: str) -> None:
    async with open_engine(bare_url, application="tests") as engine:
        await asyncio.gather(*(schema.upgrade(engine) for _ in range(4)))

        await schema.check(engine)
    assert len(await fetch(bare_url, "SELECT * FROM epoch")) == 1


async def test_each_database_has_an_epoch_of_its_own(bare_url: str, database_url: str) -> None:
    async with open_engine(bare_url, application="tests") as engine:
        await schema.upgrade(engine)

    assert await fetch(bare_url, "SELECT value FROM epoch") != await fetch(database_url, "SELECT value FROM epoch")


async def test_a_migration_that_waits_for_a_lock_lets_others_pass_and_tries_again(bare_url: str) -> None:
    async with open_engine(bare_url, application="tests", lock_timeout=0.3) as engine:
        await schema.upgrade(engine)
        await schema.downgrade(engine, "base")
        holder = await asyncpg.connect(bare_url)
        try:
            held = holder.transaction()
            await held.start()
            await holder.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
            migration = asyncio.create_task(schema.upgrade(engine, pause=0.01))
            seen: set[str] = set()

            async def two_attempts_waited() -> bool:
                seen.update(row[0] for row in await fetch(bare_url, WAITING))
                return len(seen) > 1

            await eventually(two_attempts_waited, 30)
            assert not migration.done()
            await held.rollback()
            await migration
        finally:
            await holder.close()

        await schema.check(engine)


async def test_a_migration_for_which_a_lock_is_never_free_says_so_and_keeps_what_it_did(bare_url: str) -> None:
    async with open_engine(bare_url, application="tests", lock_timeout=0.01) as engine:
        await schema.upgrade(engine)
        holder = await asyncpg.connect(bare_url)
        try:
            async with holder.transaction():
                await holder.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(DatabaseUnavailable, match="keep a table locked"):
                    await schema.upgrade(engine, pause=0)
        finally:
            await holder.close()
        await schema.upgrade(engine)
