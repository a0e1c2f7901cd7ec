"""SQL of listings: one page by keyset, and what changed since a version.

The keyset is (severity, id) or id alone. Ids are UUIDv7, so their order is the order of time, and the time
filters become bounds of the id.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, UnaryExpression, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.models.notification import Notification, ProcessingStatus, Severity, first_id_after, first_id_at
from tocsin.models.verdict import Category


class Order(enum.StrEnum):
    """How a listing is sorted; ties of severity go newest first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SEVERITY = "severity"


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """What a listing shows; None means no restriction. Both times are exclusive."""

    user_id: UUID | None = None
    category: Category | None = None
    status: ProcessingStatus | None = None
    read: bool | None = None
    min_confidence: float | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keyset:
    """Where a page ended."""

    id: UUID
    severity: int


def conditions(wanted: NotificationFilter) -> list[ColumnElement[bool]]:
    """Return the SQL of ``wanted``, for notifications that are not deleted."""
    terms: list[ColumnElement[bool]] = [Notification.deleted_at.is_(None)]
    if wanted.user_id is not None:
        terms.append(Notification.user_id == wanted.user_id)
    if wanted.category is not None:
        # It says the same, and is in the indexes. To ask for both would make the planner expect far too few.
        terms.append(Notification.severity == Severity.of(wanted.category))
    if wanted.status is not None:
        terms.append(Notification.processing_status == wanted.status)
    if wanted.read is not None:
        terms.append(Notification.read_at.is_not(None) if wanted.read else Notification.read_at.is_(None))
    if wanted.min_confidence is not None:
        terms.append(Notification.confidence >= wanted.min_confidence)
    if wanted.created_after is not None:
        terms.append(Notification.id >= first_id_after(wanted.created_after))
    if wanted.created_before is not None:
        terms.append(Notification.id < first_id_at(wanted.created_before))
    return terms


def page_statement(wanted: NotificationFilter, order: Order, after: Keyset | None, limit: int) -> Select[Notification]:
    """Return the SQL of the page of at most ``limit`` notifications that follows ``after``."""
    statement = select(Notification).where(*conditions(wanted)).order_by(*ordering(order, wanted)).limit(limit)
    if after is None:
        return statement
    match order:
        case Order.NEWEST:
            return statement.where(Notification.id < after.id)
        case Order.OLDEST:
            return statement.where(Notification.id > after.id)
        case Order.SEVERITY:
            return statement.where(tuple_(Notification.severity, Notification.id) < (after.severity, after.id))


def ordering(order: Order, wanted: NotificationFilter) -> list[UnaryExpression[Any]]:
    """Return the SQL of ``order``; within one inbox in the form that only the indexes of an inbox deliver."""
    if order is Order.OLDEST:
        oldest = Notification.id.asc()
        return [oldest if wanted.user_id is None else oldest.nulls_first()]
    keys: list[UnaryExpression[Any]] = [Notification.id.desc()]
    if order is Order.SEVERITY:
        keys.insert(0, Notification.severity.desc())
    return keys if wanted.user_id is None else [key.nulls_last() for key in keys]


class NotificationPageRepository:
    """Listings of one unit of work."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(
        self, wanted: NotificationFilter, order: Order, after: Keyset | None, limit: int
    ) -> Sequence[Notification]:
        """Return at most ``limit`` notifications that follow ``after``."""
        return (await self._session.scalars(page_statement(wanted, order, after, limit))).all()

    async def changed_since(self, user_id: UUID, version: int, limit: int) -> Sequence[Notification]:
        """Return at most ``limit`` notifications that changed after ``version``, tombstones too, oldest first."""
        statement = (
            select(Notification)
            .where(Notification.user_id == user_id, Notification.version > version)
            .order_by(Notification.version)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def count_changed_since(self, user_id: UUID, version: int, limit: int) -> int:
        """Count those notifications, tombstones too, but not beyond ``limit``."""
        changed = select(Notification.version).where(Notification.user_id == user_id, Notification.version > version)
        return await self._session.scalar(select(func.count()).select_from(changed.limit(limit).subquery())) or 0
