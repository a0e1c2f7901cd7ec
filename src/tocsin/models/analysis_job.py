"""A job: the promise that a notification will be analysed. The row exists exactly as long as work is left."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, SmallInteger, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base


class AnalysisJob(Base):
    """Work that is left.

    ``available_at`` is schedule and lease end in one, as the visibility timeout of Amazon SQS: until then
    nobody may claim the job. ``lease`` is the fencing token of whoever claimed it last.
    """

    __tablename__ = "analysis_jobs"
    __table_args__ = (Index("ix_analysis_jobs_available_at", "available_at"),)

    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"), primary_key=True)
    available_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    enqueued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    lease: Mapped[UUID | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(128))
    traceparent: Mapped[str | None] = mapped_column(String(64))
