"""What the repositories of one unit of work run their SQL on."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


class Handle:
    """A connection for rows, and a session for entities, whose changes are written at the commit.

    What only reads, or changes many rows at once, asks the connection: the session's part costs more than the query.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._session: AsyncSession | None = None

    @property
    def entities(self) -> AsyncSession:
        """The session, which begins when it is first asked for."""
        if self._session is None:
            self._session = AsyncSession(self.connection, expire_on_commit=False, autoflush=False)
        return self._session

    async def flush(self) -> None:
        """Write what was changed of entities."""
        if self._session is not None:
            await self._session.flush()
