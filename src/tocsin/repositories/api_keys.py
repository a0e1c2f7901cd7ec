"""SQL of service keys."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    LargeBinary,
    Table,
    Uuid,
    any_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from tocsin.models.api_key import ApiKey
from tocsin.repositories.handle import Handle

_HASHES = bindparam("hashes", type_=ARRAY(LargeBinary))
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_columns = cast("Table", ApiKey.__table__).c
_BY_HASH = select(_columns.hash, _columns.id, _columns.scopes, _columns.last_used_at).where(
    _columns.hash == any_(_HASHES), _columns.revoked_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class ValidKey:
    """What a key proves."""

    id: UUID
    hash: bytes
    scopes: frozenset[str]
    last_used_at: datetime | None


class ApiKeyRepository:
    """Service keys of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self._handle = handle

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        self._handle.entities.add(key)

    async def valid_by_hash(self, hashes: Collection[bytes]) -> dict[bytes, ValidKey]:
        """Return the keys that are not revoked, by hash."""
        rows = await self._connection.execute(_BY_HASH, {"hashes": list(hashes)})
        return {row.hash: ValidKey(row.id, row.hash, frozenset(row.scopes), row.last_used_at) for row in rows}

    async def touch(self, ids: Collection[UUID], at_most_every: timedelta) -> None:
        """Note that the keys are in use, unless that was noted lately."""
        now = func.clock_timestamp()
        stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now - at_most_every)
        statement = update(ApiKey).where(ApiKey.id == any_(_IDS), stale).values(last_used_at=now)
        await self._connection.execute(statement, {"ids": list(ids)})

    async def list_all(self) -> list[ApiKey]:
        """Return all keys, revoked ones too, in the order of their making."""
        return list(await self._handle.entities.scalars(select(ApiKey).order_by(ApiKey.created_at)))

    async def get(self, key_id: UUID) -> ApiKey | None:
        """Return the key with this id."""
        return await self._handle.entities.get(ApiKey, key_id)
