"""One client of a stream: what waits to be sent to it, and how far it has been told."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tocsin.errors import TocsinError, TooSlow
from tocsin.services.positions import Position
from tocsin.services.stream_messages import Closing, Message

_MAX_WAITING: Final = 400


@dataclass(frozen=True, slots=True)
class Tenure:
    """How long the credential of a listener is good: until a time, and as long as the secret of a service key is."""

    expires_at: datetime | None = None
    key_hash: bytes | None = field(default=None, repr=False)


class Listener:
    """Takes messages from the hub without ever holding it up, and hands them to whoever sends them.

    ``position`` is up to where all was told by what is in the queue or was sent. A listener that is ``behind`` is not
    told of what happens now; it reads on page by page, as fast as it sends.
    """

    def __init__(
        self,
        user_id: UUID,
        since: Position | None,
        tenure: Tenure,
        *,
        read_on: Callable[["Listener"], Awaitable[None]],
        hang_up: Callable[[], None],
    ) -> None:
        self.user_id = user_id
        self.position = since
        self.tenure = tenure
        self.greeted = False
        self.behind = True
        self.error: TocsinError | None = None
        self.ping_at = 0.0
        self._read_on = read_on
        self._hang_up = hang_up
        self._queue: deque[Message] = deque()
        self._sent = 0
        self._sent_before = -1
        self._wake: asyncio.Future[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the last message is there, or there will be none."""
        return self.error is not None

    async def receive(self) -> Message | None:
        """Return the next message, None after the last.

        Raises:
            Unavailable: what comes next cannot be read.
        """
        while not self._queue:
            if self.has_ended:
                return None
            if self.behind:
                await self._read_on(self)
                continue
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        self._sent += 1
        return self._queue.popleft()

    def push(self, messages: Sequence[Message], position: Position) -> None:
        """Have ``messages`` sent, after which all up to ``position`` has been told; end it if too much waits."""
        if self.has_ended:
            return
        if len(self._queue) + len(messages) > _MAX_WAITING:
            self.abandon()
            return
        self.position = position
        self._queue.extend(messages)
        self._notify()

    def end(self, error: TocsinError) -> None:
        """Have what waits sent, then the reason, and nothing more."""
        if not self.has_ended:
            self._queue.append(Closing(self.position if self.greeted else None, error))
            self.error = error
            self._notify()

    def abandon(self) -> None:
        """Forget what waits, and hang up on whoever does not read."""
        self.error = self.error or TooSlow()
        self._queue.clear()
        self._notify()
        self._hang_up()

    def check_progress(self) -> bool:
        """Return whether something was sent, or nothing waited, since this was asked last."""
        stuck = bool(self._queue) and self._sent == self._sent_before
        self._sent_before = self._sent
        return not stuck

    def _notify(self) -> None:
        if self._wake is not None:
            with contextlib.suppress(asyncio.InvalidStateError):
                self._wake.set_result(None)
            self._wake = None
