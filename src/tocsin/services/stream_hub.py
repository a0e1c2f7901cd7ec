"""The hub: reads what changed in the inboxes that this process has listeners of, once for all of them.

One read goes on at a time, of many inboxes, and the next one is asked for meanwhile. So the snapshots of one process
have an order, and what one says of an inbox goes to those who are live in it, to all of them or none, and to those
who join in the same moment.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from tocsin.coalescer import Coalescer
from tocsin.errors import Overloaded, ServerStopping, TooManyStreams, Unavailable
from tocsin.repositories.stream_reads import StreamQuery, StreamRead
from tocsin.repositories.unit_of_work import Database
from tocsin.services.inboxes import MAX_CHANGES
from tocsin.services.ports import Versions
from tocsin.services.stream_listener import Listener
from tocsin.services.stream_topic import PAGE, Made, Topic
from tocsin.telemetry import BATCH_ITEMS

_MAX_BATCH: Final = 64
_MAX_WAITING: Final = 100_000
_RETURN_SECONDS: Final = 5.0
_FULL_SECONDS: Final = 25.0
_GOODBYE_SECONDS: Final = 3.0
_NEWEST: Final = 2**63 - 1
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Need:
    """What is to be read: the next page of a listener, or, without one, what is new in an inbox."""

    topic: Topic
    listener: Listener | None = None


class StreamHub:
    """Everybody who listens to inboxes in this process."""

    def __init__(self, database: Database, max_open: int, max_per_inbox: int) -> None:
        self._database = database
        self._max_open = max_open
        self._max_per_inbox = max_per_inbox
        self._topics: dict[UUID, Topic] = {}
        self.listeners: set[Listener] = set()
        self.missed = asyncio.Event()
        self._gone = asyncio.Event()
        self._closed = False
        self._reads: Coalescer[_Need, None] = Coalescer(
            self._read, max_batch=_MAX_BATCH, max_waiting=_MAX_WAITING, observe=BATCH_ITEMS.labels("stream").observe
        )

    async def join(self, listener: Listener) -> None:
        """Begin to tell ``listener``; its first messages wait when this returns. It must `leave`, whatever comes.

        Raises:
            TooManyStreams: too many listen to its inbox.
            Unavailable: its inbox cannot be read right now, too many listen in all, or the service stops.
        """
        if self._closed:
            raise ServerStopping(retry_after=_spread())
        topic = self._topics.get(listener.user_id) or Topic(listener.user_id)
        self._check_room(topic)
        # Before it reads: of what is committed after its snapshot, only who is here already is told.
        self._topics[topic.user_id] = topic
        topic.listeners.add(listener)
        self.listeners.add(listener)
        await self.read_on(listener)

    async def read_on(self, listener: Listener) -> None:
        """Read the next page for a listener who is behind."""
        if topic := self._topics.get(listener.user_id):
            await self._reads.submit(_Need(topic, listener))

    def leave(self, listener: Listener) -> None:
        """Forget ``listener``, if it is known."""
        self.listeners.discard(listener)
        if topic := self._topics.get(listener.user_id):
            topic.leave(listener)
            if not topic.listeners:
                del self._topics[topic.user_id]
        if self._closed and not self.listeners:
            self._gone.set()

    def hint(self, versions: Versions) -> None:
        """Read the inboxes that are at versions not told yet, soon."""
        for user_id, version in versions.items():
            if topic := self._topics.get(user_id):
                topic.note(version)
                self._request(topic)

    def catch_up(self) -> None:
        """Ask for a look."""
        self.missed.set()

    def retry(self) -> None:
        """Ask again for what could not be read."""
        for topic in self._topics.values():
            self._request(topic)

    async def look(self) -> int:
        """Find the inboxes that have changed though no hint told of it, and have them read; return how many.

        Raises:
            Unavailable: the database cannot be asked.
        """
        user_ids = [topic.user_id for topic in self._topics.values() if topic.cursor]
        if not user_ids:
            return 0
        clocks = await self._database.read(lambda uow: uow.inboxes.clocks(user_ids))
        found = 0
        for user_id, clock in clocks.items():
            topic = self._topics.get(user_id)
            if topic is None or topic.cursor is None:
                continue
            if clock.epoch == topic.cursor.epoch:
                topic.note(clock.version)
            else:
                topic.distrust()
            found += topic.is_due and not topic.requested
            self._request(topic)
        return found

    async def close(self) -> None:
        """Send everybody away, spread over some seconds; hang up on those who do not go."""
        self._closed = True
        for listener in list(self.listeners):
            listener.end(ServerStopping(retry_after=_spread()))
        if self.listeners:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._gone.wait()
        for listener in list(self.listeners):
            listener.abandon()

    def _check_room(self, topic: Topic) -> None:
        if len(self.listeners) >= self._max_open:
            raise Overloaded(f"This process has all {self._max_open} streams that it may have.", retry_after=_spread())
        if len(topic.listeners) >= self._max_per_inbox:
            detail = f"This inbox has all {self._max_per_inbox} streams that it may have in one process."
            raise TooManyStreams(detail, ["inbox-streams"], retry_after=_FULL_SECONDS + _spread())

    def _request(self, topic: Topic) -> None:
        if topic.is_due and not topic.requested:
            topic.requested = self._reads.post(_Need(topic))

    async def _read(self, needs: Sequence[_Need]) -> Sequence[None]:
        plans = _plans(needs)
        for plan in plans:
            plan.topic.begin_read()
        queries = list({query for plan in plans for query in plan.queries})
        if queries:
            try:
                found = await self._database.read(lambda uow: uow.stream_reads.read(queries, PAGE + 1, MAX_CHANGES + 1))
            except Exception as error:
                for plan in plans:
                    plan.topic.distrust()
                if isinstance(error, Unavailable):
                    _log.warning("stream_read_failed", inboxes=len(plans), error=error.detail)
                else:
                    _log.exception("stream_read_broke_off", inboxes=len(plans))
                raise
            for plan in plans:
                plan.carry_out(found)
                self._request(plan.topic)
        return [None] * len(needs)


class _Plan:
    """What is asked about one inbox in one read, and for whom."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.joining: dict[Listener, StreamQuery] = {}
        self._cursor = topic.cursor
        self._live = StreamQuery(topic.user_id, topic.cursor.version, counted=False) if topic.cursor else None

    @property
    def queries(self) -> Iterator[StreamQuery]:
        """All that is to be asked. Who joins moves the cursor, so those who are live must be told."""
        yield from self.joining.values()
        if self._live:
            yield self._live

    def add(self, listener: Listener) -> None:
        """Ask for the next page of ``listener``."""
        since = listener.position
        self.joining[listener] = StreamQuery(
            self.topic.user_id, since.version if since else _NEWEST, counted=since is not None
        )

    def carry_out(self, found: Mapping[StreamQuery, StreamRead]) -> None:
        """Tell everybody what was found."""
        made: Made = {}
        if self._live and self._cursor:
            self.topic.advance(self._cursor, found[self._live], made)
        for listener, query in self.joining.items():
            if listener in self.topic.listeners:
                self.topic.admit(listener, found[query], made)


def _plans(needs: Sequence[_Need]) -> list[_Plan]:
    plans: dict[Topic, _Plan] = {}
    for need in needs:
        if need.listener is None:
            need.topic.requested = False
        if need.topic not in plans and (need.listener or need.topic.is_due):
            plans[need.topic] = _Plan(need.topic)
        if need.listener and need.listener in need.topic.listeners:
            plans[need.topic].add(need.listener)
    return list(plans.values())


def _spread() -> float:
    return round(random.uniform(0, _RETURN_SECONDS), 1)  # noqa: S311 - spreads returns, guards nothing
