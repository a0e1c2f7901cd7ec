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
    delete,
    func,
    or_,
    select,
    update,
)

from tocsin.models.api_key import ApiKey, FormerHash
from tocsin.repositories.handle import Handle
from tocsin.repositories.prepared import PreparedQuery

_HASHES = bindparam("hashes", type_=ARRAY(LargeBinary))
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_columns = cast("Table", ApiKey.__table__).c
_former = cast("Table", FormerHash.__table__).c
_SHOWN = (_columns.id, _columns.scopes, _columns.last_used_at)
_BY_HASH = PreparedQuery(
    select(_columns.hash, *_SHOWN, _columns.expires_at).where(
        _columns.hash == any_(_HASHES), _columns.revoked_at.is_(None)
    )
)
_BY_FORMER_HASH = PreparedQuery(
    select(_former.hash, *_SHOWN, func.least(_former.expires_at, _columns.expires_at).label("expires_at"))
    .join_from(_former.hash.table, _columns.id.table)
    .where(_former.hash == any_(_HASHES), _columns.revoked_at.is_(None))
)


@dataclass(frozen=True, slots=True)
class ValidKey:
    """What a key proves."""

    id: UUID
    hash: bytes
    scopes: frozenset[str]
    last_used_at: datetime | None
    expires_at: datetime | None


class ApiKeyRepository:
    """Service keys of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self._handle = handle

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        self._handle.entities.add(key)

    async def valid_by_hash(self, hashes: Collection[bytes]) -> dict[bytes, ValidKey]:
        """Return the keys that are not revoked, by the hash of a secret that they have or had."""
        found = await self._by_hash(_BY_HASH, hashes)
        if unknown := set(hashes) - found.keys():
            found |= await self._by_hash(_BY_FORMER_HASH, unknown)
        return found

    async def good_among(self, hashes: Collection[bytes], now: datetime) -> set[bytes]:
        """Return those of ``hashes`` whose secrets prove a key at ``now``."""
        found = await self.valid_by_hash(hashes)
        return {key.hash for key in found.values() if key.expires_at is None or key.expires_at > now}

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
        """Return the key with this id, locked."""
        return await self._handle.entities.get(ApiKey, key_id, with_for_update={"key_share": True})

    def add_former_hash(self, former: FormerHash) -> None:
        """Keep a secret that was replaced good for a while."""
        self._handle.entities.add(former)

    async def end_former_hashes(self, key_id: UUID, until: datetime) -> None:
        """Let no secret that the key had before be good for longer."""
        still = (_former.api_key_id == key_id) & (_former.expires_at > until)
        await self._connection.execute(update(FormerHash).where(still).values(expires_at=until))

    async def former_until(self, now: datetime) -> dict[UUID, datetime]:
        """Return until when a former secret is good, by the id of its key; the latest, if there are several."""
        statement = select(_former.api_key_id, func.max(_former.expires_at).label("until")).where(
            _former.expires_at > now
        )
        rows = await self._connection.execute(statement.group_by(_former.api_key_id))
        return {row.api_key_id: row.until for row in rows}

    async def forget_former_hashes(self, expired_before: datetime) -> None:
        """Drop those that are good no more."""
        await self._connection.execute(delete(FormerHash).where(_former.expires_at <= expired_before))

    async def _by_hash(self, query: PreparedQuery, hashes: Collection[bytes]) -> dict[bytes, ValidKey]:
        rows = await self._handle.fetch(query, {"hashes": list(hashes)})
        keys = (ValidKey(key_id, key_hash, frozenset(scopes), *times) for key_hash, key_id, scopes, *times in rows)
        return {key.hash: key for key in keys}
