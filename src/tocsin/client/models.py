"""What the service answers with, as immutable objects.

Fields that a newer service adds are kept, and shown again by ``model_dump_json``; they need no newer client.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Category(StrEnum):
    """What a notification was judged to be."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class ProcessingStatus(StrEnum):
    """How far the analysis of a notification is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether it stays so unless somebody asks for another analysis."""
        return self in (ProcessingStatus.COMPLETED, ProcessingStatus.FAILED)


class Order(StrEnum):
    """Orders of a listing; SEVERITY is worst first, RELEVANCE is for what a search finds."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SEVERITY = "severity"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Draft:
    """A notification that is to be created.

    Args:
        user_id: whose inbox it goes to; any UUID.
        title: 1 to 200 characters.
        text: 1 to 10 000 characters.
        source: which program tells this; up to 200 characters.
        link: where to read more; http or https.
        data: anything else, as a JSON object of at most 4 096 bytes.
        idempotency_key: a name for this creation, up to 200 visible ASCII characters; made up if left out.
    """

    user_id: UUID | str
    title: str
    text: str
    source: str | None = None
    link: str | None = None
    data: dict[str, Any] | None = None
    idempotency_key: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Notification(_Answer):
    """Everything known of a notification. Times are aware UTC, ``confidence`` is within 0..1."""

    id: UUID
    user_id: UUID
    title: str
    text: str
    source: str | None
    link: str | None
    data: dict[str, Any] | None
    created_at: datetime
    read_at: datetime | None
    deleted_at: datetime | None
    version: int
    processing_status: ProcessingStatus
    category: Category | None
    confidence: float | None
    keywords: tuple[str, ...] | None
    analyzer: str | None
    analyzed_at: datetime | None
    error: str | None

    @property
    def is_final(self) -> bool:
        """Whether its analysis is over."""
        return self.processing_status.is_final


class Created(Notification):
    """A notification as the answer to its creation shows it."""

    replayed: bool = False
    """Whether an earlier call with the same idempotency key had made it."""


class Page(_Answer):
    """A page of a listing; ``next_cursor`` is None on the last one."""

    items: tuple[Notification, ...]
    next_cursor: str | None


class Batch(_Answer):
    """The notifications of a batch, in its order; ``replayed`` are indexes of those that had been made before."""

    items: tuple[Created, ...]
    replayed: tuple[int, ...] = ()


class Status(_Answer):
    """How far an analysis is; ``next_try_at`` is set while work is left and nobody is at it."""

    id: UUID
    processing_status: ProcessingStatus
    tries: int
    created_at: datetime
    analyzed_at: datetime | None
    next_try_at: datetime | None
    error: str | None


class Unread(_Answer):
    """Exact numbers of unread notifications; ``unjudged`` ones were not judged yet, or their analysis failed."""

    total: int
    critical: int
    warning: int
    info: int
    unjudged: int


class Inbox(_Answer):
    """An inbox at one moment; ``version`` is 0 if nobody wrote to it yet."""

    user_id: UUID
    version: int
    position: str
    unread: Unread


class Changes(_Answer):
    """What changed in an inbox, oldest change first.

    With ``reset`` it cannot be told: list anew. With ``more`` another page follows. Go on from ``position``.
    """

    items: tuple[Notification, ...]
    position: str
    reset: bool
    more: bool
    unread: Unread


class MarkedRead(_Answer):
    """What marking many read did; if it is not ``complete``, time ran out: call again for the rest."""

    changed: int
    version: int
    complete: bool


class InboxToken(_Answer):
    """A credential for one inbox. Its ``repr`` does not show it."""

    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"InboxToken(expires_at={self.expires_at!r})"


class Hello(_Answer):
    """A connection stands. Without ``recovered`` nothing is replayed: list now."""

    type: Literal["hello"] = "hello"
    position: str
    unread: Unread
    recovered: bool


class Change(_Answer):
    """A notification as it is now; one with ``deleted_at`` is gone."""

    type: Literal["change"] = "change"
    position: str
    unread: Unread
    notification: Notification


class Reset(_Answer):
    """What changed cannot be told one by one: list anew."""

    type: Literal["reset"] = "reset"
    position: str
    unread: Unread


class Ping(_Answer):
    """The connection is alive."""

    type: Literal["ping"] = "ping"
    position: str


class Disconnected(_Answer):
    """The connection is gone and will be made again ``retry_in`` seconds from now. Made by the client, not received."""

    type: Literal["disconnected"] = "disconnected"
    position: str | None
    reason: str
    retry_in: float


Message = Hello | Change | Reset | Ping | Disconnected
"""What `TocsinClient.stream` yields; ``position`` is what to come back with."""
