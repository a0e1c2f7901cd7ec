"""Who may call what: every call with every kind of credential."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Stored, assert_problem, create
from tests.fixtures.credentials import CALLS, FORGERS, HOLDERS, OPEN, OWNER, STRANGERS, all_credentials, call, forge
from tests.fixtures.product import MakeKey, calling
from tocsin.bootstrap import Resources
from tocsin.controllers.guard import GuardedRoute
from tocsin.models.api_key import Scope
from tocsin.settings import Settings


async def test_every_call_admits_just_those_credentials_that_the_table_says(
    client: httpx2.AsyncClient,
    api: httpx2.AsyncClient,
    settings: Settings,
    resources: Resources,
    keys: MakeKey,
    service_key: str,
    stored: Stored,
) -> None:
    credentials = await all_credentials(settings, resources, keys, service_key)
    assert credentials.keys() == {*STRANGERS, *FORGERS, *HOLDERS}
    wrong = []
    for name, expected in CALLS.items():
        statuses = dict.fromkeys((*STRANGERS, *FORGERS), 401) | dict(zip(HOLDERS, expected, strict=True))
        for kind, status in statuses.items():
            notification = await create(api, OWNER)
            before = await stored()
            response = await call(client, name, credentials[kind], notification["id"])
            if response.status_code != status:
                wrong.append(f"{name} with {kind}: {response.status_code} instead of {status}")
            elif status >= 400:
                assert_problem(response, status)
                assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
                assert await stored() == before, f"{name} with {kind} changed something"
    assert wrong == []


async def test_every_call_is_in_the_table(client: httpx2.AsyncClient, app: FastAPI) -> None:
    document = (await client.get("/openapi.json")).json()

    listed = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}

    assert listed == CALLS.keys() | OPEN
    unguarded = {
        context.path
        for context in iter_route_contexts(app.routes)
        if not isinstance(context.original_route, GuardedRoute)
    }
    assert unguarded == {
        "/",
        "/docs",
        "/docs/assets",
        "/docs/start.js",
        "/openapi.json",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/inboxes/{user_id}/stream",
        "/web/{name}",
    }


async def test_operators_need_no_credential(client: httpx2.AsyncClient) -> None:
    for name in sorted(OPEN):
        assert (await call(client, name, None, "")).status_code == 200, name


async def test_a_stranger_learns_nothing_of_what_is_wrong_with_his_input(client: httpx2.AsyncClient) -> None:
    json = {"Content-Type": "application/json"}
    answers = [
        await client.post(NOTIFICATIONS, json={"titel": 1}),
        await client.post(NOTIFICATIONS, content=b"{", headers=json),
        await client.post(NOTIFICATIONS, content=b"hello", headers={"Content-Type": "text/plain"}),
        await client.post(NOTIFICATIONS),
        await client.get(NOTIFICATIONS, params={"limit": -1, "what": 1}),
        await client.get(f"{NOTIFICATIONS}/not-an-id"),
        await client.get(f"{INBOXES}/not-an-id/changes", params={"since": "x"}),
    ]

    for response in answers:
        assert "errors" not in assert_problem(response, 401, "unauthenticated")


async def test_who_may_not_call_learns_so_before_his_body_is_read(
    app: FastAPI, keys: MakeKey, settings: Settings
) -> None:
    read_only, token = await keys(Scope.READ), forge(settings)
    for credential, path in (
        (read_only, NOTIFICATIONS),
        (read_only, f"{NOTIFICATIONS}/batch"),
        (read_only, f"{NOTIFICATIONS}/read"),
        (read_only, f"{INBOXES}/{OWNER}/tokens"),
        (token, NOTIFICATIONS),
        (token, f"{NOTIFICATIONS}/batch"),
        (token, f"{INBOXES}/{OWNER}/tokens"),
    ):
        async with calling(app, credential) as it:
            response = await it.post(path, content=b"{", headers={"Content-Type": "application/json"})
        assert_problem(response, 403, "forbidden")


async def test_two_credentials_are_refused_even_if_both_are_good(client: httpx2.AsyncClient, service_key: str) -> None:
    for other in (service_key, "garbage"):
        headers = [("Authorization", f"Bearer {service_key}"), ("Authorization", f"Bearer {other}")]

        problem = assert_problem(await client.get(NOTIFICATIONS, headers=headers), 400, "malformed_request")

        assert "'Authorization' once" in problem["detail"]


async def test_an_expired_token_is_told_apart_so_that_a_page_can_renew_it(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    token = forge(settings, exp=datetime.now(UTC) - timedelta(seconds=1))

    response = await client.get(NOTIFICATIONS, headers={"Authorization": f"Bearer {token}"})

    assert_problem(response, 401, "token_expired")


async def test_what_belongs_to_another_looks_like_what_is_not_there(
    app: FastAPI, api: httpx2.AsyncClient, settings: Settings
) -> None:
    notification = await create(api, OWNER)
    async with calling(app, forge(settings, sub=str(uuid4()))) as other:
        theirs = assert_problem(await other.get(f"{NOTIFICATIONS}/{notification['id']}"), 404)
        nothing = assert_problem(await other.get(f"{NOTIFICATIONS}/{uuid4()}"), 404)

    different = {"request_id", "instance"}
    assert {k: v for k, v in theirs.items() if k not in different} == {
        k: v for k, v in nothing.items() if k not in different
    }


async def test_a_revoked_key_stops_at_once(app: FastAPI, resources: Resources) -> None:
    key, secret = await resources.access.create_key("tests", list(Scope))
    async with calling(app, secret) as it:
        assert (await it.get(NOTIFICATIONS)).status_code == 200
        await resources.access.revoke_key(key.id)
        assert_problem(await it.get(NOTIFICATIONS), 401, "unauthenticated")


async def test_a_minted_token_works_in_its_inbox_until_it_expires(
    app: FastAPI, api: httpx2.AsyncClient, settings: Settings
) -> None:
    minted = (await api.post(f"{INBOXES}/{OWNER}/tokens", json={"ttl": 60})).json()

    expires_in = datetime.fromisoformat(minted["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=55) < expires_in <= timedelta(seconds=60)
    async with calling(app, minted["token"]) as it:
        assert (await it.get(NOTIFICATIONS)).status_code == 200
        assert (await it.get(f"{INBOXES}/{OWNER}")).status_code == 200
        assert_problem(await it.get(f"{INBOXES}/{uuid4()}"), 404, "not_found")


async def test_without_a_wish_a_token_lives_as_long_as_the_service_is_set_to(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    for body in ({}, {"ttl": None}):
        minted = (await api.post(f"{INBOXES}/{OWNER}/tokens", json=body)).json()
        expires_in = datetime.fromisoformat(minted["expires_at"]) - datetime.now(UTC)
        assert abs(expires_in.total_seconds() - settings.api.token_ttl) < 5
    assert (await api.post(f"{INBOXES}/{OWNER}/tokens")).status_code == 201
