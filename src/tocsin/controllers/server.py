"""Running the HTTP API in this process."""

import asyncio
import contextlib
import resource
import signal
import socket
import sys
from functools import partial
from typing import cast

import structlog
import uvicorn
from fastapi import FastAPI

from tocsin import tracing
from tocsin.bootstrap import Resources, open_resources, settle_memory
from tocsin.controllers.app import create_app
from tocsin.controllers.connections import ConnectionWatch, Patience
from tocsin.controllers.protocol import HttpProtocol
from tocsin.controllers.socket_protocol import SocketProtocol
from tocsin.errors import ConfigurationError
from tocsin.settings import ApiSettings, Settings
from tocsin.telemetry import CONNECTIONS, introduce

_BACKLOG = 2048
_MAX_MESSAGE_BYTES = 1024
_PING_SECONDS = 30.0
_UNACKNOWLEDGED_MS = 60_000
_OTHER_FILES = 250
"""File descriptors for all that is no connection of a client: the pool, Redis, those of the language itself."""
_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """Settles when it is ready; lets those go who wait or listen before it waits for their requests."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, watch: ConnectionWatch) -> None:
        super().__init__(config)
        self._app = app
        self._watch = watch
        CONNECTIONS.set_function(lambda: len(self.server_state.connections))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_memory()

    async def on_tick(self, counter: int) -> bool:
        self._watch.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        resources: Resources = self._app.state.resources
        resources.finality.close()
        await resources.streams.stop()
        await super().shutdown(sockets)


def run_server(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; running requests then get `ApiSettings.graceful_timeout` seconds.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    introduce("api")
    if settings.tracing.enabled:
        tracing.switch_on("api")
    listener = listen(host, port)
    app = create_app(open_resources(settings), settings.api.max_body_bytes, settings.api.cors_origins)
    # When all is done, uvicorn raises the signal again, for whoever handled it before. An orderly stop is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listener:
        _log.info("api_listening", host=host, port=listener.getsockname()[1])
        build_server(app, settings.api).run(sockets=[listener])


def build_server(app: FastAPI, options: ApiSettings) -> uvicorn.Server:
    """Return what serves ``app``, which `create_app` made."""
    patience = Patience(options.head_timeout, options.body_timeout, options.read_timeout)
    watch = ConnectionWatch(patience, _allow_connections(options.max_connections))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast("type[HttpProtocol]", partial(HttpProtocol, watch=watch)),
        ws=SocketProtocol,
        ws_max_size=_MAX_MESSAGE_BYTES,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        # It takes more memory than all the rest of a socket.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=options.keep_alive,  # type: ignore[arg-type]  # a timer takes fractions
        timeout_graceful_shutdown=round(options.graceful_timeout),
    )
    return _Server(config, app, watch)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it (RFC 5482). Else a client who vanished while it was sent something is kept for a
        # quarter of an hour.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    return listener


def _allow_connections(wanted: int) -> int:
    """Return for how many connections there are file descriptors; take as many as the system allows.

    By default processes start with as few as a thousand.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    allowed = wanted if soft == resource.RLIM_INFINITY else min(wanted, max(1, soft - _OTHER_FILES))
    if allowed < wanted:
        _log.warning("fewer_connections", allowed=allowed, wanted=wanted, files=soft)
    return allowed
