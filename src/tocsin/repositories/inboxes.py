"""SQL of inboxes and of the epoch."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Table, Uuid, any_, bindparam, func, select, update

from tocsin.models.epoch import Epoch
from tocsin.models.inbox import Inbox
from tocsin.repositories.handle import Handle
from tocsin.repositories.prepared import PreparedQuery

_TABLE = cast("Table", Inbox.__table__)
_EPOCH = cast("Table", Epoch.__table__)
_USER_IDS = bindparam("user_ids", type_=ARRAY(Uuid))

# Rows are locked in the order of user ids by every transaction, so that none can deadlock.
_LOCK = (
    select(_TABLE.c.user_id, _TABLE.c.version)
    .where(_TABLE.c.user_id == any_(_USER_IDS))
    .order_by(_TABLE.c.user_id)
    .with_for_update(key_share=True)
)
_LOCK_FREE = (
    select(_TABLE.c.user_id)
    .where(_TABLE.c.user_id == any_(_USER_IDS))
    .order_by(_TABLE.c.user_id)
    .with_for_update(key_share=True, skip_locked=True)
)
_EXISTING = select(_TABLE.c.user_id).where(_TABLE.c.user_id == any_(_USER_IDS))
_CLOCKS = PreparedQuery(
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

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self._handle = handle
        self._locked: dict[Inbox, int] = {}

    @property
    def moved(self) -> dict[UUID, int]:
        """The inboxes that were locked here and took versions since, and where they are now."""
        return {inbox.user_id: inbox.version for inbox, before in self._locked.items() if inbox.version > before}

    async def lock_versions(self, user_ids: Collection[UUID]) -> dict[UUID, int]:
        """Lock the rows in order and return their versions."""
        rows = await self._connection.execute(_LOCK, {"user_ids": list(user_ids)})
        return {row.user_id: row.version for row in rows}

    async def lock_free(self, user_ids: Collection[UUID]) -> set[UUID]:
        """Lock those that nobody else has locked, without waiting; return whose are held by others."""
        free = set(await self._connection.scalars(_LOCK_FREE, {"user_ids": list(user_ids)}))
        others = [user_id for user_id in user_ids if user_id not in free]
        return set(await self._connection.scalars(_EXISTING, {"user_ids": others})) if others else set()

    async def lock(self, user_ids: Collection[UUID]) -> dict[UUID, Inbox]:
        """Lock the rows in order and return the inboxes; those that do not exist are missing in the result."""
        statement = (
            select(Inbox)
            .where(Inbox.user_id == any_(_USER_IDS))
            .order_by(Inbox.user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        inboxes = list(await self._handle.entities.scalars(statement, {"user_ids": list(user_ids)}))
        self._locked |= {inbox: inbox.version for inbox in inboxes}
        return {inbox.user_id: inbox for inbox in inboxes}

    async def clocks(self, user_ids: Collection[UUID]) -> dict[UUID, Clock]:
        """Return the clock of each inbox, known or not."""
        rows = await self._handle.fetch(_CLOCKS, {"user_ids": list(user_ids)})
        epoch = rows[0][0]
        versions = {user_id: version for _, user_id, version in rows}
        return {user_id: Clock(epoch, versions.get(user_id, 0)) for user_id in user_ids}

    async def get(self, user_id: UUID) -> Inbox | None:
        """Return the inbox, if anybody wrote to it."""
        return await self._handle.entities.get(Inbox, user_id)

    async def epoch(self) -> UUID:
        """Return the epoch."""
        return (await self._connection.scalars(select(Epoch.value))).one()

    async def begin_epoch(self) -> UUID:
        """Replace the epoch by a new random one and return it."""
        renewed = update(Epoch).values(value=func.gen_random_uuid()).returning(Epoch.value)
        return (await self._connection.scalars(renewed)).one()
