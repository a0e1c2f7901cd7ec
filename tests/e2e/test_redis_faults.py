"""Redis flushed, killed, frozen and never there: it is a doorbell, and nothing but speed depends on it."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from redis.asyncio import Redis

from tests.e2e.api import Api, new_user
from tests.e2e.crew import Crew
from tests.e2e.test_worker_faults import SIGTERM_WITHIN
from tests.e2e.up import Up
from tests.fixtures.processes import is_alive, paused
from tests.waiting import until
from tocsin.embedded.ports import find_free_port

pytestmark = pytest.mark.timeout(180)

BACKLOG = 80


async def test_a_backlog_survives_that_redis_is_flushed(up: Up, http: httpx2.AsyncClient) -> None:
    api, user = up.api(http), new_user()
    with paused(up.pids["worker"]):
        await asyncio.gather(*(api.create(user) for _ in range(BACKLOG)))
        async with Redis.from_url(up.status["redis_url"]) as redis:
            assert await redis.llen("tocsin.analysis") > 0
            await redis.flushall()

    await api.all_completed(user, BACKLOG)


async def test_a_backlog_survives_the_death_of_redis(up: Up, http: httpx2.AsyncClient) -> None:
    api, user = up.api(http), new_user()
    with paused(up.pids["worker"]):
        await asyncio.gather(*(api.create(user) for _ in range(BACKLOG)))
        pid = up.kill_part("valkey")

    await asyncio.gather(*(api.create(user) for _ in range(BACKLOG)))
    await up.replaces("valkey", pid)
    await api.all_completed(user, 2 * BACKLOG)
    await up.is_well(http)
    assert (await api.get(f"/notifications/{(await api.create(user))['id']}/status", wait=30))["tries"] == 1
    assert "Connection to broker lost" in up.output
    assert "Warning: " not in up.output, "what libraries tell their programmers is nothing for operators"


async def test_what_is_no_message_is_passed_over(up: Up, http: httpx2.AsyncClient) -> None:
    api, user, worker = up.api(http), new_user(), up.pids["worker"]
    rubbish = [b"rubbish", b"\xff\xfe", b"7", b"[1, 2]", b"{}", b'{"properties": {}, "headers": 7, "body": "?"}']
    async with Redis.from_url(up.status["redis_url"]) as redis:
        await redis.lpush("tocsin.analysis", *rubbish)

        await asyncio.gather(*(api.create(user) for _ in range(20)))
        await api.all_completed(user, 20)
        assert await redis.llen("tocsin.analysis") == 0

    assert up.pids["worker"] == worker
    assert up.output.count("message_dropped") >= 5


async def test_with_redis_frozen_everything_works_and_afterwards_too(up: Up, http: httpx2.AsyncClient) -> None:
    api, user = up.api(http), new_user()
    with paused(up.pids["valkey"]):
        made = [await api.create(user) for _ in range(20)]
        assert len(await api.all(user)) == 20
        assert (await api.get(f"/notifications/{made[0]['id']}"))["id"] == made[0]["id"]
        assert (await api.post(f"/notifications/{made[0]['id']}/read"))["read_at"]
        assert (await api.inbox(user))["unread"]["total"] == 19
        assert (await http.get(f"{api.url}/readyz")).json()["status"] == "degraded"
        await api.all_completed(user, 20)

    await up.is_well(http)
    await api.create(user)
    await api.all_completed(user, 21)


async def test_without_any_redis_everything_works(crew: Crew, api: Api, http: httpx2.AsyncClient) -> None:
    nowhere = f"redis://127.0.0.1:{find_free_port('127.0.0.1')}/0"
    _, ai = await crew.mock_ai(http)
    _, url = await crew.api(REDIS__BROKER_URL=nowhere)
    worker = await crew.worker(ai, REDIS__BROKER_URL=nowhere)
    api, user = api.at(url), new_user()

    await asyncio.gather(*(api.create(user) for _ in range(20)))
    await api.all_completed(user, 20)

    assert (await http.get(f"{url}/readyz")).json()["status"] == "degraded"
    worker.send(signal.SIGTERM)
    assert await worker.ends(SIGTERM_WITHIN) == 0


async def test_a_worker_can_be_stopped_while_redis_is_frozen(up: Up, http: httpx2.AsyncClient) -> None:
    worker = up.pids["worker"]
    with paused(up.pids["valkey"]):
        os.kill(worker, signal.SIGTERM)
        await until(lambda: not is_alive(worker), SIGTERM_WITHIN)

    await up.replaces("worker", worker)
    assert "worker died (exit 0)" in up.output
    api, user = up.api(http), new_user()
    await api.create(user)
    await api.all_completed(user, 1)


async def test_a_worker_that_starts_while_redis_is_frozen_works_and_can_be_stopped(
    crew: Crew, api: Api, http: httpx2.AsyncClient
) -> None:
    _, ai = await crew.mock_ai(http)
    with frozen_server() as url:
        worker = await crew.worker(ai, REDIS__BROKER_URL=url)
        user = new_user()
        await api.create_many(user, ["all is well"] * 3)

        await api.all_completed(user, 3)
        worker.send(signal.SIGTERM)

        assert await worker.ends(SIGTERM_WITHIN) == 0


@contextmanager
def frozen_server() -> Iterator[str]:
    """A Redis as it looks when its process is stopped: connections are made and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
