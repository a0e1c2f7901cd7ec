"""SQL of changes of many notifications at once, in steps of bounded size.

These statements are the set-based twins of the rules in `tocsin.models.notification`: a row object for each of a
million notifications would hold the event loop up. The inboxes of a step must be locked by the transaction.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, bindparam, delete, func, null, select, update

from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification, Severity
from tocsin.models.notification_search import NotificationSearch
from tocsin.repositories.handle import Handle
from tocsin.repositories.notification_pages import NotificationFilter, Order, conditions, ordering, restrictions

_IDS = bindparam("ids", type_=ARRAY(Uuid))


@dataclass(frozen=True, slots=True)
class Aged:
    """A notification that is older than some moment."""

    id: UUID
    user_id: UUID
    is_deleted: bool


class NotificationBulkRepository:
    """Bulk changes of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection

    async def unread(self, wanted: NotificationFilter, up_to: int | None, after: UUID | None, limit: int) -> list[UUID]:
        """Return the next ``limit`` unread ones after id ``after`` that match and did not change after ``up_to``.

        May read a whole inbox to find none, so no lock should be held meanwhile.
        """
        values = restrictions(wanted)
        terms = _unread_terms(values, up_to)
        if after is not None:
            terms.append(Notification.id > after)
        order = ordering(Order.OLDEST, of_inbox=wanted.user_id is not None)
        statement = select(Notification.id).where(*terms).order_by(*order).limit(limit)
        return list(await self._connection.scalars(statement, values))

    async def mark_read(
        self, inbox: Inbox, ids: Collection[UUID], wanted: NotificationFilter, up_to: int | None, now: datetime
    ) -> int:
        """Mark read those of ``ids`` that still are as `unread` found them; return how many that were."""
        values = restrictions(wanted)
        found = select(Notification.id).where(Notification.id == any_(_IDS), *_unread_terms(values, up_to)).subquery()
        numbered = select(found.c.id, func.row_number().over(order_by=found.c.id).label("number")).subquery("numbered")
        statement = (
            update(Notification)
            .where(Notification.id == numbered.c.id)
            .values(read_at=now, version=inbox.version + numbered.c.number)
            .returning(Notification.severity)
        )
        severities = (await self._connection.scalars(statement, {"ids": list(ids), **values})).all()
        for severity in severities:
            inbox.count(Severity(severity), -1)
        inbox.version += len(severities)
        return len(severities)

    async def deleted_before(self, moment: datetime, limit: int, *, blanked: bool) -> dict[UUID, UUID]:
        """Return id → user of at most ``limit`` tombstones from before ``moment``, oldest first.

        ``blanked`` False restricts to those that still carry their text.
        """
        statement = select(Notification.id, Notification.user_id).where(Notification.deleted_at < moment)
        if not blanked:
            statement = statement.where(Notification.text != "")
        rows = await self._connection.execute(statement.order_by(Notification.deleted_at).limit(limit))
        return {row.id: row.user_id for row in rows}

    async def aged(self, after: UUID, before: UUID, limit: int) -> list[Aged]:
        """Return the next ``limit`` with ids between ``after`` and ``before``, both exclusive, deleted or not."""
        statement = (
            select(Notification.id, Notification.user_id, Notification.deleted_at.is_not(None).label("is_deleted"))
            .where(Notification.id > after, Notification.id < before)
            .order_by(Notification.id)
            .limit(limit)
        )
        return [Aged(row.id, row.user_id, row.is_deleted) for row in await self._connection.execute(statement)]

    async def blank(self, ids: Collection[UUID], deleted_before: datetime) -> None:
        """Forget what tombstones said, their words too. No client can see this, so no version is taken."""
        statement = (
            update(Notification)
            .where(Notification.id == any_(_IDS), Notification.deleted_at < deleted_before)
            .values(
                title="",
                text="",
                source=null(),
                link=null(),
                data=null(),
                keywords=null(),
                error=null(),
            )
            .returning(Notification.id)
        )
        blanked = list(await self._connection.scalars(statement, {"ids": list(ids)}))
        words = delete(NotificationSearch).where(NotificationSearch.notification_id == any_(_IDS))
        await self._connection.execute(words, {"ids": blanked})

    async def purge(self, ids: Collection[UUID], deleted_before: datetime) -> dict[UUID, int]:
        """Remove tombstones; return the highest version removed, by user."""
        statement = (
            delete(Notification)
            .where(Notification.id == any_(_IDS), Notification.deleted_at < deleted_before)
            .returning(Notification.user_id, Notification.version)
        )
        floors: dict[UUID, int] = {}
        for row in await self._connection.execute(statement, {"ids": list(ids)}):
            floors[row.user_id] = max(row.version, floors.get(row.user_id, 0))
        return floors


def _unread_terms(restricted: Iterable[str], up_to: int | None) -> list[ColumnElement[bool]]:
    terms = [*conditions(restricted), Notification.read_at.is_(None)]
    if up_to is not None:
        terms.append(Notification.version <= up_to)
    return terms
