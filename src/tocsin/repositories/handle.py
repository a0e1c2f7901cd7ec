"""What the repositories of one unit of work run their SQL on."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tocsin.repositories.prepared import PreparedQuery, Rows


class Handle:
    """A connection for rows, and a session for entities, whose changes are written at the commit.

    What only reads, or changes many rows at once, asks the connection: the session's part costs more than the query.
    """

    def __init__(self, connection: AsyncConnection, *, in_transaction: bool) -> None:
        self.connection = connection
        self._in_transaction = in_transaction
        self._session: AsyncSession | None = None

    @property
    def entities(self) -> AsyncSession:
        """The session, which begins when it is first asked for."""
        if self._session is None:
            self._session = AsyncSession(self.connection, expire_on_commit=False, autoflush=False)
        return self._session

    async def fetch(self, query: PreparedQuery, parameters: Mapping[str, Any]) -> Rows:
        """Return the rows of ``query``, within the transaction if there is one."""
        if self._in_transaction:
            return await query.fetch_in_transaction(self.connection, parameters)
        return await query.fetch(self.connection, parameters)

    async def flush(self) -> None:
        """Write what was changed of entities."""
        if self._session is not None:
            await self._session.flush()
