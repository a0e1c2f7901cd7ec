"""SQL of notifications, but for the listings (`notification_pages`) and bulk changes (`notification_bulk`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.models.notification import (
    Notification,
    ProcessingStatus,
    Severity,
    created_at_of,
)

_TABLE = cast("Table", Notification.__table__)
_IDS = bindparam("ids", type_=ARRAY(Uuid))


@dataclass(frozen=True, slots=True)
class IdempotencyMark:
    """What tells a repeated create: unique per service key, with a hash of the body."""

    api_key_id: UUID
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class NewNotification:
    """A notification that was accepted but not stored yet; its id is made by the caller."""

    id: UUID
    user_id: UUID
    title: str
    text: str
    source: str | None
    link: str | None
    data: dict[str, Any] | None
    mark: IdempotencyMark | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """What a notification says, and to whom."""

    user_id: UUID
    title: str
    text: str


_new = (
    func.unnest(
        _IDS,
        bindparam("user_ids", type_=ARRAY(Uuid)),
        bindparam("versions", type_=ARRAY(BigInteger)),
        bindparam("titles", type_=ARRAY(Text)),
        bindparam("texts", type_=ARRAY(Text)),
        bindparam("sources", type_=ARRAY(Text)),
        bindparam("links", type_=ARRAY(Text)),
        bindparam("data", type_=ARRAY(JSON(none_as_null=True))),
        bindparam("created_ats", type_=ARRAY(Notification.created_at.type)),
        bindparam("api_key_ids", type_=ARRAY(Uuid)),
        bindparam("idempotency_keys", type_=ARRAY(String)),
        bindparam("fingerprints", type_=ARRAY(LargeBinary)),
    )
    .table_valued(
        "id",
        "user_id",
        "version",
        "title",
        "text",
        "source",
        "link",
        "data",
        "created_at",
        "api_key_id",
        "idempotency_key",
        "fingerprint",
    )
    .render_derived()
)
_INSERT = (
    upsert(_TABLE)
    .from_select(
        [*(column.name for column in _new.c), "severity", "processing_status"],
        select(
            *_new.c,
            literal(int(Severity.UNJUDGED), Notification.severity.type),
            literal(ProcessingStatus.PENDING, Notification.processing_status.type),
        ),
    )
    .on_conflict_do_nothing()
    .returning(Notification.id)
)
_marks = (
    func.unnest(bindparam("api_key_ids", type_=ARRAY(Uuid)), bindparam("keys", type_=ARRAY(String)))
    .table_valued("api_key_id", "key")
    .render_derived()
)
_TWINS = select(Notification).join(
    _marks,
    (Notification.api_key_id == _marks.c.api_key_id) & (Notification.idempotency_key == _marks.c.key),
)


class NotificationRepository:
    """Notifications of one unit of work."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def insert(self, new: Sequence[NewNotification], versions: Sequence[int]) -> set[UUID]:
        """Insert ``new`` with their versions; return the ids that met no twin."""
        marks = [item.mark for item in new]
        rows = await self._session.scalars(
            _INSERT,
            {
                "ids": [item.id for item in new],
                "user_ids": [item.user_id for item in new],
                "versions": list(versions),
                "titles": [item.title for item in new],
                "texts": [item.text for item in new],
                "sources": [item.source for item in new],
                "links": [item.link for item in new],
                "data": [item.data for item in new],
                "created_ats": [created_at_of(item.id) for item in new],
                "api_key_ids": [mark and mark.api_key_id for mark in marks],
                "idempotency_keys": [mark and mark.key for mark in marks],
                "fingerprints": [mark and mark.fingerprint for mark in marks],
            },
        )
        return set(rows)

    async def twins(self, marks: Collection[IdempotencyMark]) -> dict[tuple[UUID, str], Notification]:
        """Return the notifications made under the same service key and idempotency key."""
        parameters = {
            "api_key_ids": [mark.api_key_id for mark in marks],
            "keys": [mark.key for mark in marks],
        }
        found = await self._session.scalars(_TWINS, parameters)
        return {
            (twin.api_key_id, twin.idempotency_key): twin for twin in found if twin.api_key_id and twin.idempotency_key
        }

    async def get(self, notification_id: UUID) -> Notification | None:
        """Return the notification, deleted or not."""
        return await self._session.get(Notification, notification_id, populate_existing=True)

    async def get_many(self, ids: Collection[UUID]) -> dict[UUID, Notification]:
        """Return those of ``ids`` that exist."""
        statement = select(Notification).where(Notification.id == any_(_IDS))
        found = await self._session.scalars(statement.execution_options(populate_existing=True), {"ids": list(ids)})
        return {notification.id: notification for notification in found}

    async def owners(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        """Return the user of each of ``ids`` that exists; it never changes."""
        statement = select(Notification.id, Notification.user_id).where(Notification.id == any_(_IDS))
        rows = await self._session.execute(statement, {"ids": list(ids)})
        return {row.id: row.user_id for row in rows}

    async def messages(self, ids: Collection[UUID]) -> dict[UUID, Message]:
        """Return what an analyzer needs of those of ``ids`` that exist."""
        statement = select(Notification.id, Notification.user_id, Notification.title, Notification.text)
        rows = await self._session.execute(statement.where(Notification.id == any_(_IDS)), {"ids": list(ids)})
        return {row.id: Message(row.user_id, row.title, row.text) for row in rows}

    async def final_among(self, ids: Collection[UUID]) -> set[UUID]:
        """Return those of ``ids`` that nobody needs to wait for: final, deleted, or not there."""
        waiting = select(Notification.id).where(
            Notification.id == any_(_IDS),
            Notification.deleted_at.is_(None),
            Notification.processing_status.in_([ProcessingStatus.PENDING, ProcessingStatus.PROCESSING]),
        )
        return set(ids) - set(await self._session.scalars(waiting, {"ids": list(ids)}))
