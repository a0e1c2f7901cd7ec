"""HTTP/1.1 on the wire: what is wrong with a request before there is one."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Final

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from tocsin.controllers.problems import problem_response
from tocsin.controllers.v1.stream_socket import HANG_UP
from tocsin.telemetry import bind_request_id

MAX_HEAD_BYTES: Final = 32 * 1024
_LINGER_SECONDS: Final = 1.0
_NONCE_BYTES: Final = 16


class HttpProtocol(HttpToolsProtocol):
    """Bounds the request line and the headers, which the parser does not, and refuses in the shape of all errors.

    Who opens a WebSocket (RFC 6455, section 4.2.1) is handed over to that protocol. Who asks for any other is served in
    this one, as RFC 9110 (7.8) allows. The parser would not have it so: it takes the request for the last one, skips
    its body, and what comes later, that body, for the next request.
    """

    _refused = False
    _asks_to_upgrade = False
    _is_between_requests = True
    _ends_with_head = False
    _in_head = True
    _head_received = 0
    _head_parsed = 0

    @property
    def _head_is_too_large(self) -> bool:
        return max(self._head_parsed, self._head_received if self._in_head else 0) > MAX_HEAD_BYTES

    @property
    def _is_serving(self) -> bool:
        return not getattr(self.cycle, "response_complete", True)

    @property
    def _is_handshake(self) -> bool:
        """Whether the head that is complete now opens a WebSocket, and nothing else is going on here."""
        version, method = self.parser.get_http_version(), self.parser.get_method()
        return self._ends_with_head and not self._is_serving and _is_handshake(version, method, self.headers)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._refused:
            return
        if self._in_head:
            self._head_received += len(data)
        # Else there is more than a handshake, which has no body, and after which the client must wait for the answer.
        self._ends_with_head = data.endswith(b"\r\n\r\n")
        super().data_received(_without_upgrade(data) if self._is_between_requests else data)
        # A header without an end is not told of by the parser.
        if self._head_is_too_large and not self._refused:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._in_head, self._head_parsed = True, 0
        self._is_between_requests = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Note a part of the request line."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Serve the request, unless it could not be kept from asking for another protocol, or for a tunnel."""
        self._in_head, self._head_received = False, 0
        self._asks_to_upgrade = self.parser.should_upgrade() and not self._is_handshake
        if self._asks_to_upgrade:
            raise ValueError("what follows would be taken for what it is not")
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that what follows is the head of the next request."""
        super().on_message_complete()
        self._in_head = self._is_between_requests = True

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be understood, and hang up, but not under whoever still writes: he would see a reset."""
        self._refused = True
        if self._is_serving:
            # What waits for the rest of the body learns that it does not come.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        structlog.contextvars.clear_contextvars()
        request_id = secrets.token_hex(16)
        bind_request_id(request_id)
        if self._head_is_too_large:
            detail = f"The request line and headers have more than {MAX_HEAD_BYTES} bytes; send less."
            status, code = 431, "headers_too_large"
        elif self._asks_to_upgrade:
            detail = "Only HTTP/1.1 is spoken here; send no 'Upgrade' header, and no CONNECT."
            status, code = 400, "malformed_request"
        else:
            status, code, detail = 400, "malformed_request", "This is not a request in HTTP/1.1, or it broke off."
        response = problem_response(
            "", status, code, detail, headers={"X-Request-ID": request_id, "Connection": "close"}
        )
        headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
        self.transport.write(b"".join((STATUS_LINE[status], headers, b"\r\n", bytes(response.body))))
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _count(self, length: int) -> None:
        self._head_parsed += length
        if self._head_parsed > MAX_HEAD_BYTES:
            raise ValueError("the head is too large")


def _is_handshake(version: str, method: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether this opens a WebSocket; names of ``headers`` are in lower case."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value.strip())
    tokens = {token.strip().lower() for value in values.get(b"connection", ()) for token in value.split(b",")}
    return (
        version == "1.1"
        and method == b"GET"
        and b"upgrade" in tokens
        and [value.lower() for value in values.get(b"upgrade", ())] == [b"websocket"]
        and values.get(b"sec-websocket-version") == [b"13"]
        and len(values.get(b"sec-websocket-key", ())) == 1
        and _is_nonce(values[b"sec-websocket-key"][0])
        and values.get(b"content-length", [b"0"]) == [b"0"]
        and not {b"transfer-encoding", b"expect"} & values.keys()
    )


def _is_nonce(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _NONCE_BYTES
    except binascii.Error:
        return False


def _without_upgrade(data: bytes) -> bytes:
    """Return ``data``, which begins between two requests, without the header ``Upgrade`` of the first head in it.

    A head that opens a WebSocket is left as it is. So is one that is not all there:
    `HttpProtocol.on_headers_complete` refuses it if it asks for anything else.
    """
    begin = len(data) - len(data.lstrip(b"\r\n"))
    end = data.find(b"\r\n\r\n", begin)
    if end < 0 or b"pgrade" not in data[begin:end].lower():
        return data
    lines = data[begin:end].split(b"\r\n")
    if end + 4 == len(data) and _opens_websocket(lines):
        return data
    kept = [line for line in lines if not line.lower().startswith(b"upgrade:")]
    return b"\r\n".join(kept) + data[end:]


def _opens_websocket(lines: Sequence[bytes]) -> bool:
    method, _, version = lines[0].partition(b" ")
    headers = [(name.lower(), value) for name, _, value in (line.partition(b":") for line in lines[1:])]
    return _is_handshake(version.rpartition(b" HTTP/")[2].decode("latin-1"), method, headers)
