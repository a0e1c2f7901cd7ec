"""Service keys that get a new secret, and keys that come to their end."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi import FastAPI

from tests.fixtures.calls import NOTIFICATIONS, assert_problem, draft
from tests.fixtures.clock import Clock
from tests.fixtures.posting import fetch
from tests.fixtures.product import calling, serving
from tocsin.bootstrap import build_access, open_database
from tocsin.errors import InvalidInput, NotFound
from tocsin.models.api_key import Scope
from tocsin.services.access import AccessService
from tocsin.settings import Settings

DAY = timedelta(days=1)


@pytest.fixture
async def app(settings: Settings, clock: Clock) -> AsyncIterator[FastAPI]:
    async with serving(settings, clock) as it:
        yield it


@pytest.fixture
async def access(settings: Settings, clock: Clock) -> AsyncIterator[AccessService]:
    """What `tocsin keys` works with: in another process than the API."""
    async with open_database(settings, "tests") as database:
        yield build_access(settings, database, clock)


async def status(app: FastAPI, secret: str) -> int:
    async with calling(app, secret) as it:
        response = await it.get(NOTIFICATIONS)
    if response.status_code != 200:
        assert_problem(response, 401, "unauthenticated")
    return response.status_code


async def test_after_a_rotation_both_secrets_work_until_the_grace_is_over(
    app: FastAPI, access: AccessService, clock: Clock
) -> None:
    key, old = await access.create_key("billing", [Scope.READ])
    rotated, new = await access.rotate_key(key.id, DAY)

    assert (rotated.id, rotated.name, rotated.scopes) == (key.id, "billing", ["notifications:read"])
    assert new != old
    assert [await status(app, secret) for secret in (old, new)] == [200, 200]

    clock.now += DAY - timedelta(seconds=1)
    assert [await status(app, secret) for secret in (old, new)] == [200, 200]
    clock.now += timedelta(seconds=1)
    assert [await status(app, secret) for secret in (old, new)] == [401, 200]


async def test_without_a_grace_the_secret_of_before_ends_at_once(app: FastAPI, access: AccessService) -> None:
    key, old = await access.create_key("billing", list(Scope))
    _, new = await access.rotate_key(key.id, timedelta())

    assert [await status(app, secret) for secret in (old, new)] == [401, 200]


async def test_a_rotation_that_was_made_twice_by_mistake_locks_nobody_out(app: FastAPI, access: AccessService) -> None:
    key, first = await access.create_key("billing", list(Scope))
    _, second = await access.rotate_key(key.id, DAY)
    _, third = await access.rotate_key(key.id, DAY)

    assert [await status(app, secret) for secret in (first, second, third)] == [200, 200, 200]


async def test_no_earlier_secret_outlives_the_grace_of_the_last_rotation(
    app: FastAPI, access: AccessService, clock: Clock
) -> None:
    key, first = await access.create_key("billing", list(Scope))
    other, kept = await access.create_key("other", list(Scope))
    await access.rotate_key(other.id, DAY)
    _, second = await access.rotate_key(key.id, DAY)
    _, third = await access.rotate_key(key.id, timedelta(hours=1))

    clock.now += timedelta(hours=1)
    assert [await status(app, secret) for secret in (first, second, third, kept)] == [401, 401, 200, 200]

    _, fourth = await access.rotate_key(key.id, DAY)
    _, fifth = await access.rotate_key(key.id, timedelta())
    assert [await status(app, secret) for secret in (third, fourth, fifth, kept)] == [401, 401, 200, 200]


async def test_a_repeat_with_the_new_secret_is_known_as_one(app: FastAPI, access: AccessService) -> None:
    key, old = await access.create_key("billing", list(Scope))
    body, headers = draft(uuid4()), {"Idempotency-Key": "order-4711"}
    async with calling(app, old) as it:
        first = await it.post(NOTIFICATIONS, json=body, headers=headers)
    _, new = await access.rotate_key(key.id, DAY)
    async with calling(app, new) as it:
        again = await it.post(NOTIFICATIONS, json=body, headers=headers)

    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]


async def test_revoking_a_key_ends_all_of_its_secrets(app: FastAPI, access: AccessService) -> None:
    key, old = await access.create_key("billing", list(Scope))
    _, new = await access.rotate_key(key.id, DAY)
    await access.revoke_key(key.id)

    assert [await status(app, secret) for secret in (old, new)] == [401, 401]


async def test_a_key_that_expires_stops_then_and_so_does_its_former_secret(
    app: FastAPI, access: AccessService, clock: Clock
) -> None:
    key, old = await access.create_key("trial", list(Scope), clock.now + timedelta(hours=1))
    _, new = await access.rotate_key(key.id, DAY)
    assert [await status(app, secret) for secret in (old, new)] == [200, 200]

    clock.now += timedelta(hours=1)
    assert [await status(app, secret) for secret in (old, new)] == [401, 401]


async def test_a_key_that_is_over_gets_no_new_secret(access: AccessService, clock: Clock) -> None:
    revoked, _ = await access.create_key("revoked", list(Scope))
    await access.revoke_key(revoked.id)
    expired, _ = await access.create_key("expired", list(Scope), clock.now + timedelta(seconds=1))
    clock.now += timedelta(seconds=2)

    for key in (revoked, expired):
        with pytest.raises(InvalidInput, match="revoked or has expired"):
            await access.rotate_key(key.id, DAY)
    with pytest.raises(NotFound):
        await access.rotate_key(uuid4(), DAY)
    with pytest.raises(InvalidInput, match="expired already"):
        await access.create_key("late", list(Scope), clock.now)


async def test_what_is_kept_of_former_secrets_is_their_hash_and_only_while_they_are_good(
    access: AccessService, clock: Clock, database_url: str
) -> None:
    key, old = await access.create_key("billing", list(Scope))
    await access.rotate_key(key.id, DAY)
    (listed,) = await access.list_keys()
    assert listed.former_until == clock.now + DAY
    (row,) = await fetch(database_url, "SELECT t::text FROM api_key_former_hashes t")
    assert old not in row[0]

    clock.now += DAY
    (listed,) = await access.list_keys()
    assert listed.former_until is None
    await access.rotate_key(key.id, timedelta())
    assert await fetch(database_url, "SELECT 1 FROM api_key_former_hashes") == []


async def test_the_use_of_a_former_secret_is_a_use_of_its_key(app: FastAPI, access: AccessService) -> None:
    key, old = await access.create_key("billing", list(Scope))
    await access.rotate_key(key.id, DAY)
    await status(app, old)

    (listed,) = await access.list_keys()
    assert listed.key.last_used_at is not None
