"""What the product is for, through the proxy: create, verdict, list, and both streams."""

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user
from tests.fixtures.streams import TRANSPORTS
from tocsin.client import TocsinClient
from tocsin.client.models import Category


def test_a_fresh_clone_is_healthy_after_one_command(stack: Stack) -> None:
    states = {line.split()[0]: line.split()[1] for line in stack.compose("ps", "--format", PS).splitlines()}

    assert states == dict.fromkeys(("proxy", "api", "worker", "mock-ai", "postgres", "redis", "cache"), "healthy")
    assert not (stack.folder / ".env").exists(), "nothing had to be configured"


PS = "{{.Service}} {{.Health}}"


async def test_a_notification_is_judged_and_listed(client: TocsinClient) -> None:
    user = new_user()

    created = await client.create(user, "Backup", "The backup failed: disk full")
    judged = await client.wait(created.id)

    assert judged.category is Category.CRITICAL
    assert [item.id async for item in client.notifications(user_id=user)] == [created.id]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_happens_comes_through_the_proxy_as_it_happens(transport: str, url: str, key: str, api: Api) -> None:
    user = new_user()
    async with TRANSPORTS[transport](url, user, key) as stream:
        assert (await stream.next())["type"] == "hello"

        created = await api.create(user, "an error")

        # A proxy that holds an answer back until it is complete would show nothing of this.
        seen = [await stream.next() for _ in range(2)]
        while seen[-1]["notification"]["processing_status"] != "completed":
            seen.append(await stream.next())
    assert {message["notification"]["id"] for message in seen} == {created["id"]}
    assert seen[-1]["notification"]["category"] == "critical"


async def test_a_browser_comes_through_the_proxy_with_a_token(url: str, api: Api) -> None:
    user = new_user()
    minted = await api.send("POST", f"/inboxes/{user}/stream-tokens")
    assert minted.status_code == 201, minted.text

    headers = {"Origin": url}
    async with TRANSPORTS["websocket"](url, user, headers=headers, token=minted.json()["token"]) as stream:
        assert (await stream.next())["type"] == "hello"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json"])
async def test_pages_come_through_the_proxy(path: str, url: str, http: httpx2.AsyncClient) -> None:
    assert (await http.get(f"{url}{path}", follow_redirects=True)).status_code == 200
