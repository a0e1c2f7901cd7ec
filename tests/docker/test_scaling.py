"""More containers: calls, work and streams are spread over all of them."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user
from tests.fixtures.streams import TRANSPORTS
from tests.waiting import eventually

_APIS, _WORKERS = 2, 4


@pytest.fixture(scope="module")
def scaled(stack: Stack) -> Iterator[Stack]:
    """What has more of its parts, and one of each again afterwards."""
    # Word for word what the documents tell.
    stack.up("--scale", f"api={_APIS}", "--scale", f"worker={_WORKERS}")
    yield stack
    stack.scale(api=1, worker=1)


async def test_calls_and_work_are_spread_over_all_containers(scaled: Stack, api: Api) -> None:
    users = [new_user() for _ in range(4)]

    async def probe() -> bool:
        await asyncio.gather(*(api.create(user) for user in users for _ in range(25)))
        found = {part: len(busy(scaled, part)) for part in ("api", "worker")}
        return found == {"api": _APIS, "worker": _WORKERS}

    await eventually(probe, 120)
    for user in users:
        made = (await api.inbox(user))["unread"]["total"]
        await api.all_completed(user, made)


def busy(stack: Stack, service: str) -> set[str]:
    """Return the containers whose logs tell of work that came from outside."""
    sign = {"api": '"path": "/api/v1/notifications"', "worker": '"event": "notification_judged"'}[service]
    lines = stack.logs(service).splitlines()
    return {line.partition(" ")[0] for line in lines if sign in line}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_stream_hears_of_what_another_container_did(
    transport: str, scaled: Stack, url: str, key: str, api: Api
) -> None:
    user = new_user()
    async with AsyncExitStack() as opened:
        streams = [await opened.enter_async_context(TRANSPORTS[transport](url, user, key)) for _ in range(6)]
        for stream in streams:
            assert (await stream.next())["type"] == "hello"
        listened = [open_streams(scaled, container) for container in scaled.ids("api")]

        created = await api.create(user, "an error")

        for stream in streams:
            message = await stream.next()
            while message["notification"]["processing_status"] != "completed":
                message = await stream.next()
            assert message["notification"]["id"] == created["id"]
    assert sum(listened) == len(streams)
    assert all(listened), "each container has some of them"


def open_streams(stack: Stack, container: str) -> int:
    """Return how many streams a container of the API serves, by its own metrics."""
    code = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
    lines = stack.docker("exec", container, "python", "-c", code).splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith("tocsin_streams{")))
