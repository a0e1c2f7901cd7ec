"""What asks for another protocol is served in this one, and nothing in it is taken for another request."""

import json
import socket
from http.client import HTTPResponse
from uuid import uuid4

import pytest

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, PROBLEM, draft
from tests.fixtures.live import LiveServer
from tests.fixtures.streams import HANDSHAKE
from tests.waiting import until_blocking

BODY = json.dumps(draft()).encode()
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


def head(server: LiveServer, line: str = f"POST {NOTIFICATIONS}", more: bytes = H2C, body: bytes = BODY) -> bytes:
    key = f"Authorization: Bearer {server.service_key}\r\nContent-Type: application/json\r\n".encode()
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%s HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n" % (line.encode(), key, more, length)


def open_to(server: LiveServer) -> socket.socket:
    it = socket.create_connection((server.host, server.port), timeout=20)
    it.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return it


def answer(it: socket.socket) -> HTTPResponse:
    response = HTTPResponse(it)
    response.begin()
    response.read()
    return response


def all_of(it: socket.socket) -> bytes:
    """Return what comes until the server hangs up."""
    said = b""
    while part := it.recv(65_536):
        said += part
    return said


@pytest.mark.parametrize(
    "asking",
    [
        H2C,
        b"connection: upgrade\r\nUPGRADE:h2c\r\n",
        b"Upgrade: h2c\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    ],
)
def test_who_would_rather_speak_another_protocol_is_served_in_this_one(live_server: LiveServer, asking: bytes) -> None:
    with open_to(live_server) as it:
        for _ in range(2):
            it.sendall(head(live_server, more=asking) + BODY)
            assert answer(it).status == 201


def test_the_body_may_come_later(live_server: LiveServer) -> None:
    asks = head(live_server, more=H2C + b"Expect: 100-continue\r\n")
    with open_to(live_server) as it:
        it.sendall(asks)
        assert it.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        it.sendall(BODY)
        assert answer(it).status == 201


def test_a_body_that_looks_like_a_request_is_a_body(live_server: LiveServer) -> None:
    smuggled = head(live_server, f"GET {INBOXES}/{uuid4()}", b"", b"")
    with open_to(live_server) as it:
        it.sendall(head(live_server, more=H2C + b"Expect: 100-continue\r\nConnection: close\r\n", body=smuggled))
        it.recv(100)
        it.sendall(smuggled)
        said = all_of(it)

    assert said.startswith(b"HTTP/1.1 400 ")
    assert b'"malformed_json"' in said
    assert said.count(b"x-request-id: ") == 1


@pytest.mark.parametrize("cut", [b"Upg", b"Upgrade: h", b"Upgrade: h2c\r\n", b"P__\r\n"])
def test_a_head_in_pieces_is_served_or_refused_and_nothing_after_it_is_taken_for_a_request(
    live_server: LiveServer, cut: bytes
) -> None:
    path = f"{INBOXES}/{uuid4()}"
    smuggled = head(live_server, f"GET {path}", b"", b"")
    asks = head(live_server, more=b"X-Request-ID: cut\r\n" + H2C, body=smuggled)
    at = asks.rindex(cut) + len(cut)
    # That the server has met the first piece alone shows in the answer to another connection.
    with open_to(live_server) as it, open_to(live_server) as other:
        it.sendall(asks[:at])
        other.sendall(head(live_server, "GET /livez", b"", b""))
        assert answer(other).status == 200
        it.sendall(asks[at:])
        other.sendall(head(live_server, "GET /livez", b"", b""))
        assert answer(other).status == 200
        try:
            it.sendall(smuggled)
            said = all_of(it)
        except ConnectionResetError:
            said = b""

    assert b"200 OK" not in said
    assert path not in live_server.log.read_text()
    if said:
        assert said.startswith(b"HTTP/1.1 400 ")
        assert PROBLEM.encode() in said
        assert said.count(b"x-request-id: ") == 1


def test_what_follows_on_the_heels_of_one_that_asks_is_answered(live_server: LiveServer) -> None:
    with open_to(live_server) as it:
        it.sendall(head(live_server, "GET /livez", H2C, b"") + head(live_server, "GET /nothing", b"", b""))
        said = b""

        def both() -> bool:
            nonlocal said
            said += it.recv(65_536)
            return said.count(b"HTTP/1.1 ") == 2

        until_blocking(both)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 404 " in said


def test_one_that_asks_on_the_heels_of_another_is_refused_with_all_that_follows(live_server: LiveServer) -> None:
    path = f"{INBOXES}/{uuid4()}"
    with open_to(live_server) as it:
        it.sendall(
            head(live_server, "GET /livez", b"", b"")
            + head(live_server)
            + BODY
            + head(live_server, f"GET {path}", b"", b"")
        )
        said = all_of(it)

    assert b"HTTP/1.1 400 " in said
    assert path not in live_server.log.read_text()


def test_a_tunnel_is_refused(live_server: LiveServer) -> None:
    with open_to(live_server) as it:
        it.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\nGET /livez HTTP/1.1\r\n\r\n")
        said = all_of(it)

    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"x-request-id: ") == 1


WEBSOCKET = HANDSHAKE.encode()
STREAM = f"{INBOXES}/018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01/stream"


def status_of(it: socket.socket) -> int:
    """Return the status of what is answered first."""
    said = b""
    while b"\r\n\r\n" not in said:
        part = it.recv(4_096)
        assert part, "the server hung up"
        said += part
    return int(said.split()[1])


def handshake(server: LiveServer, *, line: str = f"GET {STREAM}", more: bytes = WEBSOCKET) -> bytes:
    return head(server, line, more, b"")


def test_a_websocket_is_opened(live_server: LiveServer) -> None:
    with open_to(live_server) as it:
        it.sendall(handshake(live_server))
        assert status_of(it) == 101


@pytest.mark.parametrize("cut", [b"GET /api", b"Upg", b"Sec-WebSocket-Key: dGhl", b"\r\n\r"])
def test_its_handshake_may_come_in_pieces(live_server: LiveServer, cut: bytes) -> None:
    asks = handshake(live_server)
    at = asks.index(cut) + len(cut)
    with open_to(live_server) as it, open_to(live_server) as other:
        it.sendall(asks[:at])
        other.sendall(head(live_server, "GET /livez", b"", b""))
        assert answer(other).status == 200
        it.sendall(asks[at:])
        assert status_of(it) == 101


def test_it_may_follow_an_answered_request_on_the_same_connection(live_server: LiveServer) -> None:
    with open_to(live_server) as it:
        it.sendall(head(live_server, "GET /livez", b"", b""))
        assert answer(it).status == 200
        it.sendall(handshake(live_server))
        assert status_of(it) == 101


def test_on_the_heels_of_a_request_it_is_refused(live_server: LiveServer) -> None:
    with open_to(live_server) as it:
        it.sendall(head(live_server, "GET /livez", b"", b"") + handshake(live_server))
        said = all_of(it)

    assert b"HTTP/1.1 400 " in said
    assert b"HTTP/1.1 101 " not in said


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        (WEBSOCKET.replace(b"Version: 13", b"Version: 8"), 426),
        (WEBSOCKET.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), 426),
        (WEBSOCKET.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"not base64, by no means!"), 426),
        (WEBSOCKET.replace(b"Sec-WebSocket-Key", b"X-Key"), 426),
        (WEBSOCKET.replace(b"Connection: Upgrade", b"Connection: close"), 426),
        (WEBSOCKET + b"Upgrade: h2c\r\n", 426),
        (WEBSOCKET + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426),
        (WEBSOCKET + b"Transfer-Encoding: chunked\r\n", 426),
    ],
)
def test_what_is_no_handshake_is_served_in_http(live_server: LiveServer, asks: bytes, expected: int) -> None:
    with open_to(live_server) as it:
        it.sendall(handshake(live_server, more=asks))
        assert status_of(it) == expected


def test_a_post_that_asks_for_a_websocket_is_a_post(live_server: LiveServer) -> None:
    with open_to(live_server) as it:
        it.sendall(head(live_server, more=WEBSOCKET) + BODY)
        assert answer(it).status == 201
        it.sendall(handshake(live_server, line=f"POST {STREAM}"))
        assert answer(it).status == 405


def test_what_comes_with_a_handshake_is_not_taken_for_a_request(live_server: LiveServer) -> None:
    path = f"{INBOXES}/{uuid4()}"
    with open_to(live_server) as it:
        it.sendall(handshake(live_server) + head(live_server, f"GET {path}", b"", b"")[:-1])
        said = it.recv(65_536)

    # It is served in HTTP, in which what follows is the begin of another request.
    assert said.startswith(b"HTTP/1.1 426 ")
    assert path not in live_server.log.read_text()


def test_there_is_a_websocket_at_no_other_path(live_server: LiveServer) -> None:
    for path in ("/", "/livez", NOTIFICATIONS, f"{INBOXES}/{uuid4()}/events", "/nothing"):
        with open_to(live_server) as it:
            it.sendall(handshake(live_server, line=f"GET {path}"))
            said = all_of(it)

        assert said.startswith(b"HTTP/1.1 404 "), path
        assert PROBLEM.encode() in said
        assert said.count(b"x-request-id: ") == 1


@pytest.mark.parametrize("more", [b"X-Large: " + b"x" * 10_000 + b"\r\n", b"X-Many: 1\r\n" * 200])
def test_a_handshake_with_large_headers_is_refused_and_not_left_waiting(live_server: LiveServer, more: bytes) -> None:
    with open_to(live_server) as it:
        it.sendall(handshake(live_server, more=WEBSOCKET + more))
        said = all_of(it)

    assert said.startswith(b"HTTP/1.1 431 ")
    assert b'"headers_too_large"' in said
