"""Embedded servers where something is in the way: another owner, what an owner left, data that cannot be used."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.fixtures.processes import is_alive, kill
from tests.fixtures.statements import query
from tests.waiting import until_blocking
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.embedded.server import EmbeddedServer
from tocsin.embedded.valkey import EmbeddedValkey
from tocsin.errors import ConfigurationError, StartFailed

pytestmark = pytest.mark.timeout(120)


def prepared_process(server: EmbeddedServer) -> "subprocess.Popen[bytes]":
    """Run a prepared server as a process that the server object knows nothing of."""
    process = subprocess.Popen(
        server.command.launch_argv(),
        cwd=server.command.cwd,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until_blocking(lambda: server.is_ready(process.pid))
    return process


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
        until_blocking(lambda: not any(map(is_alive, pids)))
    finally:
        kill(*pids)


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
