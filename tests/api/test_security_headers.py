"""What every answer tells a browser not to do with it."""

import re
import socket

import httpx2
import pytest

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, create
from tests.fixtures.credentials import CALLS, OPEN, OWNER, call
from tests.fixtures.live import LiveServer

NOTHING = "default-src 'none'; frame-ancestors 'none'"


def assert_safe(headers: httpx2.Headers, policy: str = NOTHING) -> None:
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert headers.get_list("Content-Security-Policy") == [policy]
    assert len(headers.get_list("Cache-Control")) == 1
    assert "Strict-Transport-Security" not in headers, "whoever ends TLS says that"


@pytest.mark.parametrize("credential", [True, False])
async def test_every_call_answers_so_be_it_allowed_or_not(
    client: httpx2.AsyncClient, api: httpx2.AsyncClient, credential: bool
) -> None:
    notification = await create(api, OWNER)
    authorization = api.headers["Authorization"] if credential else None

    for name in (*CALLS, *OPEN):
        response = await call(client, name, authorization, notification["id"])
        assert_safe(response.headers)


async def test_so_do_errors(api: httpx2.AsyncClient) -> None:
    for response in (
        await api.get("/nothing"),
        await api.put(NOTIFICATIONS),
        await api.post(NOTIFICATIONS, content=b"{", headers={"Content-Type": "application/json"}),
        await api.get(NOTIFICATIONS, params={"limit": 0}),
        await api.get(f"{INBOXES}/{OWNER}/stream"),
    ):
        assert response.status_code >= 400
        assert_safe(response.headers)
        assert response.headers["Cache-Control"] == "no-store"


async def test_what_holds_a_secret_is_never_kept(api: httpx2.AsyncClient) -> None:
    for path in ("tokens", "stream-tokens"):
        response = await api.post(f"{INBOXES}/{OWNER}/{path}")
        assert response.status_code == 201
        assert response.headers["Cache-Control"] == "no-store"


async def test_what_a_browser_may_keep_it_must_ask_about(api: httpx2.AsyncClient) -> None:
    await create(api, OWNER)
    for path in (f"{NOTIFICATIONS}?user_id={OWNER}", f"{INBOXES}/{OWNER}"):
        response = await api.get(path)
        assert response.headers["Cache-Control"] == "private, no-cache"
        unchanged = await api.get(path, headers={"If-None-Match": response.headers["ETag"]})
        assert unchanged.status_code == 304
        assert unchanged.headers["Cache-Control"] == "private, no-cache"


async def test_the_documentation_runs_only_its_own_files(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert_safe(page.headers, policy)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)

    asset = await client.get("/docs/assets/swagger-ui.css")
    assert_safe(asset.headers)
    assert asset.headers["Cache-Control"] == "no-cache"


async def test_the_documentation_keeps_no_credential(client: httpx2.AsyncClient) -> None:
    assert "persistAuthorization" not in (await client.get("/docs/start.js")).text


SOCKET = (
    b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n",
        SOCKET,
    ],
    ids=["no HTTP", "a head that is too large", "a WebSocket where there is none"],
)
def test_so_is_what_is_refused_on_the_wire(live_server: LiveServer, request_: bytes) -> None:
    with socket.create_connection((live_server.host, live_server.port), timeout=20) as it:
        it.sendall(request_)
        head = b""
        while b"\r\n\r\n" not in head:
            head += it.recv(4096)

    lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    assert_safe(httpx2.Headers([(name, value) for name, _, value in (line.partition(": ") for line in lines)]))
