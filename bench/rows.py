"""Notifications written straight into the database, many at once, with ids that can be told without asking."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tocsin.repositories.engine import open_engine
from tocsin.repositories.unit_of_work import Database
from tocsin.services.search_upkeep import SearchUpkeep

_BEGAN_MS = 1_760_000_000_000
_USER = 0x4000_8000_000000000000
_ID = "(lpad(to_hex({began} + i), 12, '0') || '7' || '000' || '8' || lpad(to_hex(i), 15, '0'))::uuid"
_INSERT = f"""
INSERT INTO notifications (id, user_id, title, text, created_at, version, category, severity, confidence, keywords,
                           analyzer, analyzed_at, processing_status, tries)
SELECT {_ID.format(began=_BEGAN_MS)},
       ('00000000-0000-4000-8000-' || lpad(to_hex($1 + i % $2), 12, '0'))::uuid,
       'Backup of database ' || i % 97, 'The backup of database ' || i % 97 || ' took ' || i % 1000 ||
       ' seconds, which is more than usual; careful, the disk behind it may be getting full.',
       to_timestamp(({_BEGAN_MS} + i) / 1000.0), (i - $3) / $2 + 1,
       (ARRAY['info', 'warning', 'critical'])[i % 3 + 1], (ARRAY[0, 2, 3])[i % 3 + 1], 0.9,
       ARRAY['backup', 'database', 'careful'], 'http', to_timestamp(({_BEGAN_MS} + i) / 1000.0 + 2), 'completed', 1
FROM generate_series($3::bigint, $3::bigint + $4::bigint - 1) AS i
"""  # noqa: S608 - put together from constants of this module
_COUNT = """
INSERT INTO inboxes (user_id, version, unread_info, unread_warning, unread_critical)
SELECT user_id, max(version), count(*) FILTER (WHERE severity = 0), count(*) FILTER (WHERE severity = 2),
       count(*) FILTER (WHERE severity = 3)
FROM notifications GROUP BY user_id
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'notifications' AND indexname NOT LIKE 'pk\\_%'
"""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows ``first``… of ``count``, dealt out in turn to inboxes ``first_user``… of ``users``."""

    first: int
    count: int
    first_user: int
    users: int


def user_id(number: int) -> str:
    """Return the id of a user."""
    return str(UUID(int=_USER + number))


def notification_id(number: int) -> str:
    """Return the id of a row."""
    return str(UUID(int=(_BEGAN_MS + number) << 80 | 0x7000 << 64 | 0x8 << 60 | number))


async def fill(url: str, *blocks: Block) -> None:
    """Write ``blocks`` into an empty database, and the inboxes that belong to them."""
    connection = await asyncpg.connect(url)
    try:
        indexes = await connection.fetch(_INDEXES)
        # Building an index over what is there takes a fraction of the time that row after row would.
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['indexname']}")
        for block in blocks:
            await connection.execute(_INSERT, block.first_user, block.users, block.first, block.count)
        for index in indexes:
            await connection.execute(index["indexdef"])
        await connection.execute(_COUNT)
    finally:
        await connection.close()


async def make_searchable(url: str) -> None:
    """Write the words of all rows, as workers do after an upgrade from a release without a search."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("INSERT INTO search_backfill (before) VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff')")
        async with open_engine(url, application="bench") as engine:
            upkeep = SearchUpkeep(Database(engine))
            while await connection.fetchval("SELECT count(*) FROM search_backfill"):
                await upkeep.backfill()
            await upkeep.merge_index()
    finally:
        await connection.close()
