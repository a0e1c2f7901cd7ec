"""Which revision the schema has, and which ones this version knows.

Apart from `tocsin.repositories.schema`, since each start of a process asks, and Alembic takes longer to import than all
else that touches the database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tocsin.errors import DatabaseUnavailable
from tocsin.repositories.unit_of_work import is_unreachable

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"


def known_revisions() -> list[str]:
    """Return the revisions of this version, the newest last: what the names of their files begin with."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


async def is_behind(engine: AsyncEngine) -> bool:
    """Whether the schema lacks a revision of this version; those of a later version do no harm.

    Raises:
        DatabaseUnavailable: it cannot be reached.
    """
    *older, _ = known_revisions()
    with telling_unreachable():
        reached = await _reached(engine)
    return reached <= set(older)


async def _reached(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
            return set()
        return set((await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars())


@contextmanager
def telling_unreachable() -> Iterator[None]:
    """Turn what a driver says of a server that cannot be reached into `DatabaseUnavailable`."""
    try:
        yield
    except (DBAPIError, OSError) as error:
        if is_unreachable(error):
            raise DatabaseUnavailable from error
        raise
