"""The HTTP application."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from tocsin import __version__
from tocsin.bootstrap import Resources
from tocsin.controllers import docs, operations, problems
from tocsin.controllers.edge import EdgeMiddleware
from tocsin.controllers.v1 import inboxes, notifications

_DESCRIPTION = """
Programs post notifications; an AI judges each one (`info`, `warning`, `critical`) before a person has to read it.

Authorize with a **service key** (`tcs_…`, may act for any user) or an **inbox token** (one inbox, minted with a
service key). Every error is `application/problem+json` (RFC 9457) and says what to do.
"""

_TAGS = [
    {"name": "notifications", "description": "One message for one user each, and what the AI made of it."},
    {"name": "inboxes", "description": "All notifications of one user: counts, what changed, and who may look."},
    {"name": "operations", "description": "For those who run it; no credential needed."},
]


def create_app(opened: AbstractAsyncContextManager[Resources], max_body_bytes: int) -> FastAPI:
    """Return the application; it enters ``opened`` at its start and leaves it at its end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened as resources:
            app.state.resources = resources
            yield

    app = FastAPI(
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
    app.add_middleware(EdgeMiddleware, max_body_bytes=max_body_bytes)
    problems.install(app)
    app.include_router(notifications.router)
    app.include_router(inboxes.router)
    app.include_router(operations.router)
    docs.install(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """Return a name that generated clients can live with, such as ``notifications_create``."""
    return "_".join([*map(str, route.tags), route.name])
