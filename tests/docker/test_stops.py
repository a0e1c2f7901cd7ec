"""All of it is told to stop while it works: each part ends by itself, in order, and what it keeps is there again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user

_PARTS = ("proxy", "api", "worker", "mock-ai", "postgres", "redis", "cache")
_T = TypeVar("_T")


@dataclass
class Night:
    """What was there before, and how each part ended."""

    user: str
    made: list[str]
    token: str
    ends: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def night(stack: Stack, url: str, key: str) -> Night:
    """Down and up again, as an operator does it for a night."""
    user = new_user()

    async def begin(api: Api) -> tuple[list[str], str]:
        made = await api.create_many(user, ["all is well"] * 50)
        return made, (await api.send("POST", f"/inboxes/{user}/tokens", json={})).json()["token"]

    made, token = call(url, key, begin)
    # Compose sends the signal, waits for the grace of the part, and then kills: with exit code 137.
    stack.compose("stop", within=180)
    ends = {part: stack.inspect(container)["State"] for part in _PARTS for container in stack.ids(part, "--all")}
    stack.compose("down")
    stack.up()
    return Night(user, made, token, ends)


def call(url: str, key: str, what: Callable[[Api], Awaitable[_T]]) -> _T:
    async def connected() -> _T:
        async with httpx2.AsyncClient(timeout=30) as http:
            return await what(Api(http, url, key))

    return asyncio.run(connected())


def test_each_part_ends_by_itself_when_it_is_told_to(night: Night) -> None:
    ended = {part: (state["Status"], state["ExitCode"], state["OOMKilled"]) for part, state in night.ends.items()}

    assert ended == dict.fromkeys(_PARTS, ("exited", 0, False))


def test_what_others_need_ends_after_them(night: Night) -> None:
    at = {part: state["FinishedAt"] for part, state in night.ends.items()}

    assert at["proxy"] < at["api"]
    assert max(at["api"], at["worker"]) < min(at["postgres"], at["redis"], at["cache"])


async def test_data_and_secrets_survive_down_and_up(night: Night, api: Api) -> None:
    headers = {"Authorization": f"Bearer {night.token}"}
    shown = await api.send("GET", f"/notifications/{night.made[0]}", headers)

    assert shown.json()["id"] == night.made[0], "the same key signs, and the same database answers"
    items = await api.all_completed(night.user, len(night.made))
    assert {item["id"] for item in items} == set(night.made), "what was not judged by the evening is judged now"
