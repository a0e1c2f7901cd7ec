"""Notifications on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from tocsin.controllers.v1.fields import (
    NOTIFICATION_EXAMPLE,
    USER_EXAMPLE,
    BodyText,
    Confidence,
    Data,
    IdempotencyKey,
    Input,
    Link,
    Number,
    Search,
    Source,
    Title,
    UtcTime,
)
from tocsin.models.notification import ProcessingStatus
from tocsin.models.search_query import SearchQuery
from tocsin.models.verdict import Category
from tocsin.repositories.notification_pages import NotificationFilter, Order
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.services.intake import NotificationDraft
from tocsin.services.notifications import AnalysisStatus

BATCH_MAX = 1_000
WAIT_MAX = 30

_EXAMPLE: JsonDict = {
    "user_id": USER_EXAMPLE,
    "title": "Payment failed",
    "text": "Payment of order 4711 failed: card was declined by the bank.",
    "source": "billing",
    "link": "https://example.com/orders/4711",
    "data": {"order": 4711},
}
_OTHER_EXAMPLE: JsonDict = {
    "user_id": USER_EXAMPLE,
    "title": "Backup done",
    "text": "The nightly backup of db-1 took 4 minutes.",
}
JUDGED_EXAMPLE: JsonDict = {
    "id": NOTIFICATION_EXAMPLE,
    **_EXAMPLE,
    "created_at": "2026-01-31T12:00:00.123000Z",
    "read_at": None,
    "deleted_at": None,
    "version": 3,
    "processing_status": "completed",
    "category": "critical",
    "confidence": 0.87,
    "keywords": ["failed", "declined", "card"],
    "analyzer": "http",
    "analyzed_at": "2026-01-31T12:00:02.041377Z",
    "error": None,
}


class NotificationCreate(Input):
    """A new notification."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    user_id: UUID = Field(description="Whose inbox it goes to; any UUID, the inbox need not exist yet.")
    title: Title
    text: BodyText
    source: Source | None = None
    link: Link | None = None
    data: Data | None = None

    def draft(self, idempotency_key: str | None) -> NotificationDraft:
        """Return what the service takes."""
        return NotificationDraft(
            self.user_id, self.title, self.text, self.source, self.link, self.data, idempotency_key
        )


class BatchItem(NotificationCreate):
    """A new notification of a batch."""

    idempotency_key: IdempotencyKey | None = None


class BatchCreate(Input):
    """New notifications, taken in together or not at all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE, _OTHER_EXAMPLE]}]})

    items: Annotated[list[BatchItem], Field(min_length=1, max_length=BATCH_MAX)]


class NotificationOut(BaseModel):
    """Everything known of a notification."""

    model_config = ConfigDict(from_attributes=True, title="Notification")

    id: UUID
    user_id: UUID
    title: str
    text: str
    source: str | None
    link: str | None
    data: dict[str, Any] | None
    created_at: datetime
    read_at: datetime | None
    deleted_at: datetime | None = Field(description="Set on what was deleted; only changes show such.")
    version: int = Field(description="The version of its inbox at which it changed last.")
    processing_status: ProcessingStatus
    category: Category | None = Field(description="Null until it is judged.")
    confidence: float | None = Field(description="How sure the analyzer is, 0 to 1.")
    keywords: list[str] | None
    analyzer: str | None = Field(description="Who judged.")
    analyzed_at: datetime | None
    error: str | None = Field(description="Why the analysis failed.")

    @classmethod
    def of(cls, notification: NotificationRow) -> "NotificationOut":
        """Return what is shown of ``notification``; a deleted one says nothing any more."""
        shown = cls.model_validate(notification)
        if notification.deleted_at is None:
            return shown
        nothing = dict.fromkeys(("source", "link", "data", "keywords", "error"))
        return shown.model_copy(update={"title": "", "text": "", **nothing})


class NotificationList(BaseModel):
    """A page of notifications, none of them deleted."""

    model_config = ConfigDict(from_attributes=True)

    items: list[NotificationOut]
    next_cursor: str | None = Field(description="Hand it in as `cursor` for the next page; null on the last one.")


class BatchOut(BaseModel):
    """The notifications of a batch, in its order."""

    items: list[NotificationOut]
    replayed: list[int] = Field(description="Indexes of those that earlier calls with their keys had made.")


class StatusOut(BaseModel):
    """How far an analysis is."""

    id: UUID
    processing_status: ProcessingStatus
    tries: int = Field(description="How often the analysis was begun.")
    created_at: datetime
    analyzed_at: datetime | None
    next_try_at: datetime | None = Field(description="When it is tried next, while work is left and nobody is at it.")
    error: str | None = Field(description="Why the last try came to nothing.")

    @classmethod
    def of(cls, status: AnalysisStatus) -> "StatusOut":
        """Return what is shown of ``status``."""
        notification = status.notification
        return cls(
            id=notification.id,
            processing_status=notification.processing_status,
            tries=status.tries,
            created_at=notification.created_at,
            analyzed_at=notification.analyzed_at,
            next_try_at=status.next_try_at,
            error=status.last_error,
        )


class _Selection(Input):
    q: Search | None = None
    category: Category | None = None
    status: ProcessingStatus | None = Field(None, description="Processing status.")
    created_after: UtcTime | None = Field(None, description="Exclusive.", examples=["2026-01-01T00:00:00Z"])
    created_before: UtcTime | None = Field(None, description="Exclusive.", examples=["2030-01-01T00:00:00Z"])


class ListQuery(_Selection):
    """What a listing shows."""

    user_id: UUID | None = Field(
        None, description="Whose inbox; an inbox token means its own, a service key without it means all."
    )
    min_confidence: Confidence | None = None
    read: bool | None = Field(None, description="Only read, or only unread ones.")
    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = Field(None, max_length=200, description="From `next_cursor`, with the same filters and order.")
    order: Order = Field(
        Order.NEWEST,
        description="`severity` is worst first: critical, warning, not judged, info. `relevance` needs `q`.",
    )

    def filter(self, user_id: UUID | None) -> NotificationFilter:
        """Return the filter, for ``user_id``."""
        return NotificationFilter(
            user_id=user_id,
            category=self.category,
            status=self.status,
            read=self.read,
            min_confidence=self.min_confidence,
            created_after=self.created_after,
            created_before=self.created_before,
            search=SearchQuery.parse(self.q) if self.q else None,
        )


class MarkRead(_Selection):
    """Which notifications of an inbox to mark read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": USER_EXAMPLE}]})

    user_id: UUID
    min_confidence: Annotated[Confidence, Number] | None = None
    up_to: str | None = Field(
        None, max_length=200, description="A position: only what has not changed since, so only what was seen."
    )

    def filter(self) -> NotificationFilter:
        """Return the filter."""
        return NotificationFilter(
            user_id=self.user_id,
            category=self.category,
            status=self.status,
            min_confidence=self.min_confidence,
            created_after=self.created_after,
            created_before=self.created_before,
            search=SearchQuery.parse(self.q) if self.q else None,
        )


class MarkedRead(BaseModel):
    """What marking many read did."""

    model_config = ConfigDict(from_attributes=True)

    changed: int
    version: int = Field(description="The version of the inbox afterwards.")
    complete: bool = Field(description="False if time ran out; call again for the rest.")
