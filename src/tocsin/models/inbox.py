"""An inbox: the clock and the exact unread counts of one user's notifications."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base
from tocsin.models.notification import Notification, Severity

_COUNTERS = {
    Severity.INFO: "unread_info",
    Severity.UNJUDGED: "unread_unjudged",
    Severity.WARNING: "unread_warning",
    Severity.CRITICAL: "unread_critical",
}


class Inbox(Base):
    """One row per user that was ever written to, locked by every transaction that changes the inbox."""

    __tablename__ = "inboxes"
    __table_args__ = (
        CheckConstraint("version >= 0 AND floor >= 0 AND floor <= version", "clock"),
        CheckConstraint(
            "unread_info >= 0 AND unread_warning >= 0 AND unread_critical >= 0 AND unread_unjudged >= 0",
            "unread_not_negative",
        ),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    floor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    unread_info: Mapped[int] = mapped_column(Integer, server_default="0")
    unread_warning: Mapped[int] = mapped_column(Integer, server_default="0")
    unread_critical: Mapped[int] = mapped_column(Integer, server_default="0")
    unread_unjudged: Mapped[int] = mapped_column(Integer, server_default="0")

    def change(self, notification: Notification, transition: Callable[[], bool]) -> bool:
        """Run ``transition`` of ``notification``; if it changed something, take the next version and move the counts.

        The row of this inbox must be locked by the transaction.
        """
        before = _unread_as(notification)
        if not transition():
            return False
        self.version += 1
        notification.version = self.version
        self.count(before, -1)
        self.count(_unread_as(notification), 1)
        return True

    def count(self, severity: Severity | None, difference: int) -> None:
        """Move the unread count of ``severity``; None counts nowhere."""
        if severity is not None:
            counter = _COUNTERS[severity]
            setattr(self, counter, getattr(self, counter) + difference)


def _unread_as(notification: Notification) -> Severity | None:
    return Severity(notification.severity) if notification.counts_as_unread else None
