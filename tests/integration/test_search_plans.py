"""Searches use their indexes and read what is theirs, whatever PostgreSQL expects of their words."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from tests.fixtures.servers import Servers, made_database
from tocsin.models.search_query import SearchQuery
from tocsin.models.verdict import Category
from tocsin.repositories.notification_pages import NotificationFilter, Order, restrictions
from tocsin.repositories.search_pages import (
    gather_statement,
    rank_gathered_statement,
    rank_walked_statement,
    walk_end_statement,
    walk_statement,
)

USER = UUID("00000000-0000-4000-8000-000000000007")
MINE = NotificationFilter(user_id=USER)
ALL = NotificationFilter()
GIN, WORDS = "ix_notification_search_document", "pk_notification_search"
CUSTOM, GENERIC = "force_custom_plan", "force_generic_plan"

# Twenty inboxes, all alike; a word in every text, one in each thousandth, and one that only the oldest texts have.
_FILL = """
INSERT INTO notifications (id, user_id, title, text, created_at, version, severity, processing_status, category,
                           analyzed_at)
SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
       ('00000000-0000-4000-8000-' || lpad(to_hex(n % 20), 12, '0'))::uuid, 'A title', 'A text',
       clock_timestamp(), n, CASE n % 7 WHEN 0 THEN 3 ELSE 0 END, 'completed',
       CASE n % 7 WHEN 0 THEN 'critical' ELSE 'info' END, clock_timestamp()
FROM generate_series(1, 40000) AS n
"""
_SEARCH = """
INSERT INTO notification_search
SELECT id, ('@' || replace(user_id::text, '-', '') || ' common'
            || CASE WHEN version % 1000 = 7 THEN ' rare' ELSE '' END
            || CASE WHEN version < 10000 THEN ' old' ELSE '' END)::tsvector
FROM notifications ORDER BY id
"""


@pytest.fixture(scope="module")
def filled_url(servers: Servers) -> Iterator[str]:
    """A database that all tests here only read."""
    with made_database(servers) as url:
        asyncio.run(fill(url))
        yield url


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in (_FILL, _SEARCH, "VACUUM ANALYZE"):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(filled_url)
    try:
        yield connection
    finally:
        await connection.close()


async def explain(
    connection: asyncpg.Connection,
    statement: Select[Any],
    plans: str = CUSTOM,
    *,
    analyze: bool = False,
    **values: object,
) -> list[dict[str, Any]]:
    """Return the nodes of the plan, made for these values or for any."""
    dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # a dialect has no types
    compiled = statement.compile(dialect=dialect)
    parameters = {**compiled.params, **values}
    given = [str(parameters[name]).replace("'", "''") for name in compiled.positiontup or ()]
    literals = ", ".join(f"'{value}'" for value in given)
    await connection.execute(f"SET plan_cache_mode = {plans}")
    # As a search does before it asks the full text index.
    await connection.execute(f"SET enable_seqscan = {'off' if 'candidates' in str(compiled) else 'on'}")
    await connection.execute(f"PREPARE search AS {compiled}")
    (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON, ANALYZE {analyze}) EXECUTE search ({literals})")
    await connection.execute("DEALLOCATE search")
    waiting = [json.loads(row[0])[0]["Plan"]]
    found = []
    while waiting:
        found.append(waiting.pop())
        waiting.extend(found[-1].get("Plans", []))
    return found


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in plan if "Index Name" in node}


def nodes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Node Type"] for node in plan}


def texts_read(plan: list[dict[str, Any]]) -> int:
    """Return how many rows of words were visited."""
    return int(
        sum(
            (node["Actual Rows"] + node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"]
            for node in plan
            if node.get("Relation Name") == "notification_search"
        )
    )


def sought(wanted: NotificationFilter, typed: str) -> dict[str, Any]:
    query = SearchQuery.parse(typed)
    return {
        **restrictions(wanted),
        "matching": query.matching,
        "required": query.required_in(wanted.user_id),
        "limit": 1_000,
        "skipped": 999,
        "bound": 10_000,
        "ranked": 1_000,
        "hits": 21,
        "after_id": "018bcfe5-9c00-7000-8000-000000000000",
        "after_severity": 3,
        "after_rank": 0.1,
    }


WALKS = [
    (MINE, Order.NEWEST, "ix_notifications_user_id_id"),
    (MINE, Order.OLDEST, "ix_notifications_user_id_id"),
    (MINE, Order.SEVERITY, "ix_notifications_user_id_severity_id"),
    (replace(MINE, read=False), Order.NEWEST, "ix_notifications_user_id_id_unread"),
    (replace(MINE, category=Category.CRITICAL), Order.NEWEST, "ix_notifications_user_id_severity_id"),
    (ALL, Order.NEWEST, "pk_notifications"),
    (ALL, Order.SEVERITY, "ix_notifications_severity_id"),
]


@pytest.mark.parametrize("plans", [CUSTOM, GENERIC])
@pytest.mark.parametrize("typed", ["common", "rare", "old"])
@pytest.mark.parametrize(("wanted", "order", "index"), WALKS, ids=str)
@pytest.mark.parametrize("later", [False, True])
async def test_a_walk_follows_the_index_of_the_listing_and_reads_words_by_their_key(
    filled: asyncpg.Connection,
    wanted: NotificationFilter,
    order: Order,
    index: str,
    later: bool,
    typed: str,
    plans: str,
) -> None:
    names = frozenset(restrictions(wanted))

    plan = await explain(filled, walk_statement(names, order, later=later), plans, **sought(wanted, typed))
    end = await explain(filled, walk_end_statement(names, order, later=later), plans, **sought(wanted, typed))

    assert indexes(plan) == {index, WORDS}
    assert indexes(end) == {index}
    assert not nodes([*plan, *end]) & {"Sort", "Seq Scan"}


@pytest.mark.parametrize("plans", [CUSTOM, GENERIC])
@pytest.mark.parametrize("typed", ["common", "rare", "old", "ra", '"common rare"', "common -rare"])
@pytest.mark.parametrize("wanted", [MINE, ALL, replace(MINE, read=False, category=Category.CRITICAL)], ids=str)
async def test_gathering_asks_the_full_text_index_and_reads_notifications_by_their_key(
    filled: asyncpg.Connection, wanted: NotificationFilter, typed: str, plans: str
) -> None:
    names = frozenset(restrictions(wanted))

    for later in (False, True):
        for statement in (
            gather_statement(names, Order.NEWEST, later=later),
            gather_statement(names, Order.SEVERITY, later=later),
            rank_gathered_statement(names, later=later),
        ):
            plan = await explain(filled, statement, plans, **sought(wanted, typed))

            assert GIN in indexes(plan)
            assert "Seq Scan" not in nodes(plan)


@pytest.mark.parametrize("plans", [CUSTOM, GENERIC])
@pytest.mark.parametrize("wanted", [MINE, ALL], ids=str)
async def test_ranking_what_is_common_reads_the_newest(
    filled: asyncpg.Connection, wanted: NotificationFilter, plans: str
) -> None:
    statement = rank_walked_statement(frozenset(restrictions(wanted)), later=False)

    plan = await explain(filled, statement, plans, analyze=True, **sought(wanted, "common"))

    assert indexes(plan) == {"ix_notifications_user_id_id" if wanted is MINE else "pk_notifications", WORDS}
    assert texts_read(plan) == 1_000


async def test_a_common_word_is_read_in_one_inbox_only(filled: asyncpg.Connection) -> None:
    statement = gather_statement(frozenset({"of_user"}), Order.NEWEST, later=False)

    plan = await explain(filled, statement, analyze=True, **sought(MINE, "common"))

    assert texts_read(plan) == 40_000 / 20


async def test_what_is_too_much_is_not_read_to_the_end(filled: asyncpg.Connection) -> None:
    statement = gather_statement(frozenset(), Order.NEWEST, later=False)

    plan = await explain(filled, statement, analyze=True, **{**sought(ALL, "common"), "bound": 100})

    # Where the bitmap of an index is coarse, it is by whole pages of the table.
    assert 101 <= texts_read(plan) < 500
    assert not [node for node in plan if node.get("Relation Name") == "notifications" and node["Actual Loops"]]


async def test_a_walk_ends_with_the_last_hit_of_the_page(filled: asyncpg.Connection) -> None:
    statement = walk_statement(frozenset({"of_user"}), Order.NEWEST, later=False)

    plan = await explain(filled, statement, analyze=True, **sought(MINE, "common"))

    assert texts_read(plan) == 21


async def test_no_index_is_there_for_nothing(filled: asyncpg.Connection) -> None:
    rows = await filled.fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'notification_search'")

    assert {row["indexname"] for row in rows} == {GIN, WORDS}
