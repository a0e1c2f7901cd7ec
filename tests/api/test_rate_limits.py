"""What callers notice of the rate limits."""

import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Stored, assert_problem, create, draft
from tests.fixtures.credentials import BODIES, CALLS, OPEN, OWNER, QUERIES, call, forge
from tests.fixtures.limits import Limited, limits_of
from tests.fixtures.product import MakeKey
from tocsin.models.api_key import Scope
from tocsin.settings import Settings


async def test_every_call_with_a_credential_tells_how_it_stands_and_no_other_does(
    client: httpx2.AsyncClient, api: httpx2.AsyncClient, settings: Settings
) -> None:
    own = {"POST": "write", "DELETE": "write", "GET": "read"}
    for name, statuses in CALLS.items():
        notification = await create(api, OWNER)
        kind = "analysis" if name.endswith("/analysis") else own[name.split()[0]]
        names_inbox = "user_id" in name or name in BODIES or name in QUERIES

        response = await call(client, name, api.headers["Authorization"], notification["id"])
        assert response.status_code == statuses[0], name
        expected = [f"key-{kind}", f"inbox-{kind}"] if names_inbox else [f"key-{kind}"]
        assert list(limits_of(response)) == expected, name

        response = await call(client, name, f"Bearer {forge(settings)}", notification["id"])
        assert ("RateLimit" in response.headers) == (statuses[3] < 400), name
        if statuses[3] < 400:
            assert list(limits_of(response)) == [f"inbox-{kind}"], name

        response = await call(client, name, None, notification["id"])
        assert "RateLimit" not in response.headers, name
    for name in OPEN:
        response = await call(client, name, api.headers["Authorization"], "")
        assert "RateLimit" not in response.headers, name


async def test_what_is_left_is_told_down_to_nothing_and_then_the_call_is_refused_and_changes_nothing(
    limited: Limited, stored: Stored
) -> None:
    async with limited(key_write=3, inbox_write=0) as api:
        left = [limits_of(await api.post(NOTIFICATIONS, json=draft())) for _ in range(3)]
        before = await stored()
        response = await api.post(NOTIFICATIONS, json=draft())

    assert left == [{"key-write": (2, 20)}, {"key-write": (1, 40)}, {"key-write": (0, 60)}]
    problem = assert_problem(response, 429, "rate_limited")
    assert problem["violated-policies"] == ["key-write"]
    assert "'key-write' (3 a minute)" in problem["detail"]
    seconds = int(response.headers["Retry-After"])
    assert 0 < seconds <= 20
    assert f"in {seconds} s" in problem["detail"]
    assert limits_of(response) == {"key-write": (0, seconds)}
    assert await stored() == before


async def test_reads_writes_and_analyses_are_counted_apart(limited: Limited) -> None:
    async with limited(key_read=1, key_write=1, key_analysis=1) as api:
        notification = await create(api)
        calls = [
            ("POST", NOTIFICATIONS, draft()),
            ("GET", f"{NOTIFICATIONS}/{notification['id']}", None),
            ("POST", f"{NOTIFICATIONS}/{notification['id']}/analysis", None),
        ]
        first = [(await api.request(method, path, json=body)).status_code for method, path, body in calls]
        second = [(await api.request(method, path, json=body)).status_code for method, path, body in calls]

    assert first == [429, 200, 202]
    assert second == [429, 429, 429]


async def test_an_inbox_has_a_limit_that_all_keys_share(limited: Limited, keys: MakeKey) -> None:
    user, other = await keys(*Scope), uuid4()
    async with limited(inbox_write=2) as api:
        for key in (api.headers["Authorization"], f"Bearer {user}"):
            headers = {"Authorization": key}
            assert (await api.post(NOTIFICATIONS, json=draft(OWNER), headers=headers)).status_code == 201
        response = await api.post(NOTIFICATIONS, json=draft(OWNER))
        assert assert_problem(response, 429)["violated-policies"] == ["inbox-write"]
        passed = await api.post(NOTIFICATIONS, json=draft(other))

    assert passed.status_code == 201
    key = base64.b64encode(other.bytes).decode()
    assert f'"inbox-write";r=1;t=30;pk=:{key}:' in passed.headers["RateLimit"]


async def test_programs_cannot_keep_a_user_from_his_inbox_nor_he_them(limited: Limited, settings: Settings) -> None:
    token = {"Authorization": f"Bearer {forge(settings)}"}
    async with limited(inbox_write=2) as api:
        notification = await create(api, OWNER)
        read = f"{NOTIFICATIONS}/{notification['id']}/read"
        await create(api, OWNER)
        assert_problem(await api.post(NOTIFICATIONS, json=draft(OWNER)), 429)
        marked = [(await api.post(read, headers=token)).status_code for _ in range(3)]

    assert marked == [200, 200, 429]


async def test_another_token_of_the_same_inbox_has_the_same_limit(limited: Limited, settings: Settings) -> None:
    async with limited(inbox_read=2) as api:
        codes = []
        for seconds in range(3):
            token = forge(settings, iat=seconds)
            response = await api.get(NOTIFICATIONS, headers={"Authorization": f"Bearer {token}"})
            codes.append(response.status_code)
        others = await api.get(NOTIFICATIONS, headers={"Authorization": f"Bearer {forge(settings, sub=str(uuid4()))}"})

    assert codes == [200, 200, 429]
    assert others.status_code == 200


async def test_a_batch_counts_as_many_as_it_has(limited: Limited, stored: Stored) -> None:
    batch = f"{NOTIFICATIONS}/batch"
    async with limited(key_write=10, inbox_write=6) as api:
        first = await api.post(batch, json={"items": [draft(OWNER)] * 4 + [draft(), draft()]})
        before = await stored()
        too_many_for_one = await api.post(batch, json={"items": [draft(OWNER)] * 3})
        too_many = await api.post(batch, json={"items": [draft() for _ in range(5)]})
        assert await stored() == before
        fits = await api.post(batch, json={"items": [draft() for _ in range(4)]})

    assert first.status_code == 201
    assert limits_of(first) == {"key-write": (4, 36), "inbox-write": (2, 40)}
    assert assert_problem(too_many_for_one, 429)["violated-policies"] == ["inbox-write"]
    assert assert_problem(too_many, 429)["violated-policies"] == ["key-write"]
    assert limits_of(too_many)["key-write"][0] == 4
    assert fits.status_code == 201


async def test_a_batch_that_could_never_pass_is_bad_input(limited: Limited) -> None:
    async with limited(key_write=10, inbox_write=6) as api:
        response = await api.post(f"{NOTIFICATIONS}/batch", json={"items": [draft(OWNER)] * 7})

    problem = assert_problem(response, 422, "invalid_input")
    assert problem["errors"] == [
        {
            "in": "body",
            "pointer": "/items",
            "detail": "must not have more items for one inbox than the limit 'inbox-write' allows: 6 a minute",
        }
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"hello", "headers": {"Content-Type": "text/plain"}},
        {"json": {"titel": "x"}},
        {"json": draft(), "params": {"what": 1}},
        {"json": draft(text="x" * 300_000)},
    ],
)
async def test_wrong_input_counts_too(limited: Limited, wrong: dict[str, Any]) -> None:
    async with limited(key_write=2) as api:
        codes = [(await api.post(NOTIFICATIONS, **wrong)).status_code for _ in range(4)]

    assert codes[0] == codes[1] in {400, 413, 415, 422}
    assert codes[2:] == [429, 429]


async def test_calls_that_are_not_allowed_cost_nothing(limited: Limited, keys: MakeKey) -> None:
    async with limited(await keys(Scope.READ), key_write=1, key_read=1) as api:
        for _ in range(3):
            response = await api.post(NOTIFICATIONS, json=draft())
            assert_problem(response, 403)
            assert "RateLimit" not in response.headers
        assert (await api.get(NOTIFICATIONS)).status_code == 200


async def test_who_is_to_come_back_later_is_told_so_before_his_body_is_read(limited: Limited) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"title": '
        raise AssertionError("it was read on")

    async with limited(key_write=1) as api:
        await create(api)
        assert_problem(await api.post(NOTIFICATIONS, json=draft()), 429)
        response = await api.post(NOTIFICATIONS, content=body(), headers={"Content-Type": "application/json"})

    assert_problem(response, 429)


async def test_an_etag_stays_what_it_is_and_304_tells_how_it_stands(api: httpx2.AsyncClient) -> None:
    await create(api, OWNER)
    for path in (f"{NOTIFICATIONS}?user_id={OWNER}", f"{INBOXES}/{OWNER}"):
        first = await api.get(path)
        again = await api.get(path, headers={"If-None-Match": first.headers["ETag"]})

        assert again.status_code == 304
        assert again.headers["ETag"] == first.headers["ETag"]
        assert limits_of(again)["key-read"][0] <= limits_of(first)["key-read"][0]


async def test_head_is_a_read(limited: Limited) -> None:
    async with limited(key_read=1, inbox_read=0) as api:
        response = await api.head(NOTIFICATIONS)
        assert limits_of(response) == {"key-read": (0, 60)}
        assert (await api.head(NOTIFICATIONS)).status_code == 429


async def test_keys_do_not_share_a_limit(limited: Limited, keys: MakeKey) -> None:
    other = await keys(*Scope)
    async with limited(key_write=1) as api:
        await create(api)
        assert_problem(await api.post(NOTIFICATIONS, json=draft()), 429)
        response = await api.post(NOTIFICATIONS, json=draft(), headers={"Authorization": f"Bearer {other}"})

    assert response.status_code == 201


async def test_a_name_that_is_no_id_is_refused_as_such(limited: Limited) -> None:
    async with limited(inbox_read=1) as api:
        for _ in range(3):
            assert_problem(await api.get(f"{INBOXES}/nonsense"), 422)
            assert_problem(await api.get(NOTIFICATIONS, params={"user_id": "nonsense"}), 422)
