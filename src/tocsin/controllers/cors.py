"""Pages of other origins (Fetch standard, section 3.2), as far as the settings let them in."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.controllers.problems import problem_response

_METHODS: Final = ("GET", "HEAD", "POST", "DELETE")
_ALLOWED: Final = ("Authorization", "Content-Type", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "X-Request-ID")
_EXPOSED: Final = (
    "Date",
    "ETag",
    "X-Request-ID",
    "Retry-After",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
)
_PORTS: Final = {"http": ":80", "https": ":443"}


def sharing(cors_origins: Collection[str]) -> Callable[[ASGIApp], ASGIApp]:
    """Return what lets pages of ``cors_origins`` read what an application answers."""
    if not cors_origins:
        return lambda app: app
    return partial(
        _Cors,
        allow_origins=frozenset(cors_origins),
        allow_methods=_METHODS,
        allow_headers=_ALLOWED,
        expose_headers=_EXPOSED,
    )


class _Cors(CORSMiddleware):
    """Refuses a preflight in the shape of all errors."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["method"] != "OPTIONS" or "origin" not in headers or "access-control-request-method" not in headers:
            await self.simple_response(scope, receive, send, request_headers=headers)
            return
        response = self.preflight_response(headers)
        if response.status_code >= 400:
            detail = f"{bytes(response.body).decode()}; TOCSIN_API__CORS_ORIGINS lists the origins that may call."
            vary = {"Vary": response.headers["Vary"]}
            response = problem_response(scope["path"], 400, "cors_refused", detail, headers=vary)
        await response(scope, receive, send)


def is_own_page(origin: str, headers: Headers) -> bool:
    """Tell whether a page of ``origin`` is one of this service, by the host that the browser asked for.

    The scheme is not compared: a proxy before this may have taken TLS off.
    """
    parts = urlsplit(origin)
    host = headers.get("host", "").lower().removesuffix(_PORTS.get(parts.scheme, ""))
    return parts.netloc != "" and host == parts.netloc
