"""PostgreSQL goes and comes back: every call says so, nothing is half written, and no restart is needed."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import SecretStr

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, assert_problem, create, draft
from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.product import calling, serving
from tests.fixtures.streams import TRANSPORTS, open_socket
from tests.waiting import eventually, until
from tocsin.bootstrap import build_access, migrate_database, open_database
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.models.api_key import Scope
from tocsin.settings import DatabaseSettings, Settings


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server that this test may kill; a durable one, since others forget what they committed last."""
    with EmbeddedPostgres(tmp_path) as it:
        yield it


@pytest.fixture
async def mortal(settings: Settings, postgres: EmbeddedPostgres) -> Settings:
    """Settings of a service on `postgres`."""
    database = DatabaseSettings(url=SecretStr(postgres.url), pool_size=4, pool_timeout=2)
    changed = settings.model_copy(update={"database": database})
    await migrate_database(changed)
    return changed


async def make_key(settings: Settings) -> str:
    async with open_database(settings, "tests") as database:
        return (await build_access(settings, database).create_key("tests", list(Scope)))[1]


async def assert_all_calls_are_unavailable(api: httpx2.AsyncClient) -> None:
    path, inbox = f"{NOTIFICATIONS}/{uuid4()}", f"{INBOXES}/{uuid4()}"
    calls: list[tuple[str, str, object]] = [
        ("POST", NOTIFICATIONS, draft()),
        ("POST", f"{NOTIFICATIONS}/batch", {"items": [draft()]}),
        ("GET", NOTIFICATIONS, None),
        ("GET", f"{NOTIFICATIONS}?user_id={uuid4()}", None),
        ("POST", f"{NOTIFICATIONS}/read", {"user_id": str(uuid4())}),
        ("GET", path, None),
        ("DELETE", path, None),
        ("GET", f"{path}/status?wait=30", None),
        *(("POST", f"{path}/{name}", None) for name in ("read", "unread", "analysis", "restore")),
        ("GET", inbox, None),
        ("GET", f"{inbox}/changes", None),
        ("POST", f"{inbox}/tokens", None),
        ("GET", "/readyz", None),
    ]
    for method, url, body in calls:
        problem = assert_problem(await api.request(method, url, json=body), 503, "database_unavailable")
        assert "try again" in problem["detail"], url
    response = await api.get(NOTIFICATIONS)
    assert int(response.headers["Retry-After"]) >= 1
    assert (await api.get("/livez")).status_code == 200
    assert (await api.get("/metrics")).status_code == 200


async def test_every_call_says_that_it_is_gone_and_works_again_when_it_is_back(
    mortal: Settings, postgres: EmbeddedPostgres
) -> None:
    async with serving(mortal) as app, calling(app, await make_key(mortal)) as api:
        kept = await create(api)
        token = (await api.post(f"{INBOXES}/{kept['user_id']}/tokens")).json()["token"]

        postgres.kill()
        await assert_all_calls_are_unavailable(api)
        async with calling(app, token) as reader:
            assert_problem(await reader.get(NOTIFICATIONS), 503, "database_unavailable")
        postgres.start()

        await eventually(lambda: is_ready(api))
        assert (await api.get(f"{NOTIFICATIONS}/{kept['id']}")).json() == kept
        await asyncio.gather(*(create(api) for _ in range(20)))
        assert len((await api.get(NOTIFICATIONS, params={"limit": "100"})).json()["items"]) == 21


async def test_whoever_waits_or_listens_outlives_an_outage(mortal: Settings, postgres: EmbeddedPostgres) -> None:
    key, user = await make_key(mortal), uuid4()
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(live_app(mortal))
        headers = {"Authorization": f"Bearer {key}"}
        api = await stack.enter_async_context(
            httpx2.AsyncClient(verify=NO_TLS, base_url=live.url, headers=headers, timeout=40)
        )
        notification = await create(api, user)
        path = f"{NOTIFICATIONS}/{notification['id']}"
        waiting = asyncio.create_task(api.get(f"{path}/status?wait=30"))
        opened = [await stack.enter_async_context(it(live.url, user, key)) for it in TRANSPORTS.values()]
        assert [(await stream.next())["type"] for stream in opened] == ["hello", "hello"]
        await until(lambda: live.resources.finality.waiters)

        postgres.kill()
        assert_problem(await api.get(NOTIFICATIONS), 503)
        await assert_nobody_can_listen(live, api, user, key)
        postgres.start()
        await eventually(lambda: is_ready(api))

        assert (await api.delete(path)).status_code == 204
        assert (await asyncio.wait_for(waiting, 20)).status_code == 404
        for stream in opened:
            change = await stream.next()
            assert (change["type"], change["notification"]["version"]) == ("change", 2)


async def assert_nobody_can_listen(live: LiveApp, api: httpx2.AsyncClient, user: UUID, key: str) -> None:
    async with open_socket(live.url, user, key) as stream:
        (close,) = await stream.rest()
    assert (close["code"], close["reason"], close["position"]) == (4002, "unavailable", None)
    assert close["retry_after"] >= 1
    assert_problem(await api.get(f"{INBOXES}/{user}/events"), 503, "database_unavailable")


async def test_it_may_start_before_its_database(mortal: Settings, postgres: EmbeddedPostgres) -> None:
    key = await make_key(mortal)
    postgres.stop()
    async with serving(mortal) as app, calling(app, key) as api:
        assert_problem(await api.get("/readyz"), 503, "database_unavailable")
        assert_problem(await api.post(NOTIFICATIONS, json=draft()), 503, "database_unavailable")
        postgres.start()

        await eventually(lambda: is_ready(api))
        await create(api)


async def is_ready(api: httpx2.AsyncClient) -> bool:
    return (await api.get("/readyz")).status_code == 200
