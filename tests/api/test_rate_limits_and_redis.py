"""Where the rate limits are counted: once for all processes, and nowhere without Redis."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from tests.fixtures.calls import NOTIFICATIONS, create, draft
from tests.fixtures.limits import Limited, limits_of
from tests.fixtures.live import LiveServer, live_settings, serve
from tests.fixtures.mute import Mute
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.product import calling, serving
from tests.fixtures.servers import Servers
from tocsin.settings import LimitSettings, Settings


@pytest.fixture
def two_processes(database_url: str, servers: Servers, tmp_path: Path) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two servers on the same database and Redis, that take nine reads a minute from a key."""
    settings = live_settings(database_url, servers.redis_url)
    # Patient with a Redis that is slow because the machine is busy: else they would let callers pass.
    more = {"LIMITS__KEY_READ": "9", "REDIS__CONNECT_TIMEOUT": "10", "REDIS__READ_TIMEOUT": "10"}
    with serve(settings, tmp_path / "one", **more) as one, serve(settings, tmp_path / "other", **more) as other:
        yield one, other


async def test_two_processes_and_many_callers_pass_exactly_as_many_as_the_limit(
    two_processes: tuple[LiveServer, LiveServer],
) -> None:
    headers = {"Authorization": f"Bearer {two_processes[0].service_key}"}
    async with httpx2.AsyncClient(verify=NO_TLS, headers=headers, timeout=30) as client:
        urls = [f"{server.url}{NOTIFICATIONS}" for server in two_processes for _ in range(60)]
        responses = await asyncio.gather(*(client.get(url) for url in urls))

    statuses = [response.status_code for response in responses]
    assert (statuses.count(200), statuses.count(429)) == (9, 111)
    left = sorted(limits_of(response)["key-read"][0] for response in responses if response.status_code == 200)
    assert left == list(range(9))


async def test_a_request_asks_redis_once_however_many_limits_it_falls_under(
    api: httpx2.AsyncClient, cache_url: str
) -> None:
    await create(api)
    async with Redis.from_url(cache_url) as redis:
        await redis.config_resetstat()
        await create(api)
        stats = await redis.info("commandstats")

    assert stats["cmdstat_evalsha"]["calls"] == 1
    assert "cmdstat_eval" not in stats


async def test_without_limits_nothing_is_told_and_redis_is_not_asked(limited: Limited, cache_url: str) -> None:
    none = dict.fromkeys(LimitSettings.model_fields, 0)
    async with limited(**none) as api, Redis.from_url(cache_url) as redis:
        await redis.config_resetstat()
        response = await api.post(NOTIFICATIONS, json=draft())
        stats = await redis.info("commandstats")

    assert response.status_code == 201
    assert "RateLimit" not in response.headers
    assert "RateLimit-Policy" not in response.headers
    assert not {"cmdstat_evalsha", "cmdstat_eval"} & stats.keys()


@pytest.mark.parametrize("frozen", [False, True])
async def test_without_redis_everybody_passes(settings: Settings, service_key: str, frozen: bool) -> None:
    mute = Mute()
    async with mute.listening() as url:
        redis = settings.redis.model_copy(
            update={"cache_url": type(settings.redis.broker_url)(url if frozen else "redis://127.0.0.1:1/0")}
        )
        changed = settings.model_copy(
            update={"redis": redis.model_copy(update={"pause": 60}), "limits": LimitSettings(key_write=1)}
        )
        async with serving(changed) as app, calling(app, service_key) as api:
            responses = await asyncio.gather(*(api.post(NOTIFICATIONS, json=draft()) for _ in range(20)))

    assert {response.status_code for response in responses} == {201}
    assert not any("RateLimit" in response.headers for response in responses)
    assert mute.connections == (1 if frozen else 0)
