"""Commands on a database without tables, with those of an older version, and without a database."""

import json

import pytest
from pydantic import SecretStr

from tests.fixtures.commands import tocsin
from tests.fixtures.servers import Servers
from tocsin.bootstrap import require_schema
from tocsin.embedded.ports import find_free_port
from tocsin.repositories import schema
from tocsin.repositories.engine import open_engine
from tocsin.repositories.schema_revisions import is_behind, known_revisions
from tocsin.settings import DatabaseSettings, Settings

WITHOUT_TABLES = "tocsin: The database has not the tables of this version. Run `tocsin migrate` first.\n"
UNREACHABLE = "tocsin: The database cannot be reached; try again.\n"


def variables(database_url: str, servers: Servers) -> dict[str, str]:
    return {
        "TOCSIN_SECRET": "s" * 40,
        "TOCSIN_DATABASE__URL": database_url,
        "TOCSIN_REDIS__BROKER_URL": servers.redis_url,
        "TOCSIN_LOG__FORMAT": "json",
    }


@pytest.mark.parametrize(
    "command", [["serve", "--port", "0"], ["worker"], ["keys", "list"], ["restored"]], ids=" ".join
)
def test_nothing_begins_without_tables_and_it_is_said_in_a_line(
    servers: Servers, bare_url: str, command: list[str]
) -> None:
    done = tocsin(*command, variables=variables(bare_url, servers))

    assert (done.returncode, done.stdout, done.stderr) == (2, "", WITHOUT_TABLES)


async def test_a_schema_is_behind_until_it_has_all_revisions_and_a_later_one_does_no_harm(bare_url: str) -> None:
    async with open_engine(bare_url, application="tests") as engine:
        assert await is_behind(engine)
        await schema.upgrade(engine, "0001")
        assert await is_behind(engine)
        await schema.upgrade(engine)
        assert not await is_behind(engine)
        async with engine.begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'of the future'")
        assert not await is_behind(engine)


@pytest.mark.parametrize("command", [["migrate"], ["serve", "--migrate"], ["keys", "list"], ["restored"]], ids=" ".join)
def test_a_database_that_cannot_be_reached_is_told_in_a_line(servers: Servers, command: list[str]) -> None:
    nowhere = f"postgresql://tocsin@127.0.0.1:{find_free_port('127.0.0.1')}/tocsin"

    done = tocsin(*command, variables=variables(nowhere, servers))

    assert (done.returncode, done.stdout, done.stderr) == (2, "", UNREACHABLE)


async def test_a_start_makes_the_tables_that_are_missing_if_it_is_told_to(bare_url: str, settings: Settings) -> None:
    bare = settings.model_copy(update={"database": DatabaseSettings(url=SecretStr(bare_url))})

    await require_schema(bare, migrate=True)

    await require_schema(bare)


def test_each_migration_is_told_in_a_line_and_nothing_else(servers: Servers, bare_url: str) -> None:
    done = tocsin("migrate", variables=variables(bare_url, servers) | {"TOCSIN_LOG__FORMAT": "json"})

    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["revision"]) for line in told] == [
        ("migration_applied", it) for it in known_revisions()
    ]
    assert told[0]["what"] == "Make the tables."
