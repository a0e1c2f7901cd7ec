"""``tocsin serve``: the HTTP API."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [TOCSIN_API__HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.  [TOCSIN_API__PORT]")
    ] = None,
) -> None:
    """Serve the HTTP API; run as many as you like behind a proxy."""
    # FastAPI and SQLAlchemy take a while to import; other commands need not wait for them.
    from tocsin.controllers.server import run_server
    from tocsin.settings import Settings, load_settings
    from tocsin.telemetry import configure_logging

    settings = load_settings(Settings)
    configure_logging(settings.log.format, settings.log.level)
    run_server(settings, host or settings.api.host, settings.api.port if port is None else port)
