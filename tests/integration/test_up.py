"""`tocsin up` with real servers; stand-ins take the place of the programs of the service."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

import psutil
import pytest
import redis

pytestmark = pytest.mark.timeout(120)

_DRIVER = """
import os, sys
from pathlib import Path
from tocsin.cli.up import UpOptions, run_up
options = UpOptions(host="127.0.0.1", port=0, data_dir=Path(sys.argv[1]))
run_up(options, os.environ, (sys.executable, sys.argv[2]))
"""
_STANDIN = Path(__file__).with_name("standin.py")


def wait_until(condition: Callable[[], bool], within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Up:
    """One run of it on ``data_dir``, with what it wrote in ``output``."""

    def __init__(self, data_dir: Path, screen: IO[bytes], environment: dict[str, str]) -> None:
        self.status_file = data_dir / "up.json"
        self._screen = Path(screen.name)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, str(data_dir), str(_STANDIN)],
            env=inherited | environment,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
        )

    @property
    def output(self) -> str:
        return self._screen.read_text()

    @property
    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.status_file.read_text()))

    def ready(self) -> "Up":
        wait_until(lambda: self.status_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output
        return self

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(30)


Start = Callable[..., Up]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `tocsin up` in a folder of the test; all that is left of it at the end is ended."""
    runs: list[Up] = []

    def start(folder: str = "data", **environment: str) -> Up:
        with (tmp_path / f"screen-{len(runs)}").open("wb") as screen:
            runs.append(Up(tmp_path / folder, screen, environment))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(60)


def environment_of(up: Up) -> dict[str, str]:
    with urlopen(f"{up.status['url']}/environment", timeout=5) as answer:
        return dict(json.load(answer))


def test_it_runs_all_parts_and_stops_them(start: Start) -> None:
    up = start().ready()
    status = up.status
    children = up.descendants()

    assert set(status) == {"url", "service_key", "pids", "database_url", "redis_url"}
    assert set(status["pids"]) == {"api", "worker", "mock-ai", "postgres", "valkey"}
    assert all(is_alive(pid) for pid in status["pids"].values())
    assert status["service_key"].startswith("tcs_")
    assert up.status_file.stat().st_mode & 0o777 == 0o600
    wait_until(lambda: "Ctrl-C stops it" in up.output)
    assert f"{status['url']}/docs" in up.output
    assert status["service_key"] in up.output

    assert up.interrupt() == 0
    assert not any(child.is_running() for child in children)
    assert not up.status_file.exists()


def test_programs_get_what_they_need_from_the_environment(start: Start) -> None:
    up = start().ready()

    environment = environment_of(up)

    assert environment["TOCSIN_DATABASE__URL"] == up.status["database_url"]
    assert environment["TOCSIN_REDIS__BROKER_URL"] == up.status["redis_url"]
    assert len(environment["TOCSIN_SECRET"]) >= 32
    assert environment["TOCSIN_AI__URL"] == f"http://127.0.0.1:{environment['TOCSIN_MOCK_AI__PORT']}/analyze"
    assert (environment["TOCSIN_MOCK_AI__DELAY_MIN"], environment["TOCSIN_MOCK_AI__DELAY_MAX"]) == ("1", "3")


def test_what_the_user_has_set_wins(start: Start) -> None:
    up = start(
        TOCSIN_SECRET="mine" * 10,
        TOCSIN_AI__CONCURRENCY="7",
        TOCSIN_AI__URL="https://ai.example/analyze",
        TOCSIN_DATABASE__URL="postgresql://elsewhere/production",
        TOCSIN_REDIS__CACHE_URL="redis://elsewhere",
    ).ready()

    environment = environment_of(up)

    assert environment["TOCSIN_SECRET"] == "mine" * 10
    assert environment["TOCSIN_AI__CONCURRENCY"] == "7"
    assert environment["TOCSIN_AI__URL"] == "https://ai.example/analyze"
    assert "mock-ai" not in up.status["pids"], "nobody would ask it"
    assert environment["TOCSIN_DATABASE__URL"] == up.status["database_url"], "and never another one"
    assert "TOCSIN_REDIS__CACHE_URL" not in environment
    assert "TOCSIN_DATABASE__URL is not used" in up.output


def test_a_second_start_goes_on_with_the_same_data(start: Start) -> None:
    first = start().ready()
    before, secret = first.status, environment_of(first)["TOCSIN_SECRET"]
    assert first.interrupt(signal.SIGTERM) == 0

    began = time.monotonic()
    second = start().ready()
    took = time.monotonic() - began

    assert took < 5
    assert {name: second.status[name] for name in ("service_key", "database_url", "redis_url")} == {
        name: before[name] for name in ("service_key", "database_url", "redis_url")
    }
    assert environment_of(second)["TOCSIN_SECRET"] == secret
    assert "first start" not in second.output


def test_a_new_database_gets_a_new_key(start: Start, tmp_path: Path) -> None:
    first = start().ready()
    key = first.status["service_key"]
    assert first.interrupt() == 0
    (tmp_path / "data" / "postgres").rename(tmp_path / "gone")

    assert start().ready().status["service_key"] != key


def test_two_run_side_by_side(start: Start) -> None:
    one, two = start("one"), start("two")

    one.ready()
    two.ready()

    assert one.status["url"] != two.status["url"]
    assert not set(one.status["pids"].values()) & set(two.status["pids"].values())
    assert one.interrupt() == 0
    assert all(is_alive(pid) for pid in two.status["pids"].values())


def test_a_part_that_dies_comes_back_and_is_written_down(start: Start) -> None:
    up = start().ready()
    worker = up.status["pids"]["worker"]

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: up.status["pids"].get("worker", worker) != worker)
    assert "up       | worker died (SIGKILL), starting it again in 0.5 s" in up.output


def test_servers_that_die_come_back_at_the_same_address(start: Start) -> None:
    up = start().ready()
    before = up.status

    for name in ("postgres", "valkey"):
        os.kill(before["pids"][name], signal.SIGKILL)

    wait_until(lambda: all(f"{name} is back" in up.output for name in ("postgres", "valkey")))
    assert up.status["database_url"] == before["database_url"]
    with redis.Redis.from_url(up.status["redis_url"]) as client:
        assert client.ping()
    assert up.interrupt() == 0


def test_killed_it_leaves_nothing_and_the_next_start_works(start: Start) -> None:
    up = start().ready()
    children = up.descendants()
    assert len(children) >= 5

    up.process.kill()
    again = start()

    wait_until(lambda: not any(is_alive(child.pid) and child.is_running() for child in children))
    wait_until(lambda: again.status_file.exists() and again.status["pids"] != {})
    wait_until(lambda: "Ctrl-C stops it" in again.output)
    assert again.process.poll() is None
    assert again.interrupt() == 0


def test_a_second_interrupt_hurries(start: Start) -> None:
    up = start(STANDIN_HANG="worker").ready()
    wait_until(lambda: "worker hangs" in up.output)
    children = up.descendants()

    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    wait_until(lambda: "once more to hurry" in up.output)
    assert up.interrupt() == 0

    assert time.monotonic() - began < 8
    assert not any(child.is_running() for child in children)


def test_it_can_be_stopped_while_it_starts(start: Start) -> None:
    up = start(STANDIN_HANG="migrate")
    wait_until(lambda: "migrate hangs" in up.output)
    children = up.descendants()

    up.process.send_signal(signal.SIGINT)
    wait_until(lambda: "once more to hurry" in up.output)

    assert up.interrupt() == 0
    assert not any(child.is_running() for child in children)


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
