"""Replacing the secret that signs tokens and cursors, one process after the other."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, assert_problem, create
from tests.fixtures.credentials import OWNER, forge
from tests.fixtures.product import calling, serving
from tocsin.settings import Settings


@pytest.fixture
def renewed(settings: Settings) -> Settings:
    """Settings with a new secret, and the old one as the previous."""
    return settings.model_copy(update={"secret": SecretStr(secrets.token_hex(32)), "previous_secret": settings.secret})


async def signed(client: httpx2.AsyncClient) -> tuple[str, str, str]:
    """Return an inbox token, a stream token, and a cursor."""
    for _ in range(2):
        await create(client, OWNER)
    token = (await client.post(f"{INBOXES}/{OWNER}/tokens")).json()["token"]
    stream_token = (await client.post(f"{INBOXES}/{OWNER}/stream-tokens")).json()["token"]
    cursor = (await client.get(NOTIFICATIONS, params={"user_id": str(OWNER), "limit": 1})).json()["next_cursor"]
    return token, stream_token, cursor


async def statuses(app: FastAPI, service_key: str, given: tuple[str, str, str]) -> list[int]:
    token, stream_token, cursor = given
    async with calling(app, token) as it:
        own = (await it.get(NOTIFICATIONS)).status_code
    async with calling(app) as it:
        # HEAD: what GET answers here never ends.
        stream = (await it.head(f"{INBOXES}/{OWNER}/events", params={"token": stream_token})).status_code
    async with calling(app, service_key) as it:
        page = (await it.get(NOTIFICATIONS, params={"user_id": str(OWNER), "limit": 1, "cursor": cursor})).status_code
    return [own, stream, page]


async def test_what_the_previous_secret_signed_is_taken(
    api: httpx2.AsyncClient, service_key: str, renewed: Settings
) -> None:
    given = await signed(api)

    async with serving(renewed) as app:
        assert await statuses(app, service_key, given) == [200, 200, 200]


async def test_what_the_new_secret_signs_needs_the_new_secret(
    app: FastAPI, service_key: str, renewed: Settings
) -> None:
    async with serving(renewed) as new, calling(new, service_key) as api:
        given = await signed(api)

    assert await statuses(app, service_key, given) == [401, 401, 400]


async def test_processes_that_know_both_take_each_others_whichever_they_sign_with(
    service_key: str, settings: Settings, renewed: Settings
) -> None:
    before = settings.model_copy(update={"previous_secret": renewed.secret})
    async with serving(before) as old, serving(renewed) as new:
        for one, other in ((old, new), (new, old)):
            async with calling(one, service_key) as api:
                given = await signed(api)
            assert await statuses(other, service_key, given) == [200, 200, 200]


async def test_without_the_previous_secret_all_that_it_signed_ends(
    api: httpx2.AsyncClient, service_key: str, renewed: Settings
) -> None:
    given = await signed(api)

    async with serving(renewed.model_copy(update={"previous_secret": None})) as app:
        assert await statuses(app, service_key, given) == [401, 401, 400]


async def test_a_token_of_a_process_whose_clock_is_ahead_is_taken(app: FastAPI, settings: Settings) -> None:
    token = forge(settings, iat=datetime.now(UTC) + timedelta(minutes=1))

    async with calling(app, token) as it:
        assert (await it.get(NOTIFICATIONS)).status_code == 200


@pytest.mark.parametrize("which", ["secret", "previous_secret"])
async def test_neither_secret_makes_a_token_good_for_another_purpose(
    renewed: Settings, settings: Settings, which: str
) -> None:
    secret = getattr(renewed, which).get_secret_value()
    async with serving(renewed) as app:
        for changes in ({"aud": "stream"}, {"aud": None}, {"sub": None}, {"exp": None}, {"sub": str(uuid4())}):
            async with calling(app, forge(settings, secret=secret, **changes)) as it:
                response = await it.get(f"{INBOXES}/{OWNER}")
            assert_problem(response, 404 if len(str(changes.get("sub", ""))) == 36 else 401)
