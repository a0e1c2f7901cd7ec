"""WebSockets on the wire (RFC 6455), and how to get rid of clients who do not read."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders
from websockets.http11 import Request

from tocsin.controllers import security_headers
from tocsin.controllers.problems import problem_response
from tocsin.controllers.v1.stream_socket import HANG_UP
from tocsin.errors import TooSlow

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_TOO_SLOW: Final = (4001, TooSlow.code)
_GRACE_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 1.0
_TOO_LARGE: Final = (RequestLineTooLong, HeaderLineTooLong, TooManyHeaders)


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. uvicorn waits for ever for clients who do not read, also to close; here it is given up."""

    def data_received(self, data: bytes) -> None:
        """Take what came; a handshake that cannot be read is refused in the shape of all errors."""
        super().data_received(data)
        error = self.conn.handshake_exc
        if error is not None and not self.handshake_initiated and not self.transport.is_closing():
            status, code = (431, "headers_too_large") if isinstance(error, _TOO_LARGE) else (400, "malformed_request")
            response = problem_response("", status, code, f"The handshake cannot be read: {error}.")
            fields = [*response.raw_headers, *security_headers.missing(response.raw_headers)]
            head = STATUS_LINE[status] + b"".join(b"%s: %s\r\n" % field for field in fields)
            head += b"connection: close\r\n\r\n"
            self.transport.write(head + bytes(response.body))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Serve a handshake."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self.scope["extensions"] = {**(self.scope["extensions"] or {}), HANG_UP: {"call": self.hang_up}}

    async def send(self, message: "ASGISendEvent") -> None:
        """Send ``message``, when the client takes it; a close frame at once."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
        # A handshake that was refused is complete, too; uvicorn takes it for one that was forgotten.
        self.handshake_complete |= self.close_sent

    def hang_up(self) -> None:
        """Give up a client who does not read: tell him why, if he ever reads again, and let whoever sends go on."""
        if self.close_sent or not self.handshake_complete:
            self.transport.abort()
            return
        code, reason = _TOO_SLOW
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = self.disconnected = True
        self.writable.set()
        self.close_timer = self.loop.call_later(_GRACE_SECONDS, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Give up a client who does not answer a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        """End the connection, since the service stops."""
        super().shutdown()
        self.loop.call_later(_STOP_SECONDS, self.transport.abort)
