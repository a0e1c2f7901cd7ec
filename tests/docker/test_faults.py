"""Parts die, freeze and lose their network; what was accepted is judged all the same."""

import asyncio

import httpx2

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user
from tests.waiting import eventually


async def is_well(http: httpx2.AsyncClient, url: str) -> None:
    async def probe() -> bool:
        answer = await http.get(f"{url}/readyz")
        return answer.status_code == 200 and answer.json()["status"] == "ready"

    await eventually(probe, 60, every=0.3)


async def test_postgres_is_killed(stack: Stack, api: Api, http: httpx2.AsyncClient) -> None:
    user = new_user()
    kept = await api.create(user)

    stack.compose("kill", "postgres")
    refused = await api.try_create(user)
    stack.compose("start", "postgres")

    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert refused.json()["code"] == "database_unavailable"
    await is_well(http, api.url)
    assert (await api.get(f"/notifications/{kept['id']}"))["id"] == kept["id"]
    await api.create(user)
    await api.all_completed(user, 2)


async def test_the_broker_and_the_cache_are_frozen(stack: Stack, api: Api, http: httpx2.AsyncClient) -> None:
    user = new_user()
    with stack.paused("redis"), stack.paused("cache"):
        await asyncio.gather(*(api.create(user) for _ in range(10)))
        await api.all_completed(user, 10)

    await is_well(http, api.url)
    await api.create(user)
    await api.all_completed(user, 11)


async def test_the_cache_is_gone(stack: Stack, api: Api, http: httpx2.AsyncClient) -> None:
    user = new_user()
    stack.compose("stop", "cache")
    try:
        await api.create(user)
        await api.all_completed(user, 1)
        assert (await http.get(f"{api.url}/readyz")).json()["status"] == "ready", "the broker is another server"
    finally:
        stack.compose("start", "cache")


async def test_the_ai_is_cut_off(stack: Stack, api: Api) -> None:
    user = new_user()
    with stack.disconnected("mock-ai"):
        made = [await api.create(user) for _ in range(3)]
        status = await api.get(f"/notifications/{made[0]['id']}/status", wait=2)
        assert status["processing_status"] in ("pending", "processing")

    items = await api.all_completed(user, 3)
    assert {item["id"] for item in items} == {item["id"] for item in made}
