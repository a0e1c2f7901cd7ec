"""HTTP/1.1 on the wire: what is wrong with a request before there is one."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from tocsin.controllers import security_headers
from tocsin.controllers.connections import ConnectionWatch
from tocsin.controllers.problems import problem_response
from tocsin.controllers.v1.stream_socket import HANG_UP
from tocsin.errors import Overloaded
from tocsin.telemetry import bind_request_id

MAX_HEAD_BYTES: Final = 32 * 1024
_LINGER_SECONDS: Final = 1.0
_NONCE_BYTES: Final = 16


class HttpProtocol(HttpToolsProtocol):
    """Bounds the request line and the headers, which the parser does not, and refuses in the shape of all errors.

    Who opens a WebSocket (RFC 6455, section 4.2.1) is handed over to that protocol. Who asks for any other is served in
    this one, as RFC 9110 (7.8) allows. The parser would not have it so: it takes the request for the last one, skips
    its body, and what comes later, that body, for the next request.

    ``watch`` is told when it is the client's turn, and says when he takes too long.
    """

    _refused = False
    _asks_to_upgrade = False
    _is_between_requests = True
    _tail = b""
    _in_head = True
    _head_received = 0
    _head_parsed = 0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        watch: ConnectionWatch,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._watch = watch

    @property
    def awaits_head(self) -> bool:
        """Whether it is the client's turn to send a head."""
        return self.awaits_body and not self._is_serving

    @property
    def awaits_body(self) -> bool:
        """Whether it is the client's turn to send a body."""
        return not self.flow.read_paused

    @property
    def unread_bytes(self) -> int:
        """How much of the answer waits to be read."""
        return self.transport.get_write_buffer_size()

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
        return self._tail == b"\r\n\r\n" and not self._is_serving and _is_handshake(version, method, self.headers)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin a connection, if there is room for one more."""
        super().connection_made(transport)
        if self._watch.admits(len(self.connections)):
            self._begin_head()
        else:
            detail = "This process has as many connections as it may have; come back in a moment."
            self._refuse(503, Overloaded.code, detail, {"Retry-After": "1"})

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended."""
        self._watch.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._refused:
            return
        if self._is_between_requests:
            self._begin_head()
        if self._in_head:
            self._head_received += len(data)
        # Else there is more than a handshake, which has no body, and after which the client must wait for the answer.
        self._tail = data[-4:] if len(data) > 3 else (self._tail + data)[-4:]
        super().data_received(_without_upgrade(data) if self._is_between_requests else data)
        # A header without an end is not told of by the parser.
        if self._head_is_too_large and not self._refused:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._in_head, self._head_parsed = True, 0
        self._is_between_requests = False
        self._begin_head()
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
        self._watch.head.end(self)
        self._watch.body.begin(self, self.loop.time())
        self._asks_to_upgrade = self.parser.should_upgrade() and not self._is_handshake
        if self._asks_to_upgrade:
            raise ValueError("what follows would be taken for what it is not")
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that what follows is the head of the next request."""
        super().on_message_complete()
        self._in_head = self._is_between_requests = True
        self._watch.body.end(self)

    def on_response_complete(self) -> None:
        """Note that the client may send another request."""
        super().on_response_complete()
        if not self._is_serving and self._is_between_requests:
            self._watch.idle.begin(self, self.loop.time())

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to another protocol, which looks after it."""
        self._watch.forget(self)
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Note that the client has to read."""
        super().pause_writing()
        self._watch.begin_reading(self, self.loop.time())

    def resume_writing(self) -> None:
        """Note that he has."""
        super().resume_writing()
        self._watch.end_reading(self)

    def give_up_head(self) -> None:
        """End the connection, since the head does not come; without a word to who has not begun one."""
        if self._head_received:
            self._refuse(408, "request_timeout", "The head of the request did not come in time; send it again.")
        else:
            self.transport.close()

    def give_up_body(self) -> None:
        """End the connection, since the body does not come."""
        self._refuse(408, "request_timeout", "The body of the request did not come in time; send it again.")

    def give_up_reading(self) -> None:
        """End the connection, since nobody reads the answer, at once: what waits to be read would wait on."""
        self.transport.abort()

    def make_room(self) -> None:
        """End the connection, since another needs its place."""
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be understood."""
        if self._head_is_too_large:
            detail = f"The request line and headers have more than {MAX_HEAD_BYTES} bytes; send less."
            self._refuse(431, "headers_too_large", detail)
        elif self._asks_to_upgrade:
            detail = "Only HTTP/1.1 is spoken here; send no 'Upgrade' header, and no CONNECT."
            self._refuse(400, "malformed_request", detail)
        else:
            self._refuse(400, "malformed_request", "This is not a request in HTTP/1.1, or it broke off.")

    def _begin_head(self) -> None:
        self._watch.idle.end(self)
        self._watch.head.begin(self, self.loop.time())

    def _refuse(self, status: int, code: str, detail: str, more: Mapping[str, str] | None = None) -> None:
        """Say why, and hang up, but not under whoever still writes: he would see a reset."""
        self._refused = True
        self._watch.forget(self)
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
        headers = {"X-Request-ID": request_id, "Connection": "close", **(more or {})}
        response = problem_response("", status, code, detail, headers=headers)
        fields = [*response.raw_headers, *security_headers.missing(response.raw_headers)]
        head = STATUS_LINE[status] + b"".join(b"%s: %s\r\n" % field for field in fields)
        self.transport.write(b"".join((head, b"\r\n", bytes(response.body))))
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
