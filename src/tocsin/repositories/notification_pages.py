"""SQL of listings: one page by keyset, and what changed since a version.

The keyset is (severity, id) or id alone. Ids are UUIDv7, so their order is the order of time, and the time
filters become bounds of the id.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import (
    ColumnCollection,
    ColumnElement,
    Integer,
    Select,
    SmallInteger,
    Table,
    UnaryExpression,
    Uuid,
    bindparam,
    func,
    select,
    true,
    tuple_,
)

from tocsin.models.epoch import Epoch
from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification, ProcessingStatus, Severity, first_id_after, first_id_at
from tocsin.models.search_query import SearchQuery
from tocsin.models.verdict import Category
from tocsin.repositories.handle import Handle
from tocsin.repositories.inboxes import Clock
from tocsin.repositories.notification_rows import SHOWN, NotificationRow
from tocsin.repositories.prepared import PreparedQuery

_FORMS: Final = 256
_EPOCH: Final = cast("Table", Epoch.__table__)
_INBOXES: Final = cast("Table", Inbox.__table__)
_TABLE: Final = cast("Table", Notification.__table__)


class Order(enum.StrEnum):
    """How a listing is sorted; ties go newest first. Relevance is an order of what a search finds."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SEVERITY = "severity"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """What a listing shows; None means no restriction. Both times are exclusive.

    A search is no condition on notifications, but where they are sought: see `tocsin.services.search_pages`.
    """

    user_id: UUID | None = None
    category: Category | None = None
    status: ProcessingStatus | None = None
    read: bool | None = None
    min_confidence: float | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    search: SearchQuery | None = None


@dataclass(frozen=True, slots=True)
class Keyset:
    """Where a page ended.

    That of a search has more: ``frequent`` says that it found too much to be looked up by its words; and by relevance
    it ended at ``rank``, a number of 32 bits, among notifications up to the ``newest`` of when it began.
    """

    id: UUID
    severity: int
    frequent: bool = False
    rank: float = 0
    newest: UUID | None = None


def restrictions(wanted: NotificationFilter) -> dict[str, Any]:
    """Return what ``wanted`` restricts: the value of each of its `conditions`, by name; none is that of a column."""
    values = {
        "of_user": wanted.user_id,
        # It says the same as the category, and is in the indexes. To ask for both would make the planner expect far
        # too few.
        "of_severity": Severity.of(wanted.category) if wanted.category else None,
        "of_status": wanted.status,
        "least_confidence": wanted.min_confidence,
        "first_id": first_id_after(wanted.created_after) if wanted.created_after else None,
        "end_id": first_id_at(wanted.created_before) if wanted.created_before else None,
    }
    if wanted.read is not None:
        values["read" if wanted.read else "unread"] = True
    return {name: value for name, value in values.items() if value is not None}


_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "of_user": Notification.user_id == bindparam("of_user"),
    "of_severity": Notification.severity == bindparam("of_severity"),
    "of_status": Notification.processing_status == bindparam("of_status"),
    "least_confidence": Notification.confidence >= bindparam("least_confidence"),
    "first_id": Notification.id >= bindparam("first_id"),
    "end_id": Notification.id < bindparam("end_id"),
    "newest_id": Notification.id <= bindparam("newest_id"),
    "read": Notification.read_at.is_not(None),
    "unread": Notification.read_at.is_(None),
}


def conditions(names: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return the SQL of some `restrictions`, for notifications that are not deleted; the values come as parameters."""
    return [Notification.deleted_at.is_(None), *(_CONDITIONS[name] for name in sorted(names))]


def ordering(
    order: Order, *, of_inbox: bool, columns: ColumnCollection[str, Any] = _TABLE.c
) -> list[UnaryExpression[Any]]:
    """Return the SQL of ``order``; within one inbox in the form that only the indexes of an inbox deliver."""
    if order is Order.OLDEST:
        oldest = columns.id.asc()
        return [oldest.nulls_first() if of_inbox else oldest]
    keys: list[UnaryExpression[Any]] = [columns.id.desc()]
    if order is Order.SEVERITY:
        keys.insert(0, columns.severity.desc())
    return [key.nulls_last() for key in keys] if of_inbox else keys


AFTER: Final[dict[Order, ColumnElement[bool]]] = {
    Order.NEWEST: Notification.id < bindparam("after_id"),
    Order.OLDEST: Notification.id > bindparam("after_id"),
    Order.SEVERITY: tuple_(Notification.severity, Notification.id)
    < tuple_(bindparam("after_severity", type_=SmallInteger), bindparam("after_id", type_=Uuid)),
}


def page_statement(names: frozenset[str], order: Order, *, later: bool) -> Select[Any]:
    """Return the SQL of a page under the restrictions ``names``; of a ``later`` one, what follows a `Keyset`."""
    terms = conditions(names)
    if later:
        terms.append(AFTER[order])
    keys = ordering(order, of_inbox="of_user" in names)
    return select(*SHOWN).where(*terms).order_by(*keys).limit(bindparam("limit", type_=Integer))


def inbox_page_statement(names: frozenset[str], order: Order, *, later: bool) -> Select[Any]:
    """Return the SQL of the same page of one inbox beside the inbox's clock; one statement sees but one state."""
    page = page_statement(names, order, later=later).lateral("page")
    return (
        select(_EPOCH.c.value, func.coalesce(_INBOXES.c.version, 0), *page.c)
        .select_from(_EPOCH)
        .outerjoin(_INBOXES, _INBOXES.c.user_id == bindparam("of_user"))
        .outerjoin(page, true())
        .order_by(*ordering(order, of_inbox=True, columns=page.c))
    )


# To build a statement takes longer than to have it run, so each form of it is built once.
@lru_cache(_FORMS)
def _prepared(form: Callable[..., Select[Any]], names: frozenset[str], order: Order, *, later: bool) -> PreparedQuery:
    return PreparedQuery(form(names, order, later=later))


def _parameters(values: dict[str, Any], after: Keyset | None, limit: int) -> dict[str, Any]:
    follows = {"after_id": after.id, "after_severity": after.severity} if after else {}
    return {**values, **follows, "limit": limit}


class NotificationPageRepository:
    """Listings of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self._handle = handle

    async def page(
        self, wanted: NotificationFilter, order: Order, after: Keyset | None, limit: int
    ) -> list[NotificationRow]:
        """Return at most ``limit`` notifications that follow ``after``."""
        values = restrictions(wanted)
        query = _prepared(page_statement, frozenset(values), order, later=after is not None)
        found = await self._handle.fetch(query, _parameters(values, after, limit))
        return [NotificationRow._make(row) for row in found]

    async def page_of_inbox(
        self, wanted: NotificationFilter, order: Order, after: Keyset | None, limit: int
    ) -> tuple[Clock, list[NotificationRow]]:
        """Return the same of the one inbox that ``wanted`` names, and the inbox's clock in the same state."""
        values = restrictions(wanted)
        query = _prepared(inbox_page_statement, frozenset(values), order, later=after is not None)
        rows = await self._handle.fetch(query, _parameters(values, after, limit))
        epoch, version, first_id = rows[0][:3]
        # Without notifications there still is the row of the clock.
        return Clock(epoch, version), [NotificationRow._make(row[2:]) for row in rows if first_id is not None]

    async def changed_since(self, user_id: UUID, version: int, limit: int) -> list[NotificationRow]:
        """Return at most ``limit`` notifications that changed after ``version``, tombstones too, oldest first."""
        statement = (
            select(*SHOWN)
            .where(Notification.user_id == user_id, Notification.version > version)
            .order_by(Notification.version)
            .limit(limit)
        )
        return [NotificationRow._make(row) for row in await self._connection.execute(statement)]

    async def count_changed_since(self, user_id: UUID, version: int, limit: int) -> int:
        """Count those notifications, tombstones too, but not beyond ``limit``."""
        changed = select(Notification.version).where(Notification.user_id == user_id, Notification.version > version)
        return await self._connection.scalar(select(func.count()).select_from(changed.limit(limit).subquery())) or 0
