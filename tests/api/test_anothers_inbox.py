"""An attacker at work on the inbox of somebody else, with all that he may have got hold of."""

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Stored, create
from tests.fixtures.credentials import BODIES, CALLS, ENDLESS, OWNER, forge
from tests.fixtures.product import MakeKey, calling
from tocsin.models.api_key import Scope
from tocsin.settings import Settings

MARK = "sesame"
"""In every text of the owner: who reads this has read what is not his."""

SECRETS = {
    "title": f"{MARK} title",
    "text": f"{MARK} text",
    "source": f"{MARK} source",
    "link": f"https://{MARK}.example",
    "data": {MARK: MARK},
}


@dataclass(frozen=True)
class Leaked:
    """What an attacker may have seen over a shoulder, in a log or a cache; none of it proves who one is."""

    notification: str
    deleted: str
    cursor: str
    position: str
    etag: str
    idempotency_key: str


@pytest.fixture
async def leaked(api: httpx2.AsyncClient, app: FastAPI, settings: Settings) -> Leaked:
    headers = {"Idempotency-Key": MARK}
    body = {"user_id": str(OWNER), **SECRETS}
    first = (await api.post(NOTIFICATIONS, json=body, headers=headers)).json()
    deleted = await create(api, OWNER, **SECRETS)
    await create(api, OWNER, **SECRETS)
    async with calling(app, forge(settings)) as owner:
        await owner.delete(f"{NOTIFICATIONS}/{deleted['id']}")
        page = await owner.get(NOTIFICATIONS, params={"limit": 1})
        inbox = (await owner.get(f"{INBOXES}/{OWNER}")).json()
    return Leaked(first["id"], deleted["id"], page.json()["next_cursor"], inbox["position"], page.headers["ETag"], MARK)


class Attempt(NamedTuple):
    """One call with some of what was leaked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any] | None


def attempts(leaked: Leaked) -> list[Attempt]:
    """Return every call with every mixture of what was leaked."""
    queries: list[dict[str, str]] = [
        {},
        {"user_id": str(OWNER)},
        {"user_id": str(OWNER), "cursor": leaked.cursor, "limit": "1"},
        {"cursor": leaked.cursor, "limit": "1"},
        {"user_id": str(OWNER), "q": MARK},
        {"q": MARK, "order": "relevance"},
        {"since": leaked.position},
        {"wait": "0.01"},
    ]
    headers: list[dict[str, str]] = [{}, {"If-None-Match": leaked.etag}, {"Idempotency-Key": leaked.idempotency_key}]
    bodies = {
        **BODIES,
        "POST /api/v1/notifications": {"user_id": str(OWNER), **SECRETS},
        "POST /api/v1/notifications/read": {"user_id": str(OWNER), "up_to": leaked.position},
    }
    return [
        Attempt(method, path.format(notification_id=notification, user_id=OWNER), query, more, bodies.get(name))
        for name, notification, query, more in product(CALLS, (leaked.notification, leaked.deleted), queries, headers)
        for method, path in [name.split()]
        if "notification_id" in path or notification == leaked.notification
        if name not in ENDLESS and (method == "GET" or not query)
    ]


@pytest.mark.parametrize("who", ["nobody", "another user", "a token for streams", "a stranger's stream token"])
async def test_nothing_of_it_is_read_or_changed_by_any_call(
    app: FastAPI, settings: Settings, leaked: Leaked, stored: Stored, who: str
) -> None:
    credential = {
        "nobody": None,
        "another user": forge(settings, sub=str(uuid4())),
        # The right user, the wrong door.
        "a token for streams": forge(settings, aud="stream"),
        "a stranger's stream token": forge(settings, aud="stream", sub=str(uuid4())),
    }[who]
    before = await stored()
    refused = {401} if who != "another user" else {400, 403, 404, 422}

    async with calling(app, credential) as attacker:
        for method, path, query, headers, body in attempts(leaked):
            response = await attacker.request(method, path, params=query, headers=headers, json=body)
            told = f"{method} {path} {query} {headers}: {response.status_code} {response.text}"
            assert MARK not in response.text.replace(f"q={MARK}", ""), told
            # His own list, which is empty, is the one thing that he may ask for.
            if who == "another user" and response.status_code == 200:
                assert (path, response.json()["items"]) == (NOTIFICATIONS, []), told
            else:
                assert response.status_code in refused, told

    assert await stored() == before


async def test_who_may_only_write_reads_nothing_though_he_knows_all_of_it(
    app: FastAPI, keys: MakeKey, leaked: Leaked
) -> None:
    async with calling(app, await keys(Scope.WRITE)) as attacker:
        for method, path, query, headers, body in attempts(leaked):
            response = await attacker.request(method, path, params=query, headers=headers, json=body)
            # What he has sent himself is told him, and nothing that was there before.
            theirs = response.text if response.status_code != 201 else response.text.replace(MARK, "")
            assert leaked.notification not in theirs.replace(path, ""), f"{method} {path}"
            assert MARK not in theirs, f"{method} {path} {query} {headers}: {response.status_code} {response.text}"
