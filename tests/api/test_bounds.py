"""How much one credential, and one inbox, may keep open at a time."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from tests.fixtures.calls import NOTIFICATIONS, assert_problem, create
from tests.fixtures.credentials import forge
from tests.fixtures.live import LiveServer, live_settings, serve
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.product import calling, serving
from tests.fixtures.servers import Servers, made_database
from tests.fixtures.streams import TRANSPORTS, Open, Stream
from tests.waiting import eventually, until
from tocsin.bootstrap import Resources
from tocsin.settings import ApiSettings, Settings


async def waiting(app: FastAPI, count: int) -> None:
    resources: Resources = app.state.resources
    await until(lambda: resources.finality.waiters == count)


async def test_a_credential_that_waits_too_often_is_refused_and_others_are_not(
    settings: Settings, service_key: str
) -> None:
    changed = settings.model_copy(update={"api": ApiSettings(max_waits_of_caller=2)})
    async with serving(changed) as app, calling(app, service_key) as api:
        notification = await create(api)
        path = f"{NOTIFICATIONS}/{notification['id']}/status"
        waits = [asyncio.create_task(api.get(path, params={"wait": 20})) for _ in range(2)]
        await waiting(app, 2)

        problem = assert_problem(await api.get(path, params={"wait": 20}), 429, "rate_limited")
        assert problem["violated-policies"] == ["waits"]
        assert (await api.get(path)).status_code == 200
        async with calling(app, forge(settings, sub=notification["user_id"])) as user:
            others = asyncio.create_task(user.get(path, params={"wait": 20}))
            await waiting(app, 3)
            app.state.resources.finality.close()
            answers = [await wait for wait in (*waits, others)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_where_too_many_wait_another_is_told_to_come_back(settings: Settings, service_key: str) -> None:
    changed = settings.model_copy(update={"api": ApiSettings(max_waits=1)})
    async with serving(changed) as app, calling(app, service_key) as api:
        path = f"{NOTIFICATIONS}/{(await create(api))['id']}/status"
        wait = asyncio.create_task(api.get(path, params={"wait": 20}))
        await waiting(app, 1)

        response = await api.get(path, params={"wait": 20})
        assert_problem(response, 503, "overloaded")
        assert response.headers["Retry-After"]
        app.state.resources.finality.close()
        assert (await wait).status_code == 200


@pytest.fixture(scope="module")
def small_server(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One with three streams for an inbox."""
    with made_database(servers) as database_url:
        log = tmp_path_factory.mktemp("small") / "log"
        with serve(live_settings(database_url, servers.redis_url), log, STREAM__MAX_PER_INBOX="3") as it:
            yield it


@pytest.fixture(params=TRANSPORTS)
def open_stream(request: pytest.FixtureRequest) -> Open:
    return TRANSPORTS[request.param]


async def open_all(stack: AsyncExitStack, server: LiveServer, user: UUID, open_stream: Open) -> list[Stream]:
    """Open as many streams as an inbox may have. They end when nobody refers to them any more."""
    streams = [await stack.enter_async_context(open_stream(server.url, user, server.service_key)) for _ in range(3)]
    assert [(await stream.next())["type"] for stream in streams] == ["hello"] * 3
    return streams


async def test_an_inbox_with_all_its_streams_gets_no_other_and_keeps_none_from_others(
    small_server: LiveServer, open_stream: Open
) -> None:
    user = uuid4()
    async with AsyncExitStack() as stack:
        streams = await open_all(stack, small_server, user, open_stream)
        async with TRANSPORTS["websocket"](small_server.url, user, small_server.service_key) as refused:
            (message,) = await refused.rest()
        assert (message["code"], message["reason"]) == (4004, "too_many_streams")
        assert message["retry_after"] >= 25
        assert "3 streams" in message["detail"]
        async with httpx2.AsyncClient(
            verify=NO_TLS, headers={"Authorization": f"Bearer {small_server.service_key}"}
        ) as client:
            response = await client.get(f"{small_server.url}/api/v1/inboxes/{user}/events")
        assert_problem(response, 429, "too_many_streams")
        streams += await open_all(stack, small_server, uuid4(), open_stream)
        assert len(streams) == 6

    async def is_room() -> bool:
        async with open_stream(small_server.url, user, small_server.service_key) as stream:
            return bool((await stream.next())["type"] == "hello")

    await eventually(is_room)
