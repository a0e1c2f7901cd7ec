"""What `tocsin up` refuses, each with one clear line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.processes import is_alive
from tests.fixtures.up import Start

pytestmark = pytest.mark.timeout(120)


def refuse(*arguments: str, **environment: str) -> str:
    """Run the command as a user would, expect it to refuse, and return the one line it says."""
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "up", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        line = refuse("--port", str(port), "--data-dir", str(tmp_path))

    assert f"port {port} on 127.0.0.1 is taken: choose another with --port" in line


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    assert "cannot listen on 192.0.2.1" in refuse("--host", "192.0.2.1", "--data-dir", str(tmp_path))


def test_a_folder_in_use_is_refused(start: Start, tmp_path: Path) -> None:
    up = start().ready()

    line = refuse("--port", "0", "--data-dir", str(tmp_path / "data"))

    assert f"in use by process {up.process.pid}" in line
    assert all(is_alive(pid) for pid in up.status["pids"].values())


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot write to the data folder" in refuse("--data-dir", str(tmp_path / "file" / "below"))


def test_delays_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    assert "--ai-delay" in refuse("--ai-delay", "3", "1", "--data-dir", str(tmp_path))
