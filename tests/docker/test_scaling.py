"""More containers, others in their place, and the end of each."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user
from tests.waiting import elapse, eventually, until
from tocsin.client import TocsinClient
from tocsin.client.models import Change
from tocsin.client.retries import RetryPolicy

_PROGRAMS = 8
_PAUSE = 0.1


@pytest.fixture
def unscaled(stack: Stack) -> Iterator[Stack]:
    """What is one of each again when the test is over."""
    yield stack
    stack.up("--no-recreate")


@asynccontextmanager
async def load(url: str, key: str, user: str) -> AsyncIterator[list[str]]:
    """Create notifications as a few programs do, and yield the list of their ids, which grows."""
    made: list[str] = []
    over = asyncio.Event()

    async def program(client: TocsinClient) -> None:
        while not over.is_set():
            made.append(str((await client.create(user, "A test", "all is well")).id))
            await elapse(_PAUSE)

    policy = RetryPolicy(deadline=60, attempt=15)
    async with TocsinClient(url, key, policy=policy) as client, asyncio.TaskGroup() as programs:
        for _ in range(_PROGRAMS):
            programs.create_task(program(client))
        try:
            await until(lambda: len(made) >= _PROGRAMS)
            yield made
        finally:
            over.set()


async def test_calls_and_work_are_spread_over_all_containers(unscaled: Stack, api: Api) -> None:
    unscaled.up("--no-recreate", "--scale", "api=2", "--scale", "worker=4")
    users = [new_user() for _ in range(4)]

    async def probe() -> bool:
        await asyncio.gather(*(api.create(user) for user in users for _ in range(25)))
        found = {part: len(busy(unscaled, part)) for part in ("api", "worker")}
        return found == {"api": 2, "worker": 4}

    await eventually(probe, 60)
    for user in users:
        made = (await api.inbox(user))["unread"]["total"]
        await api.all_completed(user, made)


def busy(stack: Stack, service: str) -> set[str]:
    """Return the containers whose logs tell of work that came from outside."""
    sign = {"api": '"path": "/api/v1/notifications"', "worker": '"event": "notification_judged"'}[service]
    lines = stack.logs(service).splitlines()
    return {line.partition(" ")[0] for line in lines if sign in line}


async def test_a_rolling_restart_under_load_loses_nothing(unscaled: Stack, url: str, key: str, api: Api) -> None:
    unscaled.up("--no-recreate", "--scale", "api=2", "--scale", "worker=2")
    before = {service: set(unscaled.ids(service)) for service in ("api", "worker")}
    user = new_user()
    seen: set[str] = set()

    async def listen(client: TocsinClient) -> None:
        async for message in client.stream(user):
            if isinstance(message, Change):
                seen.add(str(message.notification.id))

    async with TocsinClient(url, key) as client:
        listening = asyncio.create_task(listen(client))
        async with load(url, key, user) as made:
            await asyncio.to_thread(unscaled.run_script, "deploy/rolling-restart", "api", "worker", within=400)
            enough = len(made) + 5 * _PROGRAMS
            await until(lambda: len(made) >= enough)
        items = await api.all_completed(user, len(made))
        await until(lambda: seen >= set(made), 60)
        listening.cancel()

    assert {item["id"] for item in items} == set(made), "each was made once, and none is lost"
    after = {service: set(unscaled.ids(service)) for service in before}
    assert {service: len(ids) for service, ids in after.items()} == {"api": 2, "worker": 2}
    assert not any(before[service] & after[service] for service in before), "all were replaced"


@pytest.mark.parametrize(
    ("service", "within"),
    [("api", 15), ("worker", 15), ("mock-ai", 15), ("proxy", 15), ("postgres", 60), ("redis", 10), ("cache", 10)],
)
async def test_each_part_ends_by_itself_when_it_is_told_to(service: str, within: int, stack: Stack, api: Api) -> None:
    await api.create(new_user())
    container = stack.id(service)

    # Compose sends the signal, waits for the grace of the part, and then kills: with exit code 137.
    stack.compose("stop", service, within=within + 30)

    state = stack.inspect(container)["State"]
    stack.up("--no-recreate")
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False), json.dumps(state)


async def test_data_and_secrets_survive_down_and_up(stack: Stack, api: Api) -> None:
    user = new_user()
    kept = await api.create(user)
    token = (await api.send("POST", f"/inboxes/{user}/tokens", json={})).json()["token"]

    stack.compose("down")
    stack.up()

    shown = await api.send("GET", f"/notifications/{kept['id']}", {"Authorization": f"Bearer {token}"})
    assert shown.json()["id"] == kept["id"], "the same key signs, and the same database answers"
    await api.all_completed(user, 1)
