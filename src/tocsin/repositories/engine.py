"""The connection pool to PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@asynccontextmanager
async def open_engine(
    url: str,
    *,
    application: str,
    pool_size: int = 8,
    pool_timeout: float = 2,
    connect_timeout: float = 3,
    statement_timeout: float = 10,
    idle_timeout: float = 5,
) -> AsyncIterator[AsyncEngine]:
    """Open a pool of at most ``pool_size`` connections and close it at the end; all times are seconds.

    ``statement_timeout`` bounds a statement twice: in the server, and a little later in the client, so that a
    frozen server fails calls instead of holding them for ever. ``idle_timeout`` is for a frozen process of ours: no
    transaction waits for anything but its own statements, so one that does nothing for so long is ended, and
    nobody else waits longer than that for the inboxes that it had locked.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        hide_parameters=True,
        connect_args={
            "timeout": connect_timeout,
            "command_timeout": statement_timeout + 1,
            "server_settings": {
                "application_name": application,
                "statement_timeout": f"{round(statement_timeout * 1000)}ms",
                "idle_in_transaction_session_timeout": f"{round(idle_timeout * 1000)}ms",
                # Compiling a plan costs more than any statement of ours runs.
                "jit": "off",
            },
        },
    )
    try:
        yield engine
    finally:
        await engine.dispose()
