"""The schema: up, down, up again, and equal to the models."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.fixtures.posting import fetch
from tests.fixtures.servers import Servers, made_database
from tocsin.repositories import schema
from tocsin.repositories.engine import open_engine

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture
def bare_url(servers: Servers) -> Iterator[str]:
    """A database in which nothing was ever done."""
    with made_database(servers, bare=True) as url:
        yield url


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
