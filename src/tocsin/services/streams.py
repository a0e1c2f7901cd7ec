"""Live streams of inboxes: who may listen, and from when to when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from tocsin.errors import Unauthenticated
from tocsin.models.api_key import Scope
from tocsin.repositories.unit_of_work import Database
from tocsin.services.access import Caller, InboxCaller, InboxToken, ServiceCaller, StreamCaller
from tocsin.services.ports import Clock
from tocsin.services.positions import Position
from tocsin.services.stream_hub import StreamHub
from tocsin.services.stream_keeper import StreamKeeper
from tocsin.services.stream_listener import Listener, Tenure
from tocsin.services.stream_tokens import StreamTokens
from tocsin.telemetry import STREAMS, STREAMS_ENDED


class StreamService:
    """Use cases of live streams."""

    def __init__(
        self, database: Database, hub: StreamHub, keeper: StreamKeeper, tokens: StreamTokens, clock: Clock
    ) -> None:
        self._database = database
        self._hub = hub
        self._keeper = keeper
        self._tokens = tokens
        self._clock = clock

    def mint_token(self, caller: Caller, user_id: UUID) -> InboxToken:
        """Make a token with which a browser opens a stream of the inbox, soon."""
        return self._tokens.mint(caller, user_id)

    async def authenticate(self, token: str) -> StreamCaller:
        """Return who holds a stream token.

        Raises:
            Unauthenticated: nobody does, or not any more.
        """
        caller = self._tokens.read(token)
        if (key_hash := caller.key_hash) is not None:
            now = self._clock()
            if not await self._database.read(lambda uow: uow.api_keys.good_among([key_hash], now)):
                raise Unauthenticated("The service key that this stream token was made with is good no more.")
        return caller

    async def open(
        self, caller: Caller, user_id: UUID, since: str | None, *, transport: str, hang_up: Callable[[], None]
    ) -> Listener:
        """Return a listener to the inbox from the position ``since`` on, or from now on; it must be closed.

        ``hang_up`` is called, once or more, if it must not be waited for: what is being sent is to be given up.

        Raises:
            InvalidPosition: ``since`` is not a position.
            TooManyStreams: too many listen to the inbox.
            Unavailable: the inbox cannot be read right now, too many listen in all, or the service stops.
        """
        caller.require_inbox(user_id, Scope.READ)
        position = Position.parse(since) if since is not None else None
        listener = Listener(user_id, position, _tenure_of(caller), read_on=self._hub.read_on, hang_up=hang_up)
        self._keeper.welcome(listener)
        try:
            await self._hub.join(listener)
        except BaseException:
            self._hub.leave(listener)
            raise
        STREAMS.labels(transport).inc()
        return listener

    def close(self, listener: Listener, transport: str) -> None:
        """Let go of ``listener``."""
        self._hub.leave(listener)
        STREAMS.labels(transport).dec()
        STREAMS_ENDED.labels(transport, listener.error.code if listener.error else "left").inc()

    async def stop(self) -> None:
        """Send everybody away, and take nobody in any more."""
        await self._hub.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the streams meanwhile."""
        task = asyncio.create_task(self._keeper.run(), name="stream-keeper")
        try:
            yield
        finally:
            await self.stop()
            task.cancel()
            await asyncio.wait({task})


def _tenure_of(caller: Caller) -> Tenure:
    match caller:
        case ServiceCaller():
            return Tenure(caller.expires_at, caller.key_hash)
        case StreamCaller():
            return Tenure(caller.expires_at, caller.key_hash)
        case InboxCaller():
            return Tenure(caller.expires_at)
