"""Open connections, and patience with those who keep them waiting.

A client who sends his request a byte a minute, or never reads the answer, costs a connection, a file descriptor and
memory for as long as he likes (RFC 9112, 9.5 leaves it to servers to end that). So each phase in which it is his turn
has a deadline. There is no timer per connection: who waits in a phase is kept in the order of beginning, and one look
a moment at those who began first finds all that are overdue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from tocsin.telemetry import CONNECTIONS_CUT

_SLOWEST_READER: Final = 1024
"""Bytes a second that a client has to read, on average over the deadline of reading."""


class Connection(Protocol):
    """What can be told to a connection."""

    def give_up_head(self) -> None:
        """End it, since the head of its request does not come."""

    def give_up_body(self) -> None:
        """End it, since the body of its request does not come."""

    def give_up_reading(self) -> None:
        """End it, since nobody reads the answer."""

    def make_room(self) -> None:
        """End it, since another needs its place."""

    @property
    def awaits_head(self) -> bool:
        """Whether it is the client's turn to send a head: nothing of his is served, and what he sends is taken."""

    @property
    def awaits_body(self) -> bool:
        """Whether it is the client's turn to send a body: what he sends is taken."""

    @property
    def unread_bytes(self) -> int:
        """How much of the answer waits to be read."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a head, from its first byte or the begin of the connection; for a body; for reading an answer."""

    head: float
    body: float
    reading: float


class Phase:
    """The connections that wait in one phase, in the order in which they began to."""

    def __init__(self) -> None:
        self._since: dict[Connection, float] = {}

    def begin(self, connection: Connection, now: float) -> None:
        """Note that ``connection`` waits, unless it does already."""
        self._since.setdefault(connection, now)

    def end(self, connection: Connection) -> None:
        """Note that it waits no more."""
        self._since.pop(connection, None)

    def first(self) -> Connection | None:
        """Return the one that has waited longest."""
        return next(iter(self._since), None)

    def take_overdue(self, began_before: float) -> Iterator[Connection]:
        """Take out all that began before a time."""
        while self._since:
            connection, since = next(iter(self._since.items()))
            if since > began_before:
                return
            del self._since[connection]
            yield connection


class ConnectionWatch:
    """Knows which connections wait for their clients, and ends those that wait too long or are too many.

    Belongs to one event loop; ``max_connections`` are open at a time.
    """

    def __init__(self, patience: Patience, max_connections: int) -> None:
        self.idle = Phase()
        self.head = Phase()
        self.body = Phase()
        self.reading = Phase()
        self._unread: dict[Connection, int] = {}
        self._patience = patience
        self._max = max_connections

    def admits(self, count: int) -> bool:
        """Tell whether there is room for the newest of ``count`` connections.

        If they are too many, the one that has waited longest for the begin of a request, or else for the rest of its
        head, makes room. So those who only occupy connections do it at each other's cost.
        """
        if count <= self._max:
            return True
        longest = self.idle.first() or self.head.first()
        if longest is None:
            CONNECTIONS_CUT.labels("refused").inc()
            return False
        self.forget(longest)
        CONNECTIONS_CUT.labels("made_room").inc()
        longest.make_room()
        return True

    def begin_reading(self, connection: Connection, now: float) -> None:
        """Note that the client has to read before there can be more."""
        self._unread[connection] = connection.unread_bytes
        self.reading.begin(connection, now)

    def end_reading(self, connection: Connection) -> None:
        """Note that he has."""
        self._unread.pop(connection, None)
        self.reading.end(connection)

    def forget(self, connection: Connection) -> None:
        """Note that it is no more."""
        for phase in (self.idle, self.head, self.body):
            phase.end(connection)
        self.end_reading(connection)

    def sweep(self, now: float) -> None:
        """End what waits for too long."""
        for connection in [*self.head.take_overdue(now - self._patience.head)]:
            if not connection.awaits_head:
                self.head.begin(connection, now)
                continue
            CONNECTIONS_CUT.labels("slow_head").inc()
            connection.give_up_head()
        for connection in [*self.body.take_overdue(now - self._patience.body)]:
            if not connection.awaits_body:
                self.body.begin(connection, now)
                continue
            CONNECTIONS_CUT.labels("slow_body").inc()
            connection.give_up_body()
        for connection in [*self.reading.take_overdue(now - self._patience.reading)]:
            before, unread = self._unread[connection], connection.unread_bytes
            if before - unread >= _SLOWEST_READER * self._patience.reading:
                self.begin_reading(connection, now)
                continue
            CONNECTIONS_CUT.labels("slow_reader").inc()
            self.end_reading(connection)
            connection.give_up_reading()
