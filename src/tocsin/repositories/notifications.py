"""SQL of notifications, but for intake, listings (`notification_pages`) and bulk changes (`notification_bulk`)."""

from collections.abc import Collection
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Table, Uuid, any_, bindparam, select

from tocsin.models.notification import Notification, ProcessingStatus
from tocsin.repositories.analysis_jobs import JOB, JobRow
from tocsin.repositories.handle import Handle
from tocsin.repositories.notification_rows import SHOWN, NotificationRow
from tocsin.repositories.prepared import PreparedQuery

_TABLE = cast("Table", Notification.__table__)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_SELECT = select(*SHOWN).where(_TABLE.c.id == any_(_IDS))
_BY_ID = PreparedQuery(_SELECT)
_WITH_JOBS = PreparedQuery(_SELECT.add_columns(*JOB).outerjoin_from(_TABLE, JOB[0].table, JOB[0] == _TABLE.c.id))


class NotificationRepository:
    """Notifications of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self._handle = handle

    async def rows(self, ids: Collection[UUID]) -> dict[UUID, NotificationRow]:
        """Return those of ``ids`` that exist, deleted or not."""
        found = map(NotificationRow._make, await self._handle.fetch(_BY_ID, {"ids": list(ids)}))
        return {row.id: row for row in found}

    async def with_jobs(self, ids: Collection[UUID]) -> dict[UUID, tuple[NotificationRow, JobRow | None]]:
        """Return those of ``ids`` that exist, each with what work is left of it in the same state."""
        shown = len(SHOWN)
        return {
            row[0]: (NotificationRow._make(row[:shown]), JobRow._make(row[shown:]) if row[shown] else None)
            for row in await self._handle.fetch(_WITH_JOBS, {"ids": list(ids)})
        }

    async def get(self, notification_id: UUID) -> Notification | None:
        """Return the notification, deleted or not, to be changed."""
        return await self._handle.entities.get(Notification, notification_id, populate_existing=True)

    async def get_many(self, ids: Collection[UUID]) -> dict[UUID, Notification]:
        """Return those of ``ids`` that exist, to be changed."""
        statement = select(Notification).where(Notification.id == any_(_IDS))
        found = await self._handle.entities.scalars(
            statement.execution_options(populate_existing=True), {"ids": list(ids)}
        )
        return {notification.id: notification for notification in found}

    async def owners(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        """Return the user of each of ``ids`` that exists; it never changes."""
        statement = select(Notification.id, Notification.user_id).where(Notification.id == any_(_IDS))
        rows = await self._connection.execute(statement, {"ids": list(ids)})
        return {row.id: row.user_id for row in rows}

    async def final_among(self, ids: Collection[UUID]) -> set[UUID]:
        """Return those of ``ids`` that nobody needs to wait for: final, deleted, or not there."""
        waiting = select(Notification.id).where(
            Notification.id == any_(_IDS),
            Notification.deleted_at.is_(None),
            Notification.processing_status.in_([ProcessingStatus.PENDING, ProcessingStatus.PROCESSING]),
        )
        return set(ids) - set(await self._connection.scalars(waiting, {"ids": list(ids)}))
