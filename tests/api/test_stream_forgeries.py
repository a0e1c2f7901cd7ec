"""Whoever makes, changes or borrows a stream token gets nowhere, and learns nothing on the way."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2

from tests.fixtures.calls import INBOXES, assert_problem
from tests.fixtures.credentials import CALLS, OWNER, call, forge
from tests.fixtures.live_app import LiveApp
from tests.fixtures.posting import post
from tests.fixtures.streams import Json, open_socket
from tocsin.settings import Settings

REFUSED = "This is no stream token; other credentials go into the header."
OVER = "The service key that this stream token was made with is good no more."
LATER = (datetime.now(UTC) + timedelta(minutes=30)).timestamp()
CHANGED: Mapping[str, Mapping[str, Any]] = {
    "another audience": {"aud": "inbox"},
    "no audience": {"aud": None},
    "another secret": {"secret": "x" * 32},
    "another algorithm": {"algorithm": "HS512"},
    "no algorithm": {"algorithm": "none", "secret": None},
    "no user": {"sub": None},
    "a user that is none": {"sub": "nobody"},
    "a user that is no text": {"sub": 7},
    "no expiry": {"exp": None},
    "an expiry that is no time": {"exp": "never"},
    "no end": {"end": None},
    "an end that is no time": {"end": [LATER]},
    "an end that never comes": {"end": float("inf")},
    "an end beyond all years": {"end": 10**30},
    "an end that is no number": {"end": float("nan")},
    "a key that is none": {"key": "a key"},
    "a key that is no text": {"key": 7},
}


def forge_stream(settings: Settings, **changes: Any) -> str:  # noqa: ANN401 - any claim
    """Return what would be a stream token of OWNER but for ``changes``."""
    soon = datetime.now(UTC) + timedelta(seconds=20)
    return forge(settings, **{"aud": "stream", "exp": soon, "end": LATER, **changes})


def tampered(token: str) -> dict[str, str]:
    """Return what can be made of a good token without the secret."""
    head, claims, signature = token.split(".")
    other = {**_decode(claims), "sub": str(uuid4())}
    unsigned = _encode({"typ": "JWT", "alg": "none"})
    return {
        "other claims": f"{head}.{_encode(other)}.{signature}",
        "no algorithm, signed": f"{unsigned}.{claims}.{signature}",
        "no algorithm, not signed": f"{unsigned}.{claims}.",
        "no signature": f"{head}.{claims}.",
        "half a signature": f"{head}.{claims}.{signature[:-20]}",
        "no claims": f"{head}..{signature}",
        "only a signature": signature,
        "twice": f"{token}.{token}",
        "with a NUL": f"{token}\0",
        "not Latin": "ж" * 40,
        "long": token + "A" * 4_000,
    }


async def refusal(live: LiveApp, user: object, token: str) -> Json:
    """Return the only message of a socket."""
    async with open_socket(live.url, user, token=token) as stream:
        (close,) = await stream.rest()
    assert (close["type"], close["code"], close["reason"]) == ("close", stream.code, stream.reason)
    return close


async def test_a_stream_token_that_was_made_or_changed_by_others_opens_nothing(
    live: LiveApp, http: httpx2.AsyncClient, settings: Settings
) -> None:
    async with open_socket(live.url, OWNER, token=forge_stream(settings)) as stream:
        assert (await stream.next())["type"] == "hello", "but for the changes all would be good"
    tokens = {name: forge_stream(settings, **changes) for name, changes in CHANGED.items()}
    unknown_key = forge_stream(settings, key="ab" * 32)

    for name, token in {**tokens, **tampered(forge_stream(settings)), "an unknown key": unknown_key}.items():
        detail = OVER if token == unknown_key else REFUSED
        close = await refusal(live, OWNER, token)
        said = (close["code"], close["detail"], close["position"], close["retry_after"])
        assert said == (4500, detail, None, None), name
        answer = await http.get(f"{INBOXES}/{OWNER}/events", params={"token": token})
        assert assert_problem(answer, 401, "unauthenticated")["detail"] == detail, name


async def test_a_stream_token_does_not_tell_whether_another_inbox_is_there(
    live: LiveApp, http: httpx2.AsyncClient, settings: Settings
) -> None:
    token, theirs, nobodys = forge_stream(settings), uuid4(), uuid4()
    await post(live.resources, user_id=theirs)

    assert await refusal(live, theirs, token) == (close := await refusal(live, nobodys, token))
    assert (close["code"], close["position"], close["retry_after"]) == (4501, None, None)
    assert await refused_events(http, theirs, token) == await refused_events(http, nobodys, token)


async def test_a_stream_token_in_the_address_of_another_call_is_none(
    http: httpx2.AsyncClient, settings: Settings
) -> None:
    token = forge_stream(settings)

    for name in CALLS.keys() - {"GET /api/v1/inboxes/{user_id}/events"}:
        answer = await call(http, f"{name}?token={token}", None, str(uuid4()))
        assert_problem(answer, 401, "unauthenticated")


async def refused_events(http: httpx2.AsyncClient, user: UUID, token: str) -> Json:
    answer = await http.get(f"{INBOXES}/{user}/events", params={"token": token})
    problem = assert_problem(answer, 404, "not_found")
    return {name: value for name, value in problem.items() if name not in ("instance", "request_id")}


def _decode(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "==")))


def _encode(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
