"""The edge: what happens to every request before and after it is served."""

import re
import secrets
import time
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.controllers.problems import problem_response
from tocsin.telemetry import REQUEST_SECONDS, REQUESTS, bind_request_id

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_UNMATCHED: Final = "(none)"
_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})
_log = structlog.get_logger("tocsin.access")


class EdgeMiddleware:
    """Gives each request an id, bounds and checks its body, logs and counts it, and hides unexpected errors."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self._app, self._max_body_bytes, scope, receive, send).run()


class _Exchange:
    def __init__(self, app: ASGIApp, max_body_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status = 0
        self._headers = Headers(scope=scope)
        given = self._headers.get("x-request-id", "")
        self._request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)

    async def run(self) -> None:
        structlog.contextvars.clear_contextvars()
        bind_request_id(self._request_id)
        began = time.perf_counter()
        try:
            await self._serve()
        except Exception:
            _log.exception("request_broke_off", method=self._scope["method"], path=self._scope["path"])
            if self._status:
                raise
            detail = "This is our fault, not yours; the logs tell more under the request id."
            await self._answer(500, "internal_error", detail)
        finally:
            self._report(time.perf_counter() - began)

    async def _serve(self) -> None:
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body_bytes:
            limit = f"The body has {length} bytes; at most {self._max_body_bytes} are taken. Send less at once."
            await self._answer(413, "body_too_large", limit, {"Connection": "close"})
        elif self._has_body(length) and not _is_json(self._headers.get("content-type", "")):
            detail = "The body must be JSON; send the header 'Content-Type: application/json'."
            await self._answer(415, "unsupported_media_type", detail)
        else:
            await self._app(self._scope, self._receive, self._send_marked)

    def _has_body(self, length: str) -> bool:
        return (length.isdigit() and int(length) > 0) or "transfer-encoding" in self._headers

    async def _answer(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        response = problem_response(self._scope["path"], status, code, detail, headers=headers)
        await response(self._scope, self._receive, self._send_marked)

    async def _send_marked(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)

    def _report(self, seconds: float) -> None:
        method = self._scope["method"]
        route = getattr(self._scope.get("route"), "path", _UNMATCHED)
        REQUESTS.labels(method, route, str(self._status)).inc()
        REQUEST_SECONDS.labels(method, route).observe(seconds)
        if route not in _QUIET:
            _log.info(
                "request",
                method=method,
                path=self._scope["path"],
                status=self._status,
                ms=round(seconds * 1000, 1),
            )


def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))
