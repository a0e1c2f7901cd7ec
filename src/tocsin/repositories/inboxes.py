"""SQL of inboxes and of the epoch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Table, Uuid, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.models.epoch import Epoch
from tocsin.models.inbox import Inbox

# Tables and no classes in what every call asks for: the session's own part costs as much as the query.
_TABLE = cast("Table", Inbox.__table__)
_EPOCH = cast("Table", Epoch.__table__)
_USER_IDS = bindparam("user_ids", type_=ARRAY(Uuid))
_wanted = func.unnest(_USER_IDS).column_valued("user_id")
_taken = (
    func.unnest(_USER_IDS, bindparam("counts", type_=ARRAY(BigInteger)))
    .table_valued("user_id", "count")
    .render_derived()
)

# Rows are inserted and locked in the order of user ids by every transaction, so that none can deadlock.
_ENSURE = upsert(_TABLE).from_select(["user_id"], select(_wanted).order_by(_wanted)).on_conflict_do_nothing()
_LOCK = (
    select(_TABLE.c.user_id, _TABLE.c.version)
    .where(_TABLE.c.user_id == any_(_USER_IDS))
    .order_by(_TABLE.c.user_id)
    .with_for_update(key_share=True)
)
_TAKE_FOR_NEW = (
    update(_TABLE)
    .where(_TABLE.c.user_id == _taken.c.user_id)
    .values(
        version=_TABLE.c.version + _taken.c.count,
        unread_unjudged=_TABLE.c.unread_unjudged + _taken.c.count,
    )
)
_CLOCKS = (
    select(_EPOCH.c.value, _TABLE.c.user_id, _TABLE.c.version)
    .select_from(_EPOCH)
    .outerjoin(_TABLE, _TABLE.c.user_id == any_(_USER_IDS))
)


@dataclass(frozen=True, slots=True)
class Clock:
    """The epoch and the version of an inbox; an inbox that nobody wrote to is at version 0."""

    epoch: UUID
    version: int


class InboxRepository:
    """Inboxes of one unit of work."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def ensure(self, user_ids: Collection[UUID]) -> None:
        """Make the rows that are missing."""
        await self._session.execute(_ENSURE, {"user_ids": list(user_ids)})

    async def lock_versions(self, user_ids: Collection[UUID]) -> dict[UUID, int]:
        """Lock the rows in order and return their versions."""
        rows = await self._session.execute(_LOCK, {"user_ids": list(user_ids)})
        return {row.user_id: row.version for row in rows}

    async def lock(self, user_ids: Collection[UUID]) -> dict[UUID, Inbox]:
        """Lock the rows in order and return the inboxes; those that do not exist are missing in the result."""
        statement = (
            select(Inbox)
            .where(Inbox.user_id == any_(_USER_IDS))
            .order_by(Inbox.user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        inboxes = await self._session.scalars(statement, {"user_ids": list(user_ids)})
        return {inbox.user_id: inbox for inbox in inboxes}

    async def take_versions_for_new(self, counts: Mapping[UUID, int]) -> None:
        """Move clock and counts of locked inboxes for so many new notifications each."""
        parameters = {"user_ids": list(counts), "counts": list(counts.values())}
        await self._session.execute(_TAKE_FOR_NEW, parameters)

    async def clocks(self, user_ids: Collection[UUID]) -> dict[UUID, Clock]:
        """Return the clock of each inbox, known or not."""
        rows = (await self._session.execute(_CLOCKS, {"user_ids": list(user_ids)})).all()
        versions = {row.user_id: row.version for row in rows}
        return {user_id: Clock(rows[0].value, versions.get(user_id, 0)) for user_id in user_ids}

    async def get(self, user_id: UUID) -> Inbox | None:
        """Return the inbox, if anybody wrote to it."""
        return await self._session.get(Inbox, user_id)

    async def epoch(self) -> UUID:
        """Return the epoch."""
        return (await self._session.scalars(select(Epoch.value))).one()

    async def begin_epoch(self) -> UUID:
        """Replace the epoch by a new random one and return it."""
        renewed = update(Epoch).values(value=func.gen_random_uuid()).returning(Epoch.value)
        return (await self._session.scalars(renewed)).one()
