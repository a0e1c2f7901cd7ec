"""What operators ask: is it alive, can it work, and what did it count."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, create
from tests.fixtures.product import calling, serving
from tocsin.embedded.ports import find_free_port
from tocsin.settings import RedisSettings, Settings


@pytest.fixture
async def without_redis(settings: Settings, service_key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls an application whose Redis is not there."""
    nowhere = SecretStr(f"redis://127.0.0.1:{find_free_port('127.0.0.1')}/0")
    changed = settings.model_copy(update={"redis": RedisSettings(broker_url=nowhere)})
    async with serving(changed) as app, calling(app, service_key) as it:
        yield it


async def test_a_process_that_answers_is_alive(client: httpx2.AsyncClient) -> None:
    response = await client.get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_with_all_its_servers_it_is_ready(client: httpx2.AsyncClient) -> None:
    response = await client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready", "database": "ok", "redis": "ok"})


async def test_without_redis_it_is_degraded_and_does_all_its_work(without_redis: httpx2.AsyncClient) -> None:
    ready = await without_redis.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["redis"]) == (200, "degraded", "unreachable")

    notification = await create(without_redis)
    path = f"{NOTIFICATIONS}/{notification['id']}"
    for _ in range(3):
        listed = await without_redis.get(NOTIFICATIONS, params={"user_id": notification["user_id"]})
        assert [item["id"] for item in listed.json()["items"]] == [notification["id"]]
    assert (await without_redis.post(f"{path}/read")).status_code == 200
    assert (await without_redis.get(f"{INBOXES}/{notification['user_id']}")).json()["unread"]["total"] == 0
    assert (await without_redis.delete(path)).status_code == 204


def sample(text: str, name: str, **labels: str) -> float:
    """Return the value of one series, 0 if it is not there."""
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if (
            found
            and found[1] == name
            and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")).items()
        ):
            return float(found[3])
    return 0


async def test_requests_are_counted_by_the_template_of_their_path(api: httpx2.AsyncClient) -> None:
    async def count(method: str, route: str, status: int) -> float:
        text = (await api.get("/metrics")).text
        return sample(text, "tocsin_http_requests_total", method=method, route=route, status=str(status))

    notification = await create(api)
    path = f"{NOTIFICATIONS}/{notification['id']}"
    calls = (
        ("GET", path, f"{NOTIFICATIONS}/{{notification_id}}", 200),
        ("HEAD", path, f"{NOTIFICATIONS}/{{notification_id}}", 200),
        ("POST", f"{path}/read", f"{NOTIFICATIONS}/{{notification_id}}/read", 200),
        ("GET", f"{INBOXES}/{uuid4()}", f"{INBOXES}/{{user_id}}", 200),
        ("GET", f"{NOTIFICATIONS}?limit=0", NOTIFICATIONS, 422),
        ("POST", NOTIFICATIONS, NOTIFICATIONS, 422),
        ("GET", f"/nothing/{uuid4()}", "(none)", 404),
        ("GET", "/livez", "/livez", 200),
    )
    for method, url, route, status in calls:
        before = await count(method, route, status)
        assert (await api.request(method, url)).status_code == status
        assert await count(method, route, status) == before + 1, f"{method} {url}"


async def test_methods_that_nobody_serves_share_one_series(api: httpx2.AsyncClient) -> None:
    async def count() -> float:
        text = (await api.get("/metrics")).text
        return sample(text, "tocsin_http_requests_total", method="(other)", route="/livez", status="405")

    before = await count()
    for method in ("BREW", "PROPFIND"):
        assert (await api.request(method, "/livez")).status_code == 405

    assert await count() == before + 2


async def test_metrics_tell_of_no_user(api: httpx2.AsyncClient) -> None:
    notification = await create(api, title="Very private")
    await api.get(f"{NOTIFICATIONS}/{notification['id']}")
    await api.get(f"/nothing/{notification['user_id']}")

    response = await api.get("/metrics")

    assert response.headers["Content-Type"].startswith("text/plain")
    assert sample(response.text, "tocsin_notifications_created_total") >= 1
    for private in (notification["id"], notification["user_id"], "Very private"):
        assert private not in response.text
