"""What search looks into is there exactly as long as the text is, and is the same however it came there."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.fixtures.posting import CALLER, fetch, post, post_many
from tests.fixtures.servers import Servers, made_database
from tocsin.bootstrap import Resources
from tocsin.models.notification import first_id_at
from tocsin.models.notification_search import search_document
from tocsin.repositories import schema
from tocsin.repositories.engine import open_engine
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.intake import NotificationDraft
from tocsin.services.maintenance import Purger
from tocsin.services.search_upkeep import SearchUpkeep

USER = UUID("018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01")
UNDO = timedelta(minutes=10)
BEFORE_SEARCH = "0002"
STEP = 500
DOCUMENTS = "SELECT notification_id, document::text FROM notification_search ORDER BY notification_id"
OLD = """
INSERT INTO notifications (id, user_id, title, text, source, created_at, version, severity, processing_status,
                           deleted_at)
VALUES ($1, $2, $3, $4, $5, now(), $6, 1, 'pending', $7)
"""


async def searchable(database_url: str) -> dict[UUID, str]:
    return {row["notification_id"]: row["document"] for row in await fetch(database_url, DOCUMENTS)}


async def test_a_notification_is_searchable_from_the_moment_it_is_stored(
    resources: Resources, database_url: str
) -> None:
    draft = NotificationDraft(USER, "Payment failed", "Платёж отклонён: order-4711", "billing")
    posted = (await resources.intake.accept(CALLER, draft)).notification
    many = await post_many(resources, 25)

    documents = await searchable(database_url)
    assert documents.keys() == {posted.id, *(one.id for one in many)}
    assert documents[posted.id] == (
        "'4711':9 '@018f2f6e7c1a7a539d2b3f1f4a6c8e01' 'bill':4B 'billing':4B 'fail':2A 'order':8"
        " 'payment':1A 'отклон':7 'платеж':6"
    )


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000, "word " * 2_000, "'\\'':1A " * 100, "🔔", "".join(f"w{n} " for n in range(1_700))],
    ids=["one word", "one word again and again", "like a document", "no word", "many words"],
)
async def test_no_text_is_too_much_for_it(resources: Resources, database_url: str, text: str) -> None:
    posted = await post(resources, text)

    assert (await searchable(database_url)).keys() == {posted.id}


async def test_its_words_are_kept_while_a_deletion_can_be_undone_and_are_gone_with_the_text(
    resources: Resources, database: Database, database_url: str
) -> None:
    kept, deleted = await post_many(resources, 2)
    await resources.notifications.delete(CALLER, deleted.id)

    await Purger(database, UNDO, UNDO * 2, lambda: datetime.now(UTC)).purge()
    assert (await searchable(database_url)).keys() == {kept.id, deleted.id}

    await Purger(database, UNDO, UNDO * 2, lambda: datetime.now(UTC) + UNDO).purge()
    assert (await searchable(database_url)).keys() == {kept.id}


async def test_they_are_gone_with_the_notification(resources: Resources, database_url: str) -> None:
    kept, removed = await post_many(resources, 2)

    await fetch(database_url, "DELETE FROM notifications WHERE id = $1", removed.id)

    assert (await searchable(database_url)).keys() == {kept.id}


async def test_what_is_new_is_merged_into_the_index(
    resources: Resources, database: Database, database_url: str
) -> None:
    merge = "SELECT gin_clean_pending_list('ix_notification_search_document') AS pages"
    await post_many(resources, 10)
    assert (await fetch(database_url, merge))[0]["pages"] > 0, "what is new waits"
    await post_many(resources, 10)

    await SearchUpkeep(database).merge_index()

    assert (await fetch(database_url, merge))[0]["pages"] == 0


@pytest.fixture
def old_url(servers: Servers) -> Iterator[str]:
    """A database in which nothing was ever done."""
    with made_database(servers, bare=True) as url:
        yield url


async def fill_before_search(url: str, count: int) -> Sequence[UUID]:
    """Migrate to before the search and write notifications; the first is deleted, the second blanked."""
    async with open_engine(url, application="tests") as engine:
        await schema.upgrade(engine, BEFORE_SEARCH)
    ids = [UUID(int=first_id_at(datetime(2026, 1, 1, tzinfo=UTC)).int + number) for number in range(count)]
    now = datetime.now(UTC)
    rows: list[tuple[object, ...]] = [
        (one, USER, f"Title {number}", f"Текст {number}", "source", number + 1, None) for number, one in enumerate(ids)
    ]
    rows[:2] = [(ids[0], USER, "Title", "Text", None, 1, now), (ids[1], USER, "", "", None, 2, now)]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("INSERT INTO inboxes (user_id, version) VALUES ($1, $2)", USER, count)
        await connection.executemany(OLD, rows)
    finally:
        await connection.close()
    return ids


@pytest.mark.parametrize("count", [7, STEP, 2 * STEP + 3])
async def test_what_was_there_before_the_search_becomes_searchable(old_url: str, count: int) -> None:
    ids = await fill_before_search(old_url, count)
    async with open_engine(old_url, application="tests") as engine:
        await schema.upgrade(engine)
        assert await searchable(old_url) == {}

        await SearchUpkeep(Database(engine)).backfill()

    documents = await searchable(old_url)
    assert documents.keys() == {ids[0], *ids[2:]}, "all but what was blanked"
    expected = await fetch(
        old_url, "SELECT $1::tsvector::text AS document", search_document(USER, "Title 3", "source", "Текст 3")
    )
    assert documents[ids[3]] == expected[0]["document"]
    assert await fetch(old_url, "SELECT * FROM search_backfill") == []


async def test_so_does_what_the_release_before_writes_after_the_migration(old_url: str) -> None:
    await fill_before_search(old_url, 3)
    straggler = UUID(int=first_id_at(datetime(2099, 1, 1, tzinfo=UTC)).int)
    async with open_engine(old_url, application="tests") as engine:
        await schema.upgrade(engine)
        await fetch(old_url, OLD, straggler, USER, "Late", "Late", None, 4, None)

        await SearchUpkeep(Database(engine)).backfill()

    assert straggler in await searchable(old_url)


async def test_a_new_database_has_nothing_to_catch_up_with(
    database: Database, database_url: str, resources: Resources
) -> None:
    assert await fetch(database_url, "SELECT * FROM search_backfill") == []
    await fetch(database_url, "TRUNCATE notification_search")
    await post(resources)

    await SearchUpkeep(database).backfill()

    assert len(await searchable(database_url)) == 1


async def test_one_maintains_at_a_time(resources: Resources, database: Database, database_url: str) -> None:
    await post_many(resources, 3, uuid4())
    await fetch(database_url, "TRUNCATE notification_search")
    await fetch(database_url, "INSERT INTO search_backfill (before) VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff')")
    upkeep = SearchUpkeep(database)

    async def while_another_maintains(uow: UnitOfWork) -> None:
        assert await uow.jobs.try_maintenance_lock()
        await upkeep.backfill()

    await database.transaction(while_another_maintains)
    assert await searchable(database_url) == {}

    await upkeep.backfill()
    assert len(await searchable(database_url)) == 3
