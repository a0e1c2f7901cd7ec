"""Streams over a real server: what both transports promise alike."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, create
from tests.fixtures.live import LiveServer
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.streams import TRANSPORTS, Json, Open, Stream


@pytest.fixture(params=TRANSPORTS)
def open_stream(request: pytest.FixtureRequest) -> Open:
    return TRANSPORTS[request.param]


@pytest.fixture
async def live(live_server: LiveServer) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls the server with a key that allows everything."""
    headers = {"Authorization": f"Bearer {live_server.service_key}"}
    async with httpx2.AsyncClient(verify=NO_TLS, base_url=live_server.url, headers=headers, timeout=30) as client:
        yield client


async def create_many(live: httpx2.AsyncClient, user_id: object, count: int) -> list[Json]:
    items = [{"user_id": str(user_id), "title": f"Title {n}", "text": "Text"} for n in range(count)]
    response = await live.post(f"{NOTIFICATIONS}/batch", json={"items": items})
    assert response.status_code == 201, response.text
    return list(response.json()["items"])


async def position_of(live: httpx2.AsyncClient, user_id: object) -> str:
    return str((await live.get(f"{INBOXES}/{user_id}")).json()["position"])


async def take(stream: Stream, count: int) -> list[Json]:
    return [await stream.next() for _ in range(count)]


def version_of(message: Json) -> int:
    return int(message["position"].partition(".")[2])


async def test_who_comes_without_a_position_learns_where_the_inbox_is(
    live: httpx2.AsyncClient, live_server: LiveServer, open_stream: Open
) -> None:
    user = uuid4()
    await create_many(live, user, 2)

    async with open_stream(live_server.url, user, live_server.service_key) as stream:
        hello = await stream.next()

    inbox = (await live.get(f"{INBOXES}/{user}")).json()
    assert hello == {
        "type": "hello",
        "position": inbox["position"],
        "unread": inbox["unread"],
        "recovered": False,
    }


async def test_every_change_comes_as_it_happens_and_as_the_detail_shows_it(
    live: httpx2.AsyncClient, live_server: LiveServer, open_stream: Open
) -> None:
    user = uuid4()
    async with open_stream(live_server.url, user, live_server.service_key) as stream:
        await stream.next()
        notification = await create(live, user)
        created = await stream.next()
        path = f"{NOTIFICATIONS}/{notification['id']}"
        assert created["type"] == "change"
        assert created["notification"] == (await live.get(path)).json()
        assert created["unread"] == {"total": 1, "critical": 0, "warning": 0, "info": 0, "unjudged": 1}

        await live.post(f"{path}/read")
        assert (await stream.next())["notification"] == (await live.get(path)).json()
        await live.delete(path)
        deleted = await stream.next()

    assert deleted["notification"]["deleted_at"]
    assert deleted["notification"]["text"] == ""
    assert version_of(deleted) == 3


async def test_who_comes_back_gets_what_was_missed_and_then_goes_on(
    live: httpx2.AsyncClient, live_server: LiveServer, open_stream: Open
) -> None:
    user = uuid4()
    await create_many(live, user, 1)
    position = await position_of(live, user)
    missed = await create_many(live, user, 250)
    await live.post(f"{NOTIFICATIONS}/{missed[0]['id']}/read")

    async with open_stream(live_server.url, user, live_server.service_key, since=position) as stream:
        hello, *changes = await take(stream, 251)
        live_one = await create(live, user)
        after = await stream.next()

    assert (hello["type"], hello["position"], hello["recovered"]) == ("hello", position, True)
    assert [change["notification"]["id"] for change in changes] == [item["id"] for item in (*missed[1:], missed[0])]
    assert [version_of(change) for change in changes] == [*range(3, 253)]
    assert after["notification"]["id"] == live_one["id"]


@pytest.mark.parametrize("since", ["0" * 32 + ".0", "{epoch}.99", "{epoch}.0"])
async def test_a_position_that_cannot_be_served_is_a_reset(
    live: httpx2.AsyncClient, live_server: LiveServer, open_stream: Open, since: str
) -> None:
    user = uuid4()
    if since == "{epoch}.0":
        await create_many(live, user, 1000)
    await create_many(live, user, 1)
    position = await position_of(live, user)

    since = since.format(epoch=position.partition(".")[0])
    async with open_stream(live_server.url, user, live_server.service_key, since=since) as stream:
        hello, reset = await take(stream, 2)
        await create(live, user)
        change = await stream.next()

    assert (hello["type"], hello["position"], hello["recovered"]) == ("hello", position, False)
    assert (reset["type"], reset["position"]) == ("reset", position)
    assert (change["type"], version_of(change)) == ("change", version_of(reset) + 1)


async def test_more_than_a_hundred_changes_at_once_are_a_reset(
    live: httpx2.AsyncClient, live_server: LiveServer, open_stream: Open
) -> None:
    user = uuid4()
    async with open_stream(live_server.url, user, live_server.service_key) as stream:
        await stream.next()
        await create_many(live, user, 100)
        hundred = await take(stream, 100)
        await create_many(live, user, 101)
        reset = await stream.next()

    assert {message["type"] for message in hundred} == {"change"}
    assert (reset["type"], version_of(reset), reset["unread"]["total"]) == ("reset", 201, 201)


async def test_all_who_listen_are_told_and_those_of_other_inboxes_are_not(
    live: httpx2.AsyncClient, live_server: LiveServer, open_stream: Open
) -> None:
    user, other = uuid4(), uuid4()
    url, key = live_server.url, live_server.service_key
    async with (
        open_stream(url, user, key) as one,
        open_stream(url, user, key) as two,
        open_stream(url, other, key) as s,
    ):
        await asyncio.gather(one.next(), two.next(), s.next())
        first = await create(live, user)
        second = await create(live, other)

        assert (await one.next())["notification"]["id"] == first["id"]
        assert (await two.next())["notification"]["id"] == first["id"]
        assert (await s.next())["notification"]["id"] == second["id"]
