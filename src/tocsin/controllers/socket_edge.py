"""The edge of WebSockets: what happens to each before and after it is served."""

import time
from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.controllers import security_headers
from tocsin.controllers.problems import problem_response
from tocsin.telemetry import bind_request_id

_BROKEN: Final = 1011
_log = structlog.get_logger("tocsin.access")


class SocketExchange:
    """Gives a WebSocket an id, refuses it where none is served, logs its end, and hides unexpected errors."""

    def __init__(self, app: ASGIApp, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._request_id = request_id
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status = 0
        self._code: int | None = None
        self._reason: str | None = None

    async def run(self) -> None:
        """Serve it to its end."""
        structlog.contextvars.clear_contextvars()
        bind_request_id(self._request_id)
        began = time.perf_counter()
        try:
            await self._app(self._scope, self._receive_noted, self._send_noted)
        except OSError:
            # The client is gone, which is the end of most of them.
            pass
        except Exception:  # noqa: BLE001 - the client is told that it was our fault
            _log.exception("socket_broke_off", path=self._scope["path"])
            await self._break_off()
        finally:
            self._report(time.perf_counter() - began)

    async def _receive_noted(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._code is None:
            self._code, self._reason = message.get("code"), message.get("reason")
        return message

    async def _send_noted(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._status = 101
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["X-Request-ID"] = self._request_id
            case "websocket.http.response.start":
                self._status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = self._request_id
                headers.raw.extend(security_headers.missing(headers.raw))
            case "websocket.close" if not self._status:
                await self._refuse(404, "not_found", "There is no WebSocket at this path.")
                return
            case "websocket.close":
                self._code, self._reason = message.get("code"), message.get("reason")
            case _:
                pass
        await self._send(message)

    async def _break_off(self) -> None:
        if self._status:
            await self._send_noted({"type": "websocket.close", "code": _BROKEN})
        else:
            detail = "This is our fault, not yours; the logs tell more under the request id."
            await self._refuse(500, "internal_error", detail)

    async def _refuse(self, status: int, code: str, detail: str) -> None:
        response = problem_response(self._scope["path"], status, code, detail)
        await response(self._scope, self._receive, self._send_noted)

    def _report(self, seconds: float) -> None:
        _log.info(
            "socket",
            path=self._scope["path"],
            status=self._status,
            code=self._code,
            reason=self._reason,
            seconds=round(seconds, 1),
        )
