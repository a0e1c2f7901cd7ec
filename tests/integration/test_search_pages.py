"""Pages of a search meet each match once, in order, whichever way it is found and however little it may read."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.servers import Servers, made_database
from tocsin.models.notification import Severity, first_id_at
from tocsin.models.notification_search import search_document
from tocsin.models.search_query import SearchQuery
from tocsin.models.verdict import Category
from tocsin.repositories.engine import open_engine
from tocsin.repositories.notification_pages import Keyset, NotificationFilter, Order
from tocsin.repositories.unit_of_work import Database
from tocsin.services.cursors import CursorCodec
from tocsin.services.search_pages import Found, SearchBounds, SearchPages

COUNT = 120
USERS = [UUID(int=number) for number in range(1, 4)]
EVERY = {"alpha": 1, "beta": 2, "gamma": 7, "delta": 40}
FIRST = first_id_at(datetime(2026, 1, 1, tzinfo=UTC)).int
CURSORS = CursorCodec("a" * 64)
INSERT = """
INSERT INTO notifications (id, user_id, title, text, created_at, version, severity, category, analyzed_at,
                           processing_status, read_at, deleted_at)
VALUES ($1, $2, $3, $4, now(), $5, $6, $7, now(), 'completed', CASE WHEN $8 THEN now() END, CASE WHEN $9 THEN now() END)
"""


WORDS = "INSERT INTO notification_search VALUES ($1, $2::text::tsvector)"

ReadAll = Callable[[SearchBounds, NotificationFilter, Order, int], list[UUID]]


@dataclass(frozen=True)
class Stored:
    """A notification of the database that all examples read."""

    id: UUID
    user_id: UUID
    words: tuple[str, ...]
    category: Category
    is_read: bool
    is_deleted: bool

    def passes(self, wanted: NotificationFilter) -> bool:
        return (
            not self.is_deleted
            and wanted.user_id in (None, self.user_id)
            and wanted.category in (None, self.category)
            and wanted.read in (None, self.is_read)
        )


def make(number: int) -> Stored:
    """Some words are common, some are rare, some are only in what is old or in what is new."""
    age = ["old"] if number < COUNT / 3 else ["new"] if number > COUNT * 2 / 3 else []
    return Stored(
        id=UUID(int=FIRST + (number << 80)),
        user_id=USERS[number * number % 3],
        words=(*(word for word, every in EVERY.items() if number % every == 0), *age),
        category=list(Category)[number * 7 % 3],
        is_read=number % 4 == 0,
        is_deleted=number % 11 == 0,
    )


ALL = [make(number) for number in range(COUNT)]


@dataclass(frozen=True)
class Choice:
    """Words that must be there, and words that must not."""

    required: tuple[str, ...]
    excluded: tuple[str, ...]

    def matches(self, stored: Stored) -> bool:
        return all(word in stored.words for word in self.required) and not any(
            word in stored.words for word in self.excluded
        )

    def __str__(self) -> str:
        return " ".join([*(f"-{word}" for word in self.excluded), *self.required])


words = st.sampled_from([*EVERY, "old", "new"])
some = st.lists(words, max_size=2, unique=True).map(tuple)
choices = st.builds(Choice, some, some).filter(lambda choice: choice.required or choice.excluded)
filters = st.builds(
    NotificationFilter,
    user_id=st.none() | st.sampled_from([*USERS, UUID(int=9)]),
    category=st.none() | st.sampled_from(Category),
    read=st.none() | st.booleans(),
)
few = st.integers(1, 30)
bounds = st.builds(SearchBounds, glanced=few, gathered=few | st.just(1_000), walked=few, ranked=few)


@pytest.fixture(scope="module")
def read_all(servers: Servers) -> Iterator[ReadAll]:
    """Pages through a search to the end; on one event loop, since Hypothesis asks again and again."""
    with made_database(servers) as url, asyncio.Runner() as runner:
        runner.run(fill(url))
        opened = open_engine(url, application="tests", pool_size=1)
        database = Database(runner.run(opened.__aenter__()))
        try:
            yield lambda *search: runner.run(page_through(database, *search))
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for number, one in enumerate(ALL):
            title, text = "Title", " ".join(one.words)
            severity = Severity.of(one.category)
            row = (one.id, one.user_id, title, text, number + 1, severity, one.category, one.is_read, one.is_deleted)
            await connection.execute(INSERT, *row)
            document = search_document(one.user_id, title, None, text)
            await connection.execute(
                "INSERT INTO notification_search VALUES ($1, $2::text::tsvector)", one.id, document
            )
    finally:
        await connection.close()


async def page_through(
    database: Database, bounds: SearchBounds, wanted: NotificationFilter, order: Order, limit: int
) -> list[UUID]:
    seen: list[UUID] = []
    after = None
    for _ in range(COUNT * 3):
        found = await find(database, SearchPages(bounds), wanted, order, after, limit)
        assert len(found.ids) <= limit
        seen += found.ids
        if found.end is None:
            return seen
        after = CURSORS.decode(CURSORS.encode(found.end, wanted, order), wanted, order)
        assert after == found.end
    raise AssertionError("It does not come to an end.")


async def find(
    database: Database, pages: SearchPages, wanted: NotificationFilter, order: Order, after: Keyset | None, limit: int
) -> Found:
    return await database.snapshot(lambda uow: pages.find(uow, wanted, order, after, limit))


def passing(query: Sequence[Choice], wanted: NotificationFilter) -> tuple[list[Stored], list[Stored]]:
    """Return what passes the filters, newest first, and what of it matches."""
    passed = [one for one in reversed(ALL) if one.passes(wanted)]
    return passed, [one for one in passed if any(choice.matches(one) for choice in query)]


@pytest.mark.timeout(180)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.lists(choices, min_size=1, max_size=2),
    wanted=filters,
    order=st.sampled_from([Order.NEWEST, Order.OLDEST, Order.SEVERITY]),
    limit=st.integers(1, 20),
    bounds=bounds,
)
def test_paging_meets_each_match_once_and_in_order(
    read_all: ReadAll,
    query: list[Choice],
    wanted: NotificationFilter,
    order: Order,
    limit: int,
    bounds: SearchBounds,
) -> None:
    typed = " or ".join(map(str, query))
    wanted = NotificationFilter(wanted.user_id, wanted.category, read=wanted.read, search=SearchQuery.parse(typed))
    _, expected = passing(query, wanted)
    if order is Order.OLDEST:
        expected.reverse()
    if order is Order.SEVERITY:
        expected.sort(key=lambda one: -Severity.of(one.category))

    seen = read_all(bounds, wanted, order, limit)

    assert seen == [one.id for one in expected]


@pytest.mark.timeout(180)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.lists(choices, min_size=1, max_size=2), wanted=filters, limit=st.integers(1, 20), bounds=bounds)
def test_by_relevance_paging_meets_each_of_the_newest_matches_once(
    read_all: ReadAll, query: list[Choice], wanted: NotificationFilter, limit: int, bounds: SearchBounds
) -> None:
    typed = " or ".join(map(str, query))
    wanted = NotificationFilter(wanted.user_id, wanted.category, read=wanted.read, search=SearchQuery.parse(typed))
    passed, expected = passing(query, wanted)
    inbox = [one for one in ALL if wanted.user_id in (None, one.user_id)]
    narrow = all(choice.required for choice in query)
    candidates = [one for one in inbox if not narrow or any(set(c.required) <= set(one.words) for c in query)]
    if (not narrow and wanted.user_id is None) or len(candidates) > bounds.gathered:
        expected = [one for one in passed[: bounds.walked] if one in expected]

    seen = read_all(bounds, wanted, Order.RELEVANCE, limit)

    assert sorted(seen, reverse=True) == [one.id for one in expected[: bounds.ranked]]
    assert len(seen) == len(set(seen))


@pytest.mark.timeout(180)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    typed=st.text(max_size=200) | st.text(alphabet=" \"'-:*&|!()<>\\orxalph", max_size=50),
    user_id=st.none() | st.sampled_from(USERS),
    order=st.sampled_from(Order),
    bounds=bounds,
)
def test_whatever_is_typed_is_no_error(
    read_all: ReadAll, typed: str, user_id: UUID | None, order: Order, bounds: SearchBounds
) -> None:
    query = SearchQuery.parse(typed)

    seen = read_all(bounds, NotificationFilter(user_id, search=query), order, 20)

    assert len(seen) == len(set(seen))
    assert query.matching is not None or seen == []


async def test_what_arrives_between_pages_by_relevance_shifts_nothing(database: Database, database_url: str) -> None:
    """The newest matches are those of when the search began."""
    connection = await asyncpg.connect(database_url)

    async def arrive(number: int) -> UUID:
        new = UUID(int=FIRST + (number << 80))
        await connection.execute(INSERT, new, USERS[0], "T", "alpha", number + 1, 0, "info", False, False)
        await connection.execute(WORDS, new, search_document(USERS[0], "T", None, "alpha"))
        return new

    wanted = NotificationFilter(USERS[0], search=SearchQuery.parse("alpha"))
    pages = SearchPages(SearchBounds(ranked=6))
    try:
        there = [await arrive(number) for number in range(8)]
        seen: list[UUID] = []
        after = None
        for number in range(8, 11):
            found = await find(database, pages, wanted, Order.RELEVANCE, after, 2)
            seen += found.ids
            after = found.end
            await arrive(number)
    finally:
        await connection.close()

    assert seen == there[:1:-1]
    assert after is None
