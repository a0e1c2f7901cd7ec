"""What only a socket shows: bodies that are too large or broken, heads without an end, and connections kept."""

import json
import socket
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection, HTTPResponse
from uuid import uuid4

import pytest

from tests.fixtures.calls import NOTIFICATIONS, PROBLEM, draft
from tests.fixtures.live import LiveServer

MB = 2**20


@pytest.fixture
def connection(live_server: LiveServer) -> Iterator[HTTPConnection]:
    """One connection to the server, kept alive."""
    it = HTTPConnection(live_server.host, live_server.port, timeout=20)
    try:
        yield it
    finally:
        it.close()


@pytest.fixture
def headers(live_server: LiveServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {live_server.service_key}", "Content-Type": "application/json"}


def create(connection: HTTPConnection, headers: dict[str, str]) -> int:
    connection.request("POST", NOTIFICATIONS, json.dumps(draft()), headers)
    response = connection.getresponse()
    response.read()
    return response.status


def say(server: LiveServer, parts: Iterable[bytes]) -> tuple[int, dict[str, object]]:
    """Send ``parts`` as they are; return the status and body of what is answered until the server hangs up."""
    with socket.create_connection((server.host, server.port), timeout=20) as it:
        try:
            for part in parts:
                it.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it need not read on after it refused
        response = HTTPResponse(it)
        response.begin()
        assert response.headers["Content-Type"] == PROBLEM
        assert response.headers["X-Request-ID"]
        body: dict[str, object] = json.loads(response.read())
        assert it.recv(1) == b""
    return response.status, body


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_of_50_mb_is_answered_and_the_connection_goes_on(
    connection: HTTPConnection, headers: dict[str, str], declared: bool
) -> None:
    assert create(connection, headers) == 201
    used = connection.sock

    length = {"Content-Length": str(50 * MB)} if declared else {}
    connection.request(
        "POST", NOTIFICATIONS, (b" " * MB for _ in range(50)), headers | length, encode_chunked=not declared
    )
    response = connection.getresponse()
    problem = json.loads(response.read())

    assert (response.status, problem["code"]) == (413, "body_too_large")
    assert response.headers["Content-Type"] == PROBLEM
    assert f" {MB // 4} bytes" in problem["detail"]
    assert create(connection, headers) == 201
    assert connection.sock is used


def test_a_stranger_with_8_mb_is_refused_and_may_try_again_on_the_same_connection(
    connection: HTTPConnection, headers: dict[str, str]
) -> None:
    connection.request("POST", NOTIFICATIONS, b" " * 8 * MB, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()

    assert response.status == 401
    assert create(connection, headers) == 201


def test_a_body_as_large_as_is_allowed_is_taken(connection: HTTPConnection, headers: dict[str, str]) -> None:
    one, batch = json.dumps(draft()).encode(), json.dumps({"items": [draft()]}).encode()
    for path, body in ((NOTIFICATIONS, one.ljust(MB // 4)), (f"{NOTIFICATIONS}/batch", batch.ljust(8 * MB))):
        connection.request("POST", path, body, headers)

        response = connection.getresponse()
        response.read()
        assert response.status == 201


def test_a_chunked_body_is_taken(connection: HTTPConnection, headers: dict[str, str]) -> None:
    parts = (part.encode() for part in (json.dumps(draft())[:20], json.dumps(draft(uuid4()))[20:]))

    connection.request("POST", NOTIFICATIONS, parts, headers, encode_chunked=True)

    response = connection.getresponse()
    response.read()
    assert response.status in {201, 422}


def test_broken_chunks_are_a_problem(live_server: LiveServer) -> None:
    head = f"POST {NOTIFICATIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live_server.service_key}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

    status, problem = say(live_server, [head.encode(), b"zz\r\n{}\r\n0\r\n\r\n"])

    assert (status, problem["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        b"GET /liv\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_a_problem(live_server: LiveServer, request_: bytes) -> None:
    status, problem = say(live_server, [request_])

    assert (status, problem["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n"],
        [b"GET /livez HTTP/1.1\r\n", *([b"X-Many: " + b"x" * 100 + b"\r\n"] * 400), b"\r\n"],
        [b"GET /livez?q=" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n"],
        [b"GET /livez HTTP/1.1\r\nX-Endless: ", *([b"x" * 1_000] * 200)],
    ],
    ids=["a long header", "many headers", "a long path", "a header without an end"],
)
def test_a_head_that_is_too_large_is_a_problem(live_server: LiveServer, parts: list[bytes]) -> None:
    status, problem = say(live_server, parts)

    assert (status, problem["code"]) == (431, "headers_too_large")


def test_headers_of_usual_size_add_up_over_a_connection_to_nothing(
    connection: HTTPConnection, headers: dict[str, str]
) -> None:
    for _ in range(20):
        assert create(connection, headers | {"X-Trace": "x" * 8_000}) == 201


def test_head_has_no_body_and_the_connection_goes_on(connection: HTTPConnection, headers: dict[str, str]) -> None:
    for path in (NOTIFICATIONS, "/livez", "/nothing", f"{NOTIFICATIONS}/batch"):
        connection.request("HEAD", path, headers=headers)
        response = connection.getresponse()
        assert response.read() == b""
    assert create(connection, headers) == 201


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_or_not(live_server: LiveServer) -> None:
    head = f"POST {NOTIFICATIONS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    key = f"Authorization: Bearer {live_server.service_key}\r\n"
    answers = []
    for more in (
        f"{key}Content-Length: 10\r\n\r\n",
        f"{key}Content-Length: {50 * MB}\r\n\r\n",
        "Content-Length: 10\r\n\r\n",
    ):
        with socket.create_connection((live_server.host, live_server.port), timeout=20) as it:
            it.sendall((head + more).encode())
            answers.append(it.recv(12))

    assert answers == [b"HTTP/1.1 100", b"HTTP/1.1 413", b"HTTP/1.1 401"]


def test_the_server_does_not_say_what_it_is_made_of(connection: HTTPConnection) -> None:
    connection.request("GET", "/livez")
    response = connection.getresponse()
    response.read()

    assert response.headers["Server"] is None
    assert response.headers["X-Content-Type-Options"] == "nosniff"
