"""Each index is used by the query it is there for, and no listing reads an inbox whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.base import PGDialect

from tests.fixtures.servers import Servers, made_database
from tocsin.models.notification import ProcessingStatus, first_id_at
from tocsin.models.verdict import Category
from tocsin.repositories.notification_pages import (
    Keyset,
    NotificationFilter,
    Order,
    inbox_page_statement,
    page_statement,
    restrictions,
)

USER = UUID("00000000-0000-4000-8000-000000000007")
MINE = NotificationFilter(user_id=USER)
ALL = NotificationFilter()
MIDDLE = datetime.fromtimestamp(1_700_000_020, UTC)
EARLY = datetime.fromtimestamp(1_700_000_010, UTC)
AFTER = Keyset(first_id_at(MIDDLE), 2)

# Twenty inboxes, all alike but for their number; every index has rows that it must tell apart.
_FILL = """
INSERT INTO notifications (id, user_id, title, text, created_at, version, severity, processing_status, category,
                           analyzed_at, read_at, deleted_at, api_key_id, idempotency_key)
SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
       inbox, 'A title', 'A text', clock_timestamp(), n, severity,
       CASE WHEN n % 501 = 0 THEN 'failed' ELSE 'completed' END, category, clock_timestamp(),
       CASE WHEN n % 11 <> 0 THEN clock_timestamp() END,
       CASE WHEN n % 201 = 0 THEN clock_timestamp() - n * interval '1 minute' END,
       inbox, n::text
FROM generate_series(1, 40000) AS n,
     LATERAL (SELECT CASE n % 7 WHEN 0 THEN 3 WHEN 1 THEN 2 ELSE 0 END AS severity,
                     CASE n % 7 WHEN 0 THEN 'critical' WHEN 1 THEN 'warning' ELSE 'info' END AS category,
                     ('00000000-0000-4000-8000-' || lpad(to_hex(n % 20), 12, '0'))::uuid AS inbox) AS made
"""
_JOBS = """
INSERT INTO analysis_jobs (notification_id, available_at)
SELECT id, clock_timestamp() + (random() * 1000 - 1) * interval '1 s' FROM notifications LIMIT 20000
"""


@pytest.fixture(scope="module")
def filled_url(servers: Servers) -> Iterator[str]:
    """A database that all tests here only read."""
    with made_database(servers) as url:
        asyncio.run(_fill(url))
        yield url


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(filled_url)
    try:
        yield connection
    finally:
        await connection.close()


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in (_FILL, _JOBS, "VACUUM ANALYZE"):
            await connection.execute(statement)
    finally:
        await connection.close()


LISTINGS = [
    (MINE, Order.NEWEST, "ix_notifications_user_id_id"),
    (MINE, Order.OLDEST, "ix_notifications_user_id_id"),
    (MINE, Order.SEVERITY, "ix_notifications_user_id_severity_id"),
    (replace(MINE, category=Category.CRITICAL), Order.NEWEST, "ix_notifications_user_id_severity_id"),
    (replace(MINE, read=False), Order.NEWEST, "ix_notifications_user_id_id_unread"),
    (replace(MINE, created_after=EARLY), Order.NEWEST, "ix_notifications_user_id_id"),
    (ALL, Order.NEWEST, "pk_notifications"),
    (ALL, Order.OLDEST, "pk_notifications"),
    (ALL, Order.SEVERITY, "ix_notifications_severity_id"),
    (replace(ALL, status=ProcessingStatus.FAILED), Order.NEWEST, "ix_notifications_id_failed"),
]
OTHERS = [
    (
        "SELECT * FROM notifications WHERE user_id = $1 AND version > 39900 ORDER BY version LIMIT 100",
        [USER],
        "uq_notifications_user_id_version",
    ),
    (
        "SELECT * FROM notifications WHERE api_key_id = $1 AND idempotency_key = '4'",
        [USER],
        "uq_notifications_api_key_id_idempotency_key",
    ),
    (
        "SELECT id FROM notifications WHERE deleted_at < now() AND text <> '' ORDER BY deleted_at LIMIT 100",
        [],
        "ix_notifications_deleted_at_text",
    ),
    (
        "SELECT id FROM notifications WHERE deleted_at < clock_timestamp() ORDER BY deleted_at LIMIT 100",
        [],
        "ix_notifications_deleted_at",
    ),
    (
        "SELECT * FROM analysis_jobs WHERE available_at < now() ORDER BY available_at LIMIT 100",
        [],
        "ix_analysis_jobs_available_at",
    ),
]


def sql(form: Callable[..., Select[Any]], wanted: NotificationFilter, order: Order, after: Keyset | None) -> str:
    values = restrictions(wanted)
    statement = form(frozenset(values), order, later=after is not None)
    follows = {"after_id": after.id, "after_severity": after.severity} if after else {}
    dialect = PGDialect()  # type: ignore[no-untyped-call]  # a dialect has no types
    return str(
        statement.params(**values, **follows, limit=21).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    )


@pytest.mark.parametrize("after", [None, AFTER], ids=["first page", "later page"])
@pytest.mark.parametrize(("wanted", "order", "index"), LISTINGS, ids=str)
async def test_a_page_reads_its_index_in_order_and_little_else(
    filled: asyncpg.Connection, wanted: NotificationFilter, order: Order, index: str, after: Keyset | None
) -> None:
    plan = await explain(filled, sql(page_statement, wanted, order, after))

    assert indexes(plan) == {index}
    assert "Sort" not in nodes(plan)


@pytest.mark.parametrize(("wanted", "order", "index"), [it for it in LISTINGS if it[0].user_id], ids=str)
async def test_a_page_beside_its_clock_reads_the_same_index(
    filled: asyncpg.Connection, wanted: NotificationFilter, order: Order, index: str
) -> None:
    plan = await explain(filled, sql(inbox_page_statement, wanted, order, None))

    assert index in indexes(plan)
    assert not indexes(plan) - {index, "pk_inboxes", "pk_epoch"}


@pytest.mark.parametrize(("statement", "arguments", "index"), OTHERS, ids=[index for _, _, index in OTHERS])
async def test_the_index_is_used(
    filled: asyncpg.Connection, statement: str, arguments: list[object], index: str
) -> None:
    assert indexes(await explain(filled, statement, *arguments)) == {index}


async def test_no_index_is_there_for_nothing(filled: asyncpg.Connection) -> None:
    rows = await filled.fetch("SELECT indexname FROM pg_indexes WHERE tablename IN ('notifications', 'analysis_jobs')")

    shown = {index for _, _, index in LISTINGS} | {index for _, _, index in OTHERS}
    assert {row["indexname"] for row in rows} - {"pk_analysis_jobs"} == shown


async def explain(connection: asyncpg.Connection, statement: str, *arguments: object) -> list[dict[str, Any]]:
    """Return the nodes of the plan."""
    (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    waiting = [json.loads(row[0])[0]["Plan"]]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node.get("Plans", []))
    return found


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in plan if "Index Name" in node}


def nodes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Node Type"] for node in plan}
