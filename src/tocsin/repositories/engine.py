"""The connection pool to PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from tocsin.telemetry import DATABASE_CONNECTIONS, DATABASE_CONNECTIONS_MAX, DATABASE_WAITING

_TRANSACTION_TIMEOUT_SINCE = 17


class _Pool(AsyncAdaptedQueuePool):
    """Knows how many wait: for a free connection, or for theirs to be made."""

    waiting = 0

    def _do_get(self) -> ConnectionPoolEntry:
        self.waiting += 1
        try:
            return super()._do_get()
        finally:
            self.waiting -= 1


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
    lock_timeout: float = 0,
) -> AsyncIterator[AsyncEngine]:
    """Open a pool of at most ``pool_size`` connections and close it at the end; all times are seconds.

    ``statement_timeout`` bounds a statement twice: in the server, and a little later in the client, so that a
    frozen server fails calls instead of holding them for ever. ``idle_timeout`` is for a frozen process of ours: no
    transaction waits for anything but its own statements, so one that does nothing for so long is ended, and
    nobody else waits longer than that for the inboxes that it had locked. From PostgreSQL 17 on a transaction as a
    whole is bounded too, one and a half times as long as a statement: a process that was frozen in the midst of
    sending one does not count as idle. ``lock_timeout`` bounds how long a statement waits for a lock; 0 is as long
    as it may run.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=_Pool,
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
                "lock_timeout": f"{round(lock_timeout * 1000)}ms",
                # Compiling a plan costs more than any statement of ours runs.
                "jit": "off",
            },
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def bound_transactions(connection: AdaptedConnection, _: object) -> None:
        connection.run_async(lambda raw: _bound_transactions(raw, 1.5 * statement_timeout))

    _tell_of_pool(engine)
    try:
        yield engine
    finally:
        await engine.dispose()


async def _bound_transactions(connection: asyncpg.Connection, seconds: float) -> None:
    if connection.get_server_version().major >= _TRANSACTION_TIMEOUT_SINCE:
        await connection.execute(f"SET transaction_timeout = '{round(seconds * 1000)}ms'")


def _tell_of_pool(engine: AsyncEngine) -> None:
    """Have the metrics ask the pool when they are asked. It is replaced when the server hangs up."""

    def pool() -> _Pool:
        it = engine.sync_engine.pool
        assert isinstance(it, _Pool)  # noqa: S101 - the one that it was made with
        return it

    DATABASE_CONNECTIONS.labels("in_use").set_function(lambda: pool().checkedout())
    DATABASE_CONNECTIONS.labels("idle").set_function(lambda: pool().checkedin())
    DATABASE_CONNECTIONS_MAX.set_function(lambda: pool().size())
    DATABASE_WAITING.set_function(lambda: pool().waiting)
