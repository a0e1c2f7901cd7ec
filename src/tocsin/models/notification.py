"""A notification: one message for one user, and what the AI made of it.

The methods here are the only legal changes of a notification. Each returns whether it changed anything and is
called through `Inbox.change`, which keeps the inbox's clock and counts in step.
"""

import enum
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Enum,
    Float,
    Index,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base
from tocsin.models.verdict import Category, Verdict

TITLE_MAX = 200
TEXT_MAX = 10_000
SOURCE_MAX = 200
LINK_MAX = 2_000
DATA_MAX_BYTES = 4_096
IDEMPOTENCY_KEY_MAX = 200
KEYWORD_MAX = 100

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class ProcessingStatus(enum.StrEnum):
    """How far the analysis of a notification is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether no work is left."""
        return self in (ProcessingStatus.COMPLETED, ProcessingStatus.FAILED)


class Severity(enum.IntEnum):
    """The order of "worst first"; what nobody judged may be bad, so it stands above ``info``."""

    INFO = 0
    UNJUDGED = 1
    WARNING = 2
    CRITICAL = 3

    @classmethod
    def of(cls, category: Category | None) -> "Severity":
        """Return where ``category`` stands."""
        return cls[category.name] if category else cls.UNJUDGED


def new_notification_id() -> UUID:
    """Return a UUIDv7 (RFC 9562); ids made by one process rise strictly."""
    return uuid_utils.compat.uuid7()


def created_at_of(notification_id: UUID) -> datetime:
    """Return the time in a UUIDv7, to the millisecond."""
    return _UNIX_EPOCH + timedelta(milliseconds=notification_id.int >> 80)


def first_id_at(moment: datetime) -> UUID:
    """Return the least UUIDv7 whose time is not before ``moment``, so that time filters use the id's index."""
    return _first_id(-(-(moment - _UNIX_EPOCH) // _MILLISECOND))


def first_id_after(moment: datetime) -> UUID:
    """Return the least UUIDv7 whose time is after ``moment``."""
    return _first_id((moment - _UNIX_EPOCH) // _MILLISECOND + 1)


def _first_id(milliseconds: int) -> UUID:
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


def _enum(kind: type[enum.StrEnum], name: str) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        name=name,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


_ALIVE = text("deleted_at IS NULL")


class Notification(Base):
    """One message for one user."""

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint("deleted_at IS NOT NULL OR title <> ''", "title_not_empty"),
        CheckConstraint("deleted_at IS NOT NULL OR text <> ''", "text_not_empty"),
        CheckConstraint(f"char_length(text) <= {TEXT_MAX}", "text_length"),
        CheckConstraint("link ~* '^https?://'", "link_scheme"),
        CheckConstraint("json_typeof(data) = 'object'", "data_object"),
        CheckConstraint(
            "severity = CASE category WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 WHEN 'info' THEN 0 ELSE 1 END",
            "severity_of_category",
        ),
        CheckConstraint("confidence >= 0 AND confidence <= 1", "confidence_range"),
        CheckConstraint("(category IS NULL) = (analyzed_at IS NULL)", "verdict_whole"),
        CheckConstraint(
            "processing_status <> 'completed' OR category IS NOT NULL",
            "completed_has_verdict",
        ),
        CheckConstraint("version > 0", "version_positive"),
        Index("uq_notifications_user_id_version", "user_id", "version", unique=True),
        Index("ix_notifications_severity_id", "severity", "id", postgresql_where=_ALIVE),
        Index(
            "ix_notifications_id_failed",
            "id",
            postgresql_where=text("deleted_at IS NULL AND processing_status = 'failed'"),
        ),
        Index(
            "ix_notifications_deleted_at",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        Index(
            "ix_notifications_deleted_at_text",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL AND text <> ''"),
        ),
        Index(
            "uq_notifications_api_key_id_idempotency_key",
            "api_key_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(String(SOURCE_MAX))
    link: Mapped[str | None] = mapped_column(String(LINK_MAX))
    # Not JSONB: it unfolds 1e308 to 309 digits, forgets -0.0 and the order of names, and is never looked into here.
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(BigInteger)
    category: Mapped[Category | None] = mapped_column(_enum(Category, "category"))
    severity: Mapped[int] = mapped_column(SmallInteger)
    confidence: Mapped[float | None] = mapped_column(Float(53))
    keywords: Mapped[list[str] | None] = mapped_column(ARRAY(String(KEYWORD_MAX)))
    analyzer: Mapped[str | None] = mapped_column(String(200))
    analyzed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    processing_status: Mapped[ProcessingStatus] = mapped_column(_enum(ProcessingStatus, "processing_status"))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    api_key_id: Mapped[UUID | None]
    idempotency_key: Mapped[str | None] = mapped_column(String(IDEMPOTENCY_KEY_MAX))
    fingerprint: Mapped[bytes | None] = mapped_column(BYTEA)

    @property
    def counts_as_unread(self) -> bool:
        """Whether the unread count of its severity includes it."""
        return self.read_at is None and self.deleted_at is None

    def mark_read(self, now: datetime) -> bool:
        """Note that its user has seen it."""
        if self.read_at is not None:
            return False
        self.read_at = now
        return True

    def mark_unread(self) -> bool:
        """Note that its user wants to see it again."""
        if self.read_at is None:
            return False
        self.read_at = None
        return True

    def delete(self, now: datetime) -> bool:
        """Take it out of the inbox; a tombstone stays."""
        if self.deleted_at is not None:
            return False
        self.deleted_at = now
        return True

    def restore(self) -> bool:
        """Put it back into the inbox; an analysis that its deletion cut short starts anew."""
        if self.deleted_at is None:
            return False
        self.deleted_at = None
        if not self.processing_status.is_final:
            self._await_analysis()
        return True

    def begin_processing(self, tries: int) -> bool:
        """Note that a worker is asking the AI."""
        if self.processing_status is not ProcessingStatus.PENDING:
            return False
        self.processing_status = ProcessingStatus.PROCESSING
        self.tries = tries
        return True

    def postpone(self, tries: int) -> bool:
        """Note that this try was given up for a later one."""
        if self.processing_status is not ProcessingStatus.PROCESSING:
            return False
        self.processing_status = ProcessingStatus.PENDING
        self.tries = tries
        return True

    def complete(self, verdict: Verdict, tries: int, now: datetime) -> bool:
        """Apply the verdict."""
        self.category = verdict.category
        self.severity = Severity.of(verdict.category)
        self.confidence = verdict.confidence
        self.keywords = list(verdict.keywords)
        self.analyzer = verdict.analyzer
        self.analyzed_at = now
        self.processing_status = ProcessingStatus.COMPLETED
        self.tries = tries
        self.error = None
        return True

    def fail(self, reason: str, tries: int) -> bool:
        """Give up the analysis; ``reason`` is read by the user. An earlier verdict stays."""
        self.processing_status = ProcessingStatus.FAILED
        self.tries = tries
        self.error = reason
        return True

    def request_analysis(self) -> bool:
        """Put a final one back to ``pending``; what already waits is left alone."""
        if not self.processing_status.is_final:
            return False
        self._await_analysis()
        return True

    def _await_analysis(self) -> None:
        self.processing_status = ProcessingStatus.PENDING
        self.tries = 0
        self.error = None


# Indexes of one inbox put nulls last, though there are none: so the primary key cannot deliver their order, and the
# planner is not led to walk through everybody's notifications in search of the few of somebody long inactive.
_NEWEST_FIRST = Notification.id.desc().nulls_last()
_WORST_FIRST = Notification.severity.desc().nulls_last()
Index("ix_notifications_user_id_id", Notification.user_id, _NEWEST_FIRST, postgresql_where=_ALIVE)
Index(
    "ix_notifications_user_id_severity_id",
    Notification.user_id,
    _WORST_FIRST,
    _NEWEST_FIRST,
    postgresql_where=_ALIVE,
)
Index(
    "ix_notifications_user_id_id_unread",
    Notification.user_id,
    _NEWEST_FIRST,
    postgresql_where=text("deleted_at IS NULL AND read_at IS NULL"),
)
