"""What the use cases need from the outside, declared by the side that needs it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from tocsin.models.verdict import Verdict

Clock = Callable[[], datetime]
"""Tells the present as an aware UTC time."""


class Analyzer(Protocol):
    """Judges texts."""

    async def analyze(self, title: str, text: str) -> Verdict:
        """Return the verdict.

        Raises:
            AnalyzerOutage: the AI is not well (timeout, connection, 429, 5xx); asking later may work.
            AnalyzerError: of any other kind: asking again would not help.
        """
        ...


class Doorbell(Protocol):
    """Tells the workers that there is work. Nothing depends on its arrival."""

    def ring(self, ids: Sequence[UUID]) -> None:
        """Publish the ids of notifications that have a job; never blocks and never raises."""
        ...

    async def queue_length(self) -> int | None:
        """Return how many messages wait for a worker, None if that cannot be told. Never raises."""
        ...


class PageCache(Protocol):
    """Keeps rendered pages for a while, or forgets them. Never raises."""

    async def get(self, key: str) -> bytes | None:
        """Return what was stored under ``key``, if it is still there."""
        ...

    async def set(self, key: str, page: bytes) -> None:
        """Keep ``page`` under ``key`` for a while."""
        ...


class Charge(NamedTuple):
    """``cost`` units of the ``quota`` that ``partition`` has a minute. A tuple, since every call makes some."""

    partition: str
    quota: int
    cost: int


class Taken(NamedTuple):
    """Whether the charges of a request were taken; and, in their order, how many units of each quota are used."""

    allowed: bool
    used: tuple[float, ...]


class RateLimiter(Protocol):
    """Counts what is used of quotas, for all processes together. Never raises."""

    async def take(self, charges: Sequence[Charge]) -> Taken | None:
        """Take all charges or, if one exceeds its quota, none; None if that cannot be told now."""


Versions = Mapping[UUID, int]
"""Where the clocks of some inboxes are, by user."""


class HintReader(Protocol):
    """Wants to know of changes."""

    def hint(self, versions: Versions) -> None:
        """Take note that the inboxes are at least at these versions. Never blocks."""
        ...

    def catch_up(self) -> None:
        """Take note that hints may have been missed. Never blocks."""
        ...


class ChangeFeed(Protocol):
    """Carries hints of what has changed between processes. Each may be lost, doubled, or overtaken by another."""

    @property
    def is_whole(self) -> bool:
        """Whether the hints of other processes arrive, as far as is known."""
        ...

    def publish(self, versions: Versions) -> None:
        """Tell everybody, the readers of this process at once; never blocks and never raises."""
        ...

    def add_reader(self, reader: HintReader) -> None:
        """Tell ``reader`` from now on."""
        ...
