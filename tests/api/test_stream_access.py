"""Who may listen, by which credential, and for how long."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import INBOXES
from tests.fixtures.credentials import (
    CALLS,
    FORGERS,
    HOLDERS,
    OWNER,
    STRANGERS,
    all_credentials,
    call,
    forge,
)
from tests.fixtures.live_app import LiveApp
from tests.fixtures.posting import post
from tests.fixtures.product import MakeKey
from tests.fixtures.streams import HANDSHAKE, TRANSPORTS, Open, open_socket
from tocsin.bootstrap import Resources
from tocsin.models.api_key import Scope
from tocsin.settings import ApiSettings, Settings, StreamSettings

HELLO = 0
UNKNOWN, OTHERS, NO_SCOPE, EXPIRED = 4500, 4501, 4502, 4003
ALLOWED = "https://app.example.com"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Looks often, and lets in a page of another origin."""
    stream = StreamSettings(look_every=0.2, look_every_alone=0.2)
    return settings.model_copy(update={"stream": stream, "api": ApiSettings(cors_origins=(ALLOWED,))})


@pytest.fixture(params=TRANSPORTS)
def open_stream(request: pytest.FixtureRequest) -> Open:
    return TRANSPORTS[request.param]


async def code_of(live: LiveApp, user: object = OWNER, headers: Mapping[str, str] | None = None, **query: str) -> int:
    """Return the code with which a socket is refused, 0 if it is not."""
    async with open_socket(live.url, user, headers=headers, **query) as stream:
        (first, *_) = messages = [await stream.next()]
        if first["type"] == "hello":
            return HELLO
        assert await stream.rest() == []
        assert first["type"] == "close"
        assert (first["code"], first["reason"], first["position"]) == (stream.code, stream.reason, None)
        assert (first["retry_after"] is None) == (stream.code >= 4500)
        assert len(messages) == 1
        return stream.code


async def mint(http: httpx2.AsyncClient, credential: str, user: object = OWNER) -> str:
    answer = await http.post(f"{INBOXES}/{user}/stream-tokens", headers={"Authorization": f"Bearer {credential}"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def test_every_credential_opens_just_those_sockets_that_it_opens_elsewhere(
    live: LiveApp, settings: Settings, resources: Resources, keys: MakeKey, service_key: str
) -> None:
    credentials = await all_credentials(settings, resources, keys, service_key)
    expected = dict.fromkeys((*STRANGERS, *FORGERS), UNKNOWN) | {"expired token": EXPIRED}
    expected |= dict(zip(HOLDERS, (HELLO, HELLO, NO_SCOPE, HELLO, OTHERS), strict=True))

    codes = {
        name: await code_of(live, headers={"Authorization": value} if value is not None else {})
        for name, value in credentials.items()
    }

    assert codes == expected


async def test_no_other_credential_is_taken_in_an_address(
    live: LiveApp,
    http: httpx2.AsyncClient,
    settings: Settings,
    resources: Resources,
    keys: MakeKey,
    service_key: str,
) -> None:
    credentials = await all_credentials(settings, resources, keys, service_key)
    for name, value in credentials.items():
        token = (value or "").removeprefix("Bearer ")

        assert await code_of(live, token=token) == UNKNOWN, name
        events = await http.get(f"{INBOXES}/{OWNER}/events", params={"token": token})
        assert events.status_code == 401, name


async def test_a_stream_token_opens_streams_of_its_inbox(
    live: LiveApp, http: httpx2.AsyncClient, settings: Settings, keys: MakeKey, open_stream: Open
) -> None:
    for credential in (forge(settings), await keys(Scope.READ)):
        token = await mint(http, credential)
        for _ in range(2):
            async with open_stream(live.url, OWNER, token=token) as stream:
                assert (await stream.next())["type"] == "hello"

        assert await code_of(live, uuid4(), token=token) == OTHERS
        assert (await http.get(f"{INBOXES}/{uuid4()}/events", params={"token": token})).status_code == 404


async def test_a_stream_token_is_good_for_nothing_else(
    live: LiveApp, http: httpx2.AsyncClient, settings: Settings
) -> None:
    token = await mint(http, forge(settings))

    for name in CALLS:
        assert (await call(http, name, f"Bearer {token}", str(uuid4()))).status_code == 401, name
    assert await code_of(live, headers={"Authorization": f"Bearer {token}"}) == UNKNOWN


async def test_a_stream_token_opens_nothing_after_30_seconds_but_what_it_opened_goes_on(
    live: LiveApp, http: httpx2.AsyncClient, settings: Settings
) -> None:
    token = await mint(http, forge(settings))
    async with open_socket(live.url, OWNER, token=token) as stream:
        await stream.next()
        live.clock.move(31)

        assert await code_of(live, token=token) == EXPIRED
        refused = await http.get(f"{INBOXES}/{OWNER}/events", params={"token": token})
        assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")
        await post(live.resources, user_id=OWNER)
        assert (await stream.next())["type"] == "change"


async def test_two_credentials_are_refused(live: LiveApp, http: httpx2.AsyncClient, service_key: str) -> None:
    token = await mint(http, service_key)
    header = {"Authorization": f"Bearer {service_key}"}

    assert await code_of(live, headers=header, token=token) == 4504
    assert (await http.get(f"{INBOXES}/{OWNER}/events", headers=header, params={"token": token})).status_code == 422


@pytest.mark.parametrize("made_with", ["inbox token", "stream token", "key's stream token", "expiring key"])
async def test_a_stream_ends_with_its_credential(
    live: LiveApp,
    http: httpx2.AsyncClient,
    settings: Settings,
    resources: Resources,
    service_key: str,
    open_stream: Open,
    made_with: str,
) -> None:
    short = forge(settings, exp=datetime.now(UTC) + timedelta(seconds=settings.api.token_ttl))
    expires_at = datetime.now(UTC) + timedelta(seconds=settings.api.token_ttl)
    _, expiring = await resources.access.create_key("expires", list(Scope), expires_at)
    key = {"inbox token": short, "expiring key": expiring}.get(made_with)
    token = None if key else await mint(http, short if made_with == "stream token" else service_key)

    async with open_stream(live.url, OWNER, key, token=token) as stream:
        await stream.next()
        live.clock.move(settings.api.token_ttl - 20)
        async with open_stream(live.url, OWNER, key or service_key) as later:
            await later.next()
        live.clock.move(21)
        (close,) = await stream.rest()

    assert (close["type"], close["code"], close["reason"], close["retry_after"]) == ("close", 4003, "token_expired", 0)


@pytest.mark.parametrize("token_made", [False, True], ids=["by header", "by stream token"])
@pytest.mark.parametrize("end", ["revoked", "replaced"])
async def test_a_stream_ends_when_its_key_does(
    live: LiveApp, http: httpx2.AsyncClient, resources: Resources, open_stream: Open, end: str, *, token_made: bool
) -> None:
    key, secret = await resources.access.create_key("tests", list(Scope))
    token = await mint(http, secret) if token_made else None

    async with open_stream(live.url, OWNER, None if token else secret, token=token) as stream:
        await stream.next()
        if end == "replaced":
            await resources.access.rotate_key(key.id, timedelta(0))
        else:
            await resources.access.revoke_key(key.id)
        (close,) = await stream.rest()

    assert (close["type"], close["code"], close["retry_after"]) == ("close", UNKNOWN, None)
    if token:
        assert await code_of(live, token=token) == UNKNOWN


@pytest.mark.parametrize(
    ("origin", "host", "admitted"),
    [
        (None, "127.0.0.1:8000", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("https://tocsin.example.com", "tocsin.example.com", True),
        ("https://tocsin.example.com", "tocsin.example.com:443", True),
        ("http://tocsin.example.com", "TOCSIN.example.com:80", True),
        (ALLOWED, "127.0.0.1:8000", True),
        ("http://app.example.com", "127.0.0.1:8000", False),
        ("https://app.example.com:8443", "127.0.0.1:8000", False),
        ("https://app.example.com.evil.example", "127.0.0.1:8000", False),
        ("https://tocsin.example.com:8443", "tocsin.example.com", False),
        ("http://127.0.0.1:8001", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
        ("", "", False),
        ("file://", "", False),
    ],
)
async def test_pages_may_listen_if_they_are_of_the_service_or_of_an_origin_that_is_allowed(
    live: LiveApp, service_key: str, origin: str | None, host: str, admitted: bool
) -> None:
    head = (
        f"GET {INBOXES}/{OWNER}/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {service_key}\r\n{HANDSHAKE}"
    )
    if origin is not None:
        head += f"Origin: {origin}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(live.url.rpartition(":")[2]))
    writer.write(f"{head}\r\n".encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode()

    assert answer.startswith("HTTP/1.1 101 " if admitted else "HTTP/1.1 403 "), answer
    assert "x-request-id: " in answer
    if not admitted:
        assert "application/problem+json" in answer
        assert b'"forbidden"' in await reader.read()
    writer.close()


async def test_no_credential_is_written_to_a_log(
    live: LiveApp, http: httpx2.AsyncClient, settings: Settings, service_key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    token = await mint(http, forge(settings))
    assert await code_of(live, token=token) == HELLO
    assert await code_of(live, token=token[:-3] + "xxx") == UNKNOWN
    await http.get(f"{INBOXES}/{OWNER}/events", params={"token": "garbage-in-an-address"})

    said = "".join(capfd.readouterr())
    assert "/stream" in said
    assert token[:-3] not in said
    assert "garbage-in-an-address" not in said
