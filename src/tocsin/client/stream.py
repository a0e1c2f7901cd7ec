"""The stream of an inbox, by the protocol in docs/stream.md: one connection after another, nothing missed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ValidationError

from tocsin.client.errors import StreamRefused, Unreachable
from tocsin.client.models import Change, Disconnected, Hello, Message, Ping, Reset
from tocsin.client.retries import Backoff, parse_retry_after
from tocsin.client.transport import Transport, unreachable

_KINDS: Final[dict[str, type[Hello | Change | Reset | Ping]]] = {
    "hello": Hello,
    "change": Change,
    "reset": Reset,
    "ping": Ping,
}
_CONNECT_WITHIN: Final = 10
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
_IN_VAIN: Final = 4500
_TOKEN_EXPIRED: Final = 4003
_TOO_SLOW: Final = 4001
_PASSING: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
# A peer that is gone does not say goodbye.
_CLOSE: Final = aiohttp.ClientWSTimeout(ws_close=1)


class _Close(BaseModel):
    """What the service says before it ends a connection, or what its close frame says."""

    code: int | None
    reason: str
    detail: str = ""
    retry_after: float | None = None

    def check(self) -> None:
        """Raise what says that coming back is in vain."""
        # A key cannot be renewed from here, so one that expired stays so.
        if self.code is not None and (self.code >= _IN_VAIN or self.code == _TOKEN_EXPIRED):
            raise StreamRefused(self.code, self.reason, self.detail or f"The stream was refused: {self.reason}.")


@dataclass(slots=True)
class _Ending(Exception):
    """Not a failure, only the way out of a connection."""

    reason: str
    retry_after: float | None = None


async def stream(
    transport: Transport, user_id: UUID | str, since: str | None, stale_after: float
) -> AsyncGenerator[Message, None]:
    """Yield what comes, over as many connections as it takes; see `TocsinClient.stream`."""
    position = since
    backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
    while True:
        try:
            async with aclosing(_connection(transport, user_id, position, stale_after)) as messages:
                async for message in messages:
                    if isinstance(message, Hello):
                        backoff.reset()
                    position = message.position
                    yield message
        except _Ending as ending:
            # What the service asks for is spread over its clients already.
            delay = backoff.next() if ending.retry_after is None else ending.retry_after
            yield Disconnected(position=position, reason=ending.reason, retry_in=delay)
            await asyncio.sleep(delay)


async def _connection(
    transport: Transport, user_id: UUID | str, position: str | None, stale_after: float
) -> AsyncGenerator[Hello | Change | Reset | Ping, None]:
    """Yield what one connection says, and tell of its end by `_Ending`."""
    socket = await _connect(transport, user_id, position)
    try:
        closing: _Close | None = None
        while True:
            try:
                # Pings of the transport prove that there is a peer, not that it has anything to say.
                async with asyncio.timeout(stale_after):
                    frame = await socket.receive()
            except TimeoutError:
                raise _Ending(f"nothing came for {stale_after:g} seconds") from None
            if frame.type is not aiohttp.WSMsgType.TEXT:
                raise _end(closing, socket.close_code, frame)
            document = _read(frame.data)
            if document.get("type") == "close":
                closing = _close(document)
                closing.check()
            elif kind := _KINDS.get(str(document.get("type"))):
                try:
                    message = kind.model_validate(document)
                except ValidationError:
                    raise _Ending("what came is no message of the protocol") from None
                yield message
    finally:
        await socket.close()


async def _connect(transport: Transport, user_id: UUID | str, position: str | None) -> aiohttp.ClientWebSocketResponse:
    query = f"?{urlencode({'since': position})}" if position is not None else ""
    url = f"{transport.base}/api/v1/inboxes/{quote(str(user_id), safe='')}/stream{query}"
    try:
        async with asyncio.timeout(_CONNECT_WITHIN):
            return await transport.session.ws_connect(url, timeout=_CLOSE)
    except aiohttp.WSServerHandshakeError as error:
        passing = error.status in _PASSING or not HTTPStatus.BAD_REQUEST <= error.status < 500
        if not passing:
            told = f"{transport.base} refused the stream with HTTP status {error.status}."
            raise StreamRefused(error.status, "handshake", told) from None
        retry_after = parse_retry_after(error.headers.get("Retry-After") if error.headers else None)
        raise _Ending(f"{transport.base} answered with HTTP status {error.status}", retry_after) from None
    except TimeoutError:
        raise _Ending(f"{transport.base} did not answer in time") from None
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        failure: Unreachable = unreachable(transport.base, error)
        raise _Ending(failure.detail) from None


def _end(closing: _Close | None, close_code: int | None, frame: aiohttp.WSMessage) -> _Ending:
    """Return how a connection ended: as announced, by its close frame, or by no word at all."""
    if closing is not None:
        return _Ending(closing.detail or closing.reason, closing.retry_after)
    reason = str(frame.extra or "") if frame.type is aiohttp.WSMsgType.CLOSE else ""
    _Close(code=close_code, reason=reason).check()
    if close_code == _TOO_SLOW:
        return _Ending("this program read too slowly")
    return _Ending(reason or "the connection broke")


def _close(document: dict[str, Any]) -> _Close:
    try:
        return _Close.model_validate(document)
    except ValidationError:
        return _Close(code=None, reason="the service is about to end the connection")


def _read(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
