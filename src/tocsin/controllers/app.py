"""The HTTP application."""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import WebSocketRoute
from starlette.types import Scope

from tocsin import __version__, tracing
from tocsin.bootstrap import Resources
from tocsin.controllers import docs, operations, problems, web
from tocsin.controllers.cors import sharing
from tocsin.controllers.edge import EdgeMiddleware
from tocsin.controllers.v1 import inboxes, notifications, streams
from tocsin.controllers.v1.stream_socket import StreamSocket

_DESCRIPTION = """
Programs post notifications; an AI judges each one (`info`, `warning`, `critical`) before a person has to read it.

Authorize with a **service key** (`tcs_…`, may act for any user) or an **inbox token** (one inbox, minted with a
service key). Every error is `application/problem+json` (RFC 9457) and says what to do.

What changes in an inbox comes live over the WebSocket `GET /api/v1/inboxes/{user_id}/stream`, which this document has
no words for, and as server-sent events; [the latter](#/streams/streams_listen) tell what both say. How connections
end, and how to come back, is in `docs/stream.md` of Tocsin's source.
"""

_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
_TAGS = [
    {"name": "notifications", "description": "One message for one user each, and what the AI made of it."},
    {"name": "inboxes", "description": "All notifications of one user: counts, what changed, and who may look."},
    {"name": "streams", "description": "Changes as they happen, over a WebSocket or as server-sent events."},
    {"name": "operations", "description": "For those who run it; no credential needed."},
]


def create_app(
    opened: AbstractAsyncContextManager[Resources], max_body_bytes: int, cors_origins: Collection[str] = ()
) -> FastAPI:
    """Return the application; it enters ``opened`` at its start and leaves it at its end.

    Pages of ``cors_origins`` may call it, beside its own.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened as resources:
            app.state.resources = resources
            yield

    app = FastAPI(
        telemetry={
            "tracing": tracing.is_on(),
            "exclude": _is_untraced,
            # The rest is told in metrics and logs of our own; its logs would quote what callers sent.
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        title="Tocsin",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=_TAGS,
        separate_input_output_schemas=False,
        generate_unique_id_function=_operation_id,
    )
    app.add_middleware(EdgeMiddleware, max_body_bytes=max_body_bytes, share=sharing(cors_origins))
    problems.install(app)
    app.include_router(notifications.router)
    app.include_router(inboxes.router)
    app.include_router(streams.router)
    app.include_router(streams.open_router)
    app.router.routes.append(WebSocketRoute("/api/v1/inboxes/{user_id}/stream", StreamSocket(cors_origins)))
    app.include_router(operations.router)
    docs.install(app)
    app.include_router(web.router)
    return app


def _operation_id(route: APIRoute) -> str:
    """Return a name that generated clients can live with, such as ``notifications_create``."""
    return "_".join([*map(str, route.tags), route.name])


def _is_untraced(scope: Scope) -> bool:
    """Probes say nothing, and streams last for hours and may have a token in their address."""
    path: str = scope["path"]
    return path in _PROBES or path.endswith(("/events", "/stream"))
