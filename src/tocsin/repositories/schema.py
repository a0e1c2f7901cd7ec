"""The schema of the database: bring it to a revision, and compare it with the models.

Each revision is a transaction of its own. One that has to wait for a lock on a table makes everybody else who wants
that table wait behind it; so it waits briefly (``lock_timeout`` of the engine), lets them pass, and tries again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tocsin.errors import DatabaseUnavailable
from tocsin.repositories.schema_revisions import MIGRATIONS, telling_unreachable

_MIGRATION_LOCK = 0x70C52
_LOCK_NOT_AVAILABLE: Final = "55P03"
_ATTEMPTS: Final = 30
_PAUSE: Final = 1.0
_log = structlog.get_logger(__name__)


def config(connection: Connection | None = None) -> Config:
    """Return what Alembic's commands take; without a connection they can only write SQL."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        made.attributes["connection"] = connection
    return made


async def upgrade(engine: AsyncEngine, revision: str = "head", *, pause: float = _PAUSE) -> None:
    """Bring the schema up to ``revision``; concurrent calls wait for each other.

    Raises:
        DatabaseUnavailable: it cannot be reached, or others kept a table locked through all attempts, ``pause``
            seconds apart.
    """
    with telling_unreachable():
        await _upgrade(engine, revision, pause)


async def _upgrade(engine: AsyncEngine, revision: str, pause: float) -> None:
    async with _alone(engine):
        for _ in range(_ATTEMPTS):
            if await _try(engine, lambda connection: command.upgrade(config(connection), revision)):
                return
            await asyncio.sleep(pause)
    raise DatabaseUnavailable(
        "Other transactions keep a table locked that the migration needs. What it did so far stays; see "
        "pg_stat_activity for who they are, and run it again."
    )


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the schema back to ``revision``."""
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.downgrade(config(sync), revision))


async def check(engine: AsyncEngine) -> None:
    """Raise `alembic.util.CommandError` if models and schema differ."""
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.check(config(sync)))


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[None]:
    """Wait until nobody else migrates. It asks again and again, since waiting would be bounded as for any lock."""
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        key = {"key": _MIGRATION_LOCK}
        wanted = text("SELECT pg_try_advisory_lock(:key)")
        while not (await connection.execute(wanted, key)).scalar_one():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.2)
        try:
            yield
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


async def _try(engine: AsyncEngine, work: Callable[[Connection], None]) -> bool:
    try:
        async with engine.connect() as connection:
            await connection.run_sync(work)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        _log.warning("migration_waits_for_lock")
        return False
    return True
