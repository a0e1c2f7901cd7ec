"""Queries that are compiled once and then handed to the driver itself.

What SQLAlchemy does around a short query takes longer than the query. That is spared, and nothing else: the statement,
its types and the connection are SQLAlchemy's, and so is the word on what went wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import asyncpg
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

Rows = Sequence[Sequence[Any]]
_Convert = Callable[[Any], Any]
_DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # a dialect has no types
_FLOAT8: Final = 701
"""The OID by which the dialect knows that the driver returns floats for a column of them. Other types do not ask."""


class PreparedQuery:
    """A SELECT whose parameters are given by name. Its rows are sequences, in the order of its columns."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement

    async def fetch(self, connection: AsyncConnection, parameters: Mapping[str, Any]) -> Rows:
        """Return the rows as of now; outside of transactions only, for it does not begin one.

        Raises:
            TimeoutError: it took longer than a statement may.
            DBAPIError: as if SQLAlchemy had run it. A query that fails is run by SQLAlchemy once more.
        """
        assert connection.sync_connection is not None  # noqa: S101 - it is open
        driver: asyncpg.Connection = connection.sync_connection.connection.driver_connection
        try:
            return self._form.rows(await driver.fetch(self._form.sql, *self._form.arguments(parameters)))
        except asyncpg.QueryCanceledError as error:
            raise TimeoutError from error
        except TimeoutError:
            raise
        except asyncpg.InternalClientError:
            # When the server dies, the driver may lose its place in the protocol, and still take itself for connected.
            driver.terminate()
            return await self.fetch_in_transaction(connection, parameters)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return await self.fetch_in_transaction(connection, parameters)

    async def fetch_in_transaction(self, connection: AsyncConnection, parameters: Mapping[str, Any]) -> Rows:
        """Return the rows in the state that the transaction of ``connection`` sees, run by SQLAlchemy."""
        rows: Rows = (await connection.execute(self.statement, parameters)).all()
        return rows

    @cached_property
    def _form(self) -> "_Form":
        return _Form(self.statement)


class _Form:
    """What the driver takes and gives for a statement."""

    def __init__(self, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._takes = [
            (name, _implementation(compiled.binds[name].type).bind_processor(_DIALECT))
            for name in compiled.positiontup or ()
        ]
        converters = (_converter(column.type) for column in statement.selected_columns)
        self._converters = [(index, convert) for index, convert in enumerate(converters) if convert]

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return what to hand in for ``parameters``, in the order of the statement."""
        values = {**self._constants, **parameters}
        return [convert(values[name]) if convert else values[name] for name, convert in self._takes]

    def rows(self, records: Sequence[asyncpg.Record]) -> Rows:
        """Return what came out, as values of the types of the columns."""
        if not self._converters:
            return records
        rows = [list(record) for record in records]
        for index, convert in self._converters:
            for row in rows:
                row[index] = convert(row[index])
        return rows


def _implementation(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.dialect_impl(_DIALECT)


def _converter(kind: TypeEngine[Any]) -> _Convert | None:
    return _implementation(kind).result_processor(_DIALECT, _FLOAT8)
