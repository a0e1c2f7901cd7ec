"""``tocsin serve``: the HTTP API."""

import asyncio
import contextlib
import gc
from typing import Annotated

import typer

from tocsin.errors import DatabaseUnavailable


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [TOCSIN_API__HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.  [TOCSIN_API__PORT]")
    ] = None,
    *,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the database schema up to date first, where it is not.")
    ] = False,
) -> None:
    """Serve the HTTP API; run as many as you like behind a proxy."""
    gc.disable()  # it would look at what is imported again and again; `settle_memory` ends that
    # FastAPI and SQLAlchemy take a while to import; other commands need not wait for them.
    from tocsin.bootstrap import require_schema
    from tocsin.controllers.server import run_server
    from tocsin.settings import Settings, load_settings
    from tocsin.telemetry import configure_logging

    settings = load_settings(Settings)
    configure_logging(settings.log.format, settings.log.level)
    # It may come later, but not to somebody who wants it changed first.
    with contextlib.nullcontext() if migrate else contextlib.suppress(DatabaseUnavailable):
        asyncio.run(require_schema(settings, migrate=migrate))
    run_server(settings, host or settings.api.host, settings.api.port if port is None else port)
