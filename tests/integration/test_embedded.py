"""The embedded servers, for real: every test starts its own, and none leaves one behind."""

import contextlib
import socket
from pathlib import Path

import asyncpg
import pytest
import redis

from tests.fixtures.statements import query
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.embedded.valkey import EmbeddedValkey

pytestmark = pytest.mark.timeout(120)


def test_both_serve_and_ask_for_the_password(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as postgres, EmbeddedValkey(tmp_path) as valkey:
        assert query(postgres.url, "SELECT current_database()") == "tocsin"
        with redis.Redis.from_url(valkey.url) as client:
            assert client.ping()

        with pytest.raises(asyncpg.InvalidPasswordError):
            query(postgres.url.replace(postgres.password, "wrong"), "SELECT 1")
        with redis.Redis(port=valkey.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_the_service_is_no_superuser_but_may_make_databases(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        query(postgres.url, "CREATE DATABASE another")

        assert query(postgres.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert query(postgres.admin_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


def test_only_what_expires_is_evicted(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
        assert int(client.config_get("maxmemory")["maxmemory"]) > 0


def test_a_second_start_has_the_same_data_and_address(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        first = postgres.url
        query(first, "CREATE TABLE kept (value int)", "INSERT INTO kept VALUES (42)")

    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert postgres.url == first
        assert query(postgres.url, "SELECT value FROM kept") == 42


def test_a_port_that_was_taken_since_it_was_chosen_is_left_alone(tmp_path: Path) -> None:
    postgres, valkey = EmbeddedPostgres(tmp_path, durable=False), EmbeddedValkey(tmp_path)
    with contextlib.ExitStack() as cleanup:
        for server in (postgres, valkey):
            cleanup.callback(server.close)
            server.prepare()
            cleanup.enter_context(socket.create_server(("127.0.0.1", server.port)))
            server.start()

        assert query(postgres.url, "SELECT 42") == 42
        with redis.Redis.from_url(valkey.url) as client:
            assert client.ping()


def test_an_outage_can_be_played(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as postgres, EmbeddedValkey(tmp_path) as valkey:
        before = postgres.url, valkey.url
        query(postgres.url, "CREATE TABLE kept (value int)", "INSERT INTO kept VALUES (42)")

        postgres.kill()
        valkey.kill()
        with pytest.raises(ConnectionRefusedError):
            query(postgres.url, "SELECT 1")
        postgres.start()
        valkey.start()

        assert (postgres.url, valkey.url) == before
        assert query(postgres.url, "SELECT value FROM kept") == 42


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
def test_durability_is_a_choice(tmp_path: Path, durable: bool, fsync: str) -> None:
    with EmbeddedPostgres(tmp_path, durable=durable) as postgres:
        assert query(postgres.url, "SHOW fsync") == fsync


def test_secrets_are_for_the_owner_alone(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False), EmbeddedValkey(tmp_path):
        pass

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    commands = [EmbeddedPostgres(tmp_path).command, EmbeddedValkey(tmp_path).command]
    password = (tmp_path / "postgres-password").read_text().strip()
    assert all(password not in argument for command in commands for argument in command.argv)
