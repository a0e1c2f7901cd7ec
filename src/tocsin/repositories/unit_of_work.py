"""The unit of work: one transaction, its repositories, and what happens after the commit.

The only commit of the product is here. A use case hands a function to `Database.transaction`, which runs it,
commits, and then runs the hooks that it left (publish, ring). A serialization failure or a deadlock, and a
connection that was found dead before the commit was sent, repeat the whole function, so it must have no effect
but in the database and in its hooks.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tocsin.errors import DatabaseUnavailable, Overloaded, Unavailable, UnstorableInput
from tocsin.repositories.analysis_jobs import AnalysisJobRepository
from tocsin.repositories.api_keys import ApiKeyRepository
from tocsin.repositories.handle import Handle
from tocsin.repositories.inboxes import InboxRepository
from tocsin.repositories.intake import IntakeRepository
from tocsin.repositories.notification_bulk import NotificationBulkRepository
from tocsin.repositories.notification_pages import NotificationPageRepository
from tocsin.repositories.notification_search import NotificationSearchRepository
from tocsin.repositories.notifications import NotificationRepository
from tocsin.repositories.outcomes import OutcomeRepository
from tocsin.repositories.search_backfill import SearchBackfillRepository
from tocsin.repositories.search_pages import SearchPageRepository
from tocsin.repositories.stream_reads import StreamReadRepository
from tocsin.telemetry import DATABASE_FAILURES, TRANSACTIONS_REPEATED

_Result = TypeVar("_Result")
_log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 6
_FIRST_PAUSE: Final = 0.01
_REPEATABLE: Final = frozenset({"40001", "40P01"})
_UNREACHABLE: Final = frozenset({"08", "53", "57", "58"})
"""SQLSTATE classes: connection, resources, operator intervention (shutdown, cancel), system error."""
_LOCK_NOT_AVAILABLE: Final = "55P03"
_BAD_DATA: Final = frozenset({"22", "23"})
"""SQLSTATE classes: data exception, integrity constraint violation."""
for _code in (DatabaseUnavailable.code, Overloaded.code):
    DATABASE_FAILURES.labels(_code)


class CommitUnknown(DatabaseUnavailable):
    """The connection to the database broke during the commit; it is unknown whether it took effect."""

    code = "database_unavailable"


class LockTimeout(Exception):
    """What is needed was locked by somebody else for longer than the unit of work chose to wait."""


class _Repeat(Exception):
    """This attempt had no effect and may be made again."""


class UnitOfWork:
    """One attempt at one transaction."""

    def __init__(self, connection: AsyncConnection, *, in_transaction: bool) -> None:
        self._hooks: list[Callable[[], None]] = []
        self._handle = handle = Handle(connection, in_transaction=in_transaction)
        self.notifications = NotificationRepository(handle)
        self.pages = NotificationPageRepository(handle)
        self.bulk = NotificationBulkRepository(handle)
        self.search = NotificationSearchRepository(handle)
        self.search_backfill = SearchBackfillRepository(handle)
        self.search_pages = SearchPageRepository(handle)
        self.inboxes = InboxRepository(handle)
        self.intake = IntakeRepository(handle)
        self.stream_reads = StreamReadRepository(handle)
        self.jobs = AnalysisJobRepository(handle)
        self.outcomes = OutcomeRepository(handle)
        self.api_keys = ApiKeyRepository(handle)

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run ``hook`` once the transaction is committed; a failing hook is logged, never raised."""
        self._hooks.append(hook)

    async def commit(self) -> None:
        """Make the work durable."""
        await self._handle.flush()
        try:
            await self._handle.connection.commit()
        except (DBAPIError, OSError) as error:
            if _is_repeatable(error):
                raise
            raise CommitUnknown from error

    def run_hooks(self) -> None:
        """Run what was to happen after the commit."""
        for hook in self._hooks:
            try:
                hook()
            except Exception:  # noqa: BLE001 - the transaction is committed; nobody could undo it
                _log.exception(
                    "after_commit_hook_failed",
                    hook=getattr(hook, "__qualname__", repr(hook)),
                )


class Database:
    """Opens units of work on one engine.

    Every method raises `DatabaseUnavailable` when PostgreSQL cannot be reached, and `Overloaded` when all
    connections stay busy. ``on_moved`` is told after each commit which inboxes took versions, and where they are now.
    """

    def __init__(self, engine: AsyncEngine, on_moved: Callable[[Mapping[UUID, int]], None] | None = None) -> None:
        self.engine = engine
        self._on_moved = on_moved
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._repeatable_read = engine.execution_options(isolation_level="REPEATABLE READ")

    async def transaction(self, work: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
        """Run ``work`` in a READ COMMITTED transaction, commit, run its hooks, return its result."""

        async def attempt() -> _Result:
            async with self._open(self.engine) as uow:
                result = await work(uow)
                await uow.commit()
            self._tell(uow)
            uow.run_hooks()
            return result

        return await _repeat(attempt)

    async def read(self, work: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
        """Run ``work``, whose every statement sees the latest state, outside of any transaction."""

        async def attempt() -> _Result:
            async with self._open(self._autocommit, in_transaction=False) as uow:
                return await work(uow)

        return await _repeat(attempt)

    async def at_once(self, work: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
        """Run ``work``, one statement that commits itself, for changes that no reader is told of.

        Where the connection breaks, it is run again even if it took effect.
        """
        return await self.read(work)

    async def snapshot(self, work: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
        """Run ``work``, whose statements all see one state, in a REPEATABLE READ transaction."""

        async def attempt() -> _Result:
            async with self._open(self._repeatable_read) as uow:
                return await work(uow)

        return await _repeat(attempt)

    def _tell(self, uow: UnitOfWork) -> None:
        if self._on_moved and (moved := uow.inboxes.moved | uow.intake.moved | uow.outcomes.moved):
            uow.after_commit(partial(self._on_moved, moved))

    @asynccontextmanager
    async def _open(self, engine: AsyncEngine, *, in_transaction: bool = True) -> AsyncIterator[UnitOfWork]:
        try:
            async with engine.connect() as connection:
                yield UnitOfWork(connection, in_transaction=in_transaction)
        except PoolTimeoutError as error:
            raise Overloaded from error
        except (DBAPIError, OSError, InterfaceError) as error:
            raise _translated(error) from error


async def _repeat(attempt: Callable[[], Awaitable[_Result]]) -> _Result:
    try:
        return await _attempt_often(attempt)
    except Unavailable as error:
        DATABASE_FAILURES.labels(error.code).inc()
        raise


async def _attempt_often(attempt: Callable[[], Awaitable[_Result]]) -> _Result:
    pause = _FIRST_PAUSE
    for _ in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except _Repeat as repeat:
            TRANSACTIONS_REPEATED.labels(str(repeat)).inc()
            _log.info("transaction_repeated", cause=str(repeat))
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, guards nothing
        pause *= 2
    try:
        return await attempt()
    except _Repeat as repeat:
        raise DatabaseUnavailable from repeat


def _is_repeatable(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and _sqlstate(error) in _REPEATABLE


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def is_unreachable(error: Exception) -> bool:
    """Whether ``error`` says that PostgreSQL cannot be reached, or will not work now."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError)
    return _sqlstate(error)[:2] in _UNREACHABLE or isinstance(error, InterfaceError)


def _translated(error: Exception) -> Exception:
    """Return what to raise instead of ``error``, which happened before the commit was sent."""
    if isinstance(error, DBAPIError) and (_is_repeatable(error) or error.connection_invalidated):
        return _Repeat(type(error.orig).__name__)
    if is_unreachable(error):
        return DatabaseUnavailable()
    if not isinstance(error, DBAPIError):
        return error
    if _sqlstate(error)[:2] in _BAD_DATA:
        return UnstorableInput(())
    return LockTimeout() if _sqlstate(error) == _LOCK_NOT_AVAILABLE else error
