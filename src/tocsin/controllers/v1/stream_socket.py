"""The WebSocket of a stream (RFC 6455): a thin shell around a listener."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

import structlog
from fastapi import HTTPException
from pydantic import TypeAdapter, ValidationError
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from tocsin.bootstrap import Resources
from tocsin.controllers.cors import is_own_page
from tocsin.controllers.dependencies import authenticate_listener
from tocsin.controllers.guard import check_headers, check_query, named_inbox
from tocsin.controllers.problems import problem_response
from tocsin.controllers.rate_limits import charge, refuse_exhausted
from tocsin.controllers.v1.stream_schemas import code_of, render
from tocsin.errors import FieldError, InvalidInput, TocsinError, UnexpectedMessage
from tocsin.models import api_key
from tocsin.services.rate_limits import Activity
from tocsin.services.stream_listener import Listener
from tocsin.services.stream_messages import Closing, Message

HANG_UP: Final = "tocsin.hang_up"
"""The extension of a scope by which the server lets itself be told to give up a client who does not read."""
_TRANSPORT: Final = "websocket"
_PARAMETERS: Final = frozenset({"since", "token"})
_USER_ID: Final = TypeAdapter(UUID)
_BROKEN: Final = 1011
_log = structlog.get_logger(__name__)


def hang_up_of(scope: Scope) -> Callable[[], None]:
    """Return what gives up the client of ``scope``; nothing where the server cannot."""
    extension: dict[str, Callable[[], None]] = scope.get("extensions", {}).get(HANG_UP, {})
    return extension.get("call", lambda: None)


class StreamSocket:
    """Accepts whoever comes from a page that may, and says then what is wrong: browsers hide why a handshake failed."""

    def __init__(self, cors_origins: Collection[str]) -> None:
        self._cors_origins = frozenset(cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        connection = HTTPConnection(scope)
        origin = connection.headers.get("origin")
        if origin is not None and origin not in self._cors_origins and not is_own_page(origin, connection.headers):
            detail = "Pages of this origin may not listen; TOCSIN_API__CORS_ORIGINS lists those that may."
            await problem_response(scope["path"], 403, "forbidden", detail)(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        resources: Resources = scope["app"].state.resources
        try:
            listener = await _open(connection, resources)
        except TocsinError as error:
            await _say(send, Closing(None, error))
            return
        try:
            await _converse(listener, receive, send)
        finally:
            resources.streams.close(listener, _TRANSPORT)


async def _open(connection: HTTPConnection, resources: Resources) -> Listener:
    try:
        check_headers(connection)
    except HTTPException as error:
        raise InvalidInput((), error.detail) from None
    caller = await authenticate_listener(connection)
    caller.require(api_key.Scope.READ)
    refuse_exhausted(connection, caller, Activity.READ)
    await charge(connection, caller, Activity.READ, named_inbox(connection, caller))
    check_query(connection, _PARAMETERS)
    try:
        user_id = _USER_ID.validate_python(connection.path_params["user_id"])
    except ValidationError:
        raise InvalidInput([FieldError("/user_id", "must be a UUID", "path")]) from None
    since = connection.query_params.get("since")
    return await resources.streams.open(
        caller, user_id, since, transport=_TRANSPORT, hang_up=hang_up_of(connection.scope)
    )


async def _converse(listener: Listener, receive: Receive, send: Send) -> None:
    sender = asyncio.create_task(_send_all(listener, send), name="stream-sender")
    try:
        while (await receive())["type"] != "websocket.disconnect":
            listener.end(UnexpectedMessage())
    finally:
        sender.cancel()
        await asyncio.wait({sender})


async def _send_all(listener: Listener, send: Send) -> None:
    try:
        while (message := await listener.receive()) is not None:
            await _say(send, message)
    except TocsinError as error:
        await _say(send, Closing(listener.position, error))
    except OSError:
        # The client is gone; whoever receives learns it too.
        return
    except Exception:  # noqa: BLE001 - nobody awaits this task
        _log.exception("stream_broke_off")
        await send({"type": "websocket.close", "code": _BROKEN})


async def _say(send: Send, message: Message) -> None:
    await send({"type": "websocket.send", "text": render(message)})
    if isinstance(message, Closing):
        code, reason = code_of(message.error)
        await send({"type": "websocket.close", "code": code, "reason": reason})
