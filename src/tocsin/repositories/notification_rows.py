"""Notifications as they are read and shown: plain rows, of which nothing is ever written back.

Services hand these out; the entity, which may be changed, stays within its unit of work.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple, Self, cast
from uuid import UUID

from sqlalchemy import Column, Table

from tocsin.models.notification import Notification, ProcessingStatus
from tocsin.models.verdict import Category


class NotificationRow(NamedTuple):
    """A notification at one version of its inbox."""

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
    category: Category | None
    severity: int
    confidence: float | None
    keywords: list[str] | None
    analyzer: str | None
    analyzed_at: datetime | None
    processing_status: ProcessingStatus
    tries: int
    error: str | None

    @classmethod
    def of(cls, notification: Notification) -> Self:
        """Return what ``notification`` is now."""
        return cls._make(getattr(notification, name) for name in cls._fields)


_TABLE: Final = cast("Table", Notification.__table__)
SHOWN: Final[tuple[Column[Any], ...]] = tuple(_TABLE.c[name] for name in NotificationRow._fields)
"""What to select for `NotificationRow._make`."""
