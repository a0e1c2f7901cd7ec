"""The edge: what happens to every request before and after it is served."""

import re
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.controllers import rate_limits, security_headers
from tocsin.controllers.problems import body_too_large, problem_response
from tocsin.controllers.socket_edge import SocketExchange
from tocsin.telemetry import REQUEST_SECONDS, REQUESTS, bind_request_id

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_UNMATCHED: Final = "(none)"
_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "(other)"
_log = structlog.get_logger("tocsin.access")


class EdgeMiddleware:
    """Gives each request an id, bounds its body, serves HEAD, logs and counts it, and hides unexpected errors.

    ``share`` is wrapped around all that answers, be it the application or this.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, share: Callable[[ASGIApp], ASGIApp] = lambda app: app
    ) -> None:
        self._app = app
        self._shared_app = share(app)
        self._share = share
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket."""
        if scope["type"] == "http":
            await _Exchange(self._shared_app, self._share, self._max_body_bytes, scope, receive, send).run()
        elif scope["type"] == "websocket":
            await SocketExchange(self._app, request_id_of(scope), scope, receive, send).run()
        else:
            await self._app(scope, receive, send)


def request_id_of(scope: Scope) -> str:
    """Return the id that the caller gave, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


class _Exchange:
    def __init__(
        self,
        app: ASGIApp,
        share: Callable[[ASGIApp], ASGIApp],
        max_body_bytes: int,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._app = app
        self._share = share
        self._max_body_bytes = max_body_bytes
        # What GET would answer, less the body, is the answer to HEAD; the server below knows which of the two it was.
        self._is_head = scope["method"] == "HEAD"
        self._method: str = scope["method"]
        self._scope = {**scope, "method": "GET"} if self._is_head else scope
        self._receive = receive
        self._send = send
        self._status = 0
        self._is_complete = False
        self._received = 0
        self._headers = Headers(scope=scope)
        self._request_id = request_id_of(scope)

    async def run(self) -> None:
        structlog.contextvars.clear_contextvars()
        bind_request_id(self._request_id)
        began = time.perf_counter()
        try:
            await self._app(self._scope, self._receive_bounded, self._send_marked)
        except Exception:
            _log.exception("request_broke_off", method=self._method, path=self._scope["path"])
            if self._status:
                raise
            detail = "This is our fault, not yours; the logs tell more under the request id."
            await self._answer(500, "internal_error", detail)
        finally:
            self._report(time.perf_counter() - began)

    async def _receive_bounded(self) -> Message:
        """Read on, for whoever wants the body; before, so that a call with a lower limit of its own tells that one.

        The connection stays open when it is too large, and the server reads past the rest: who still writes when the
        connection is closed gets a reset and never sees the answer.
        """
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise body_too_large(self._max_body_bytes)
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._max_body_bytes:
            raise body_too_large(self._max_body_bytes)
        return message

    async def _answer(self, status: int, code: str, detail: str) -> None:
        response = problem_response(self._scope["path"], status, code, detail)
        await self._share(response)(self._scope, self._receive, self._send_marked)

    async def _send_marked(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers.raw.extend(security_headers.missing(headers.raw))
            headers.raw.extend(rate_limits.headers(self._scope))
        elif self._is_head and message["type"] == "http.response.body":
            if self._is_complete:
                return
            # What GET sends for ever ends here; the application learns that nobody listens.
            self._is_complete = True
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    def _report(self, seconds: float) -> None:
        method = self._method
        route = getattr(self._scope.get("route"), "path_format", _UNMATCHED)
        count, observe = _series(method if method in _METHODS else _OTHER, route, self._status)
        count()
        observe(seconds)
        if route not in _QUIET:
            _log.info(
                "request",
                method=method,
                path=self._scope["path"],
                status=self._status,
                ms=round(seconds * 1000, 1),
            )


# To look both up by their labels takes as long as to count.
@cache
def _series(method: str, route: str, status: int) -> tuple[Callable[[], None], Callable[[float], None]]:
    return REQUESTS.labels(method, route, str(status)).inc, REQUEST_SECONDS.labels(method, route).observe
