"""`tocsin up` with real servers: what it starts, gives to its programs, keeps, and leaves behind."""

import json
import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import redis

from tests.fixtures.processes import is_alive
from tests.fixtures.up import Start, Up
from tests.waiting import until_blocking

pytestmark = pytest.mark.timeout(120)


def environment_of(up: Up) -> dict[str, str]:
    with urlopen(f"{up.status['url']}/environment", timeout=5) as answer:
        return dict(json.load(answer))


def test_it_runs_all_parts_and_stops_them(start: Start) -> None:
    up = start().ready()
    status = up.status
    children = up.descendants()

    assert set(status) == {"url", "service_key", "inbox_url", "pids", "database_url", "redis_url", "mock_ai_url"}
    assert set(status["pids"]) == {"api", "worker", "mock-ai", "postgres", "valkey"}
    assert all(is_alive(pid) for pid in status["pids"].values())
    assert status["service_key"].startswith("tcs_")
    assert up.status_file.stat().st_mode & 0o777 == 0o600
    until_blocking(lambda: "Ctrl-C stops it" in up.output)
    assert f"{status['url']}/docs" in up.output
    assert status["service_key"] in up.output
    assert status["inbox_url"] == f"{status['url']}/#token=a-token"
    assert status["inbox_url"] in up.output

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
    assert environment["TOCSIN_AI__URL"] == f"{up.status['mock_ai_url']}/analyze"
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
    assert up.status["mock_ai_url"] is None
    assert environment["TOCSIN_DATABASE__URL"] == up.status["database_url"], "and never another one"
    assert "TOCSIN_REDIS__CACHE_URL" not in environment
    assert "TOCSIN_DATABASE__URL is not used" in up.output


def test_a_second_start_goes_on_with_the_same_data(start: Start) -> None:
    first = start().ready()
    before, secret = first.status, environment_of(first)["TOCSIN_SECRET"]
    assert first.interrupt(signal.SIGTERM) == 0

    second = start().ready()

    assert {name: second.status[name] for name in ("service_key", "database_url", "redis_url")} == {
        name: before[name] for name in ("service_key", "database_url", "redis_url")
    }
    assert environment_of(second)["TOCSIN_SECRET"] == secret
    assert "first start" not in second.output


def test_a_port_that_somebody_takes_meanwhile_is_left_to_him(start: Start, tmp_path: Path) -> None:
    up = start()
    # It is chosen, and looked at again, before the database is made, which takes a while.
    until_blocking((tmp_path / "data" / "postgres.new").exists)
    port = int((tmp_path / "data" / "postgres-port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        up.ready()

        assert urlsplit(up.status["database_url"]).port != port
        assert "starting anew" in up.output


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

    until_blocking(lambda: up.status["pids"].get("worker", worker) != worker)
    assert "up       | worker died (SIGKILL), starting it again in 0.5 s" in up.output


def test_servers_that_die_come_back_at_the_same_address(start: Start) -> None:
    up = start().ready()
    before = up.status

    for name in ("postgres", "valkey"):
        os.kill(before["pids"][name], signal.SIGKILL)

    until_blocking(lambda: all(f"{name} is back" in up.output for name in ("postgres", "valkey")))
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

    until_blocking(lambda: not any(is_alive(child.pid) and child.is_running() for child in children))
    until_blocking(lambda: again.status_file.exists() and again.status["pids"] != {})
    until_blocking(lambda: "Ctrl-C stops it" in again.output)
    assert again.process.poll() is None
    assert again.interrupt() == 0


def test_a_second_interrupt_hurries(start: Start) -> None:
    up = start(STANDIN_HANG="worker").ready()
    until_blocking(lambda: "worker hangs" in up.output)
    children = up.descendants()

    up.process.send_signal(signal.SIGINT)
    until_blocking(lambda: "once more to hurry" in up.output)
    assert up.interrupt() == 0

    assert not any(child.is_running() for child in children)


def test_it_can_be_stopped_while_it_starts(start: Start) -> None:
    up = start(STANDIN_HANG="keys")
    until_blocking(lambda: "keys hangs" in up.output)
    children = up.descendants()

    up.process.send_signal(signal.SIGINT)
    until_blocking(lambda: "once more to hurry" in up.output)

    assert up.interrupt() == 0
    assert not any(child.is_running() for child in children)
