"""Routes of streams: server-sent events, stream tokens, and what HTTP says where WebSockets are."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, HTTPException, Query, Response
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from tocsin.controllers.dependencies import Call
from tocsin.controllers.guard import GuardedRoute, admits
from tocsin.controllers.problems import declare
from tocsin.controllers.v1.fields import UserId
from tocsin.controllers.v1.inbox_schemas import TokenOut
from tocsin.controllers.v1.stream_schemas import render, retry_after_of
from tocsin.controllers.v1.stream_socket import hang_up_of
from tocsin.errors import TocsinError
from tocsin.models import api_key
from tocsin.services.rate_limits import Activity
from tocsin.services.stream_listener import Listener
from tocsin.services.stream_messages import Closing, Message
from tocsin.services.streams import StreamService

_TRANSPORT: Final = "sse"
_UPGRADE: Final = {"Upgrade": "websocket", "Connection": "Upgrade"}
_HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_SINCE: Final = "A position: what changed after it is told first. Without it, or if it is too old, nothing is."

_DOCUMENTED: Final = {
    "description": "One event a message, with its JSON as `data` and its position as `id`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

router = APIRouter(prefix="/api/v1/inboxes", tags=["streams"], route_class=GuardedRoute)
open_router = APIRouter(prefix="/api/v1/inboxes", include_in_schema=False)


@router.post(
    "/{user_id}/stream-tokens",
    status_code=201,
    summary="Mint a stream token",
    responses=declare(400, 401, 403, 404, 422),
)
@admits(api_key.Scope.READ, activity=Activity.WRITE)
async def mint_token(call: Call, user_id: UserId) -> TokenOut:
    """A token for `?token=`, since browsers set no header on a `WebSocket` or an `EventSource`.

    It opens streams of this inbox within 30 seconds. They last as long as the credential that it was made with.
    """
    return TokenOut.model_validate(call.resources.streams.mint_token(call.caller, user_id))


@router.get(
    "/{user_id}/events",
    summary="Listen to an inbox",
    response_class=Response,
    responses={200: _DOCUMENTED, **declare(400, 401, 403, 404, 422)},
)
@admits(api_key.Scope.READ, activity=Activity.READ, stream_token=True)
async def listen(
    call: Call,
    user_id: UserId,
    since: Annotated[str | None, Query(max_length=200, description=_SINCE)] = None,
    token: Annotated[str | None, Query(max_length=2000, description="A stream token, in place of the header.")] = None,  # noqa: ARG001 - `authenticate_listener` has read it
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=200, description="Counts more than `since`.")
    ] = None,
) -> Response:
    """Changes as they happen, as server-sent events; the same messages as over the WebSocket at `…/stream`.

    The answer does not end, so a page that waits for its end, as this one does, cannot show it. In a terminal:

        curl -N -H "Authorization: Bearer $KEY" "$URL/api/v1/inboxes/$USER_ID/events"

    Each message has `type`, `position` (the `since` of the next connection), and what belongs to it:

    - `hello`, first: `unread`, and whether it was `recovered`, so that what changed after `since` follows. If not,
      load the list now.
    - `change`: a `notification` as it is now, and `unread`. Keep the highest `version` of each; one with `deleted_at`
      is gone.
    - `reset`: too much changed to tell; load the list anew.
    - `ping`, every 25 seconds.
    - `close`: the connection is about to end, by which `code`; come back after `retry_after` seconds, unless it is
      null.
    """
    listener = await call.resources.streams.open(
        call.caller, user_id, last_event_id or since, transport=_TRANSPORT, hang_up=hang_up_of(call.scope)
    )
    return _EventStream(call.resources.streams, listener)


@open_router.get("/{user_id}/stream")
async def explain(user_id: str) -> Response:  # noqa: ARG001 - names the part of the path
    """Tell whoever comes without a WebSocket."""
    raise HTTPException(426, "This path takes WebSockets; the same over plain HTTP is at …/events.", _UPGRADE)


class _EventStream(EventSourceResponse):
    """Sends what a listener gets, and lets go of it however it ends, even before it began.

    FastAPI's own generator routes put a queue and a task of their own between, and pings beside ours.
    """

    def __init__(self, streams: StreamService, listener: Listener) -> None:
        super().__init__(_events(listener), headers=_HEADERS)
        self._streams = streams
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.close(self._listener, _TRANSPORT)


async def _events(listener: Listener) -> AsyncIterator[bytes]:
    try:
        while (message := await listener.receive()) is not None:
            yield _event(message)
    except TocsinError as error:
        yield _event(Closing(listener.position, error))


def _event(message: Message) -> bytes:
    retry_after = retry_after_of(message.error) if isinstance(message, Closing) else None
    return format_sse_event(
        data_str=render(message),
        id=str(message.position) if message.position else None,
        retry=None if retry_after is None else round(retry_after * 1000),
    )
