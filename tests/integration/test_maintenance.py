"""Maintenance: overdue work is rung for, deleted text is forgotten."""

import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.fixtures.clock import Clock
from tests.fixtures.doorbells import RecordingDoorbell
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, post, post_many
from tocsin.bootstrap import Resources
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.circuit_breaker import CircuitBreaker
from tocsin.services.maintenance import Purger, Ringer

UNDO = timedelta(minutes=10)
TOMBSTONE = timedelta(days=30)


class Rings:
    """A ringer on a recording doorbell, and what it took up itself."""

    def __init__(self, database: Database, length: int | None = 0) -> None:
        self.doorbell = RecordingDoorbell(length)
        self.breaker = CircuitBreaker(1, 60, 60, time.monotonic)
        self.taken_up: list[UUID] = []
        self.ringer = Ringer(database, self.doorbell, self.breaker, timedelta(0), self._take_up)

    async def _take_up(self, ids: Sequence[UUID]) -> None:
        self.taken_up.extend(ids)


async def test_overdue_work_is_rung_for(resources: Resources, database: Database) -> None:
    ids = [n.id for n in await post_many(resources, 3)]
    rings = Rings(database)

    await rings.ringer.ring()

    assert sorted(rings.doorbell.rung) == ids
    assert rings.taken_up == []


async def test_a_full_queue_is_not_made_fuller(resources: Resources, database: Database) -> None:
    await post(resources)
    rings = Rings(database, length=100)

    await rings.ringer.ring()

    assert rings.doorbell.rung == []


async def test_without_a_broker_overdue_work_is_taken_up_at_once(resources: Resources, database: Database) -> None:
    posted = await post(resources)
    rings = Rings(database, length=None)

    await rings.ringer.ring()

    assert rings.taken_up == [posted.id]


async def test_nothing_is_rung_for_while_the_ai_is_not_well(resources: Resources, database: Database) -> None:
    await post(resources)
    rings = Rings(database)
    rings.breaker.record_outage(uuid4())

    await rings.ringer.ring()

    assert rings.doorbell.rung == []


async def test_one_maintains_at_a_time(resources: Resources, database: Database) -> None:
    await post(resources)
    rings = Rings(database)

    async def while_another_maintains(uow: UnitOfWork) -> None:
        assert await uow.jobs.try_maintenance_lock()
        await rings.ringer.ring()

    await database.transaction(while_another_maintains)
    assert rings.doorbell.rung == []

    await rings.ringer.ring()
    assert len(rings.doorbell.rung) == 1


@pytest.fixture
def purger(database: Database, clock: Clock) -> Purger:
    return Purger(database, UNDO, TOMBSTONE, clock)


async def test_within_the_undo_time_nothing_is_forgotten(resources: Resources, purger: Purger) -> None:
    posted = await post(resources, "Remember me.")
    await resources.notifications.delete(CALLER, posted.id)

    await purger.purge()

    assert (await resources.notifications.restore(CALLER, posted.id)).text == "Remember me."


async def test_after_the_undo_time_a_tombstone_says_nothing(
    resources: Resources, purger: Purger, clock: Clock, database_url: str
) -> None:
    user = uuid4()
    kept, deleted = await post_many(resources, 2, user)
    await resources.notifications.delete(CALLER, deleted.id)
    clock.now += UNDO + timedelta(seconds=1)

    await purger.purge()

    rows = await fetch(database_url, "SELECT id, title, text FROM notifications ORDER BY id")
    assert [tuple(row) for row in rows] == [(kept.id, kept.title, kept.text), (deleted.id, "", "")]
    assert (await resources.inboxes.overview(CALLER, user)).position.version == 3
    await assert_clock_is_sound(database_url)


async def test_when_a_tombstone_is_removed_older_positions_are_told_to_reset(
    resources: Resources, purger: Purger, clock: Clock, database_url: str
) -> None:
    user = uuid4()
    posted = await post_many(resources, 3, user)
    before = str((await resources.inboxes.overview(CALLER, user)).position)
    await resources.notifications.delete(CALLER, posted[1].id)
    after = str((await resources.inboxes.overview(CALLER, user)).position)
    clock.now += TOMBSTONE + timedelta(seconds=1)

    await purger.purge()

    assert [row["id"] for row in await fetch(database_url, "SELECT id FROM notifications ORDER BY id")] == [
        posted[0].id,
        posted[2].id,
    ]
    assert (await resources.inboxes.changes(CALLER, user, before, 100)).reset
    assert not (await resources.inboxes.changes(CALLER, user, after, 100)).reset


async def test_many_tombstones_are_forgotten_in_several_steps(
    resources: Resources, purger: Purger, clock: Clock, database_url: str
) -> None:
    for _ in range(3):
        await post_many(resources, 800)
    await fetch(
        database_url,
        """
        WITH gone AS (UPDATE notifications SET deleted_at = clock_timestamp() RETURNING user_id)
        UPDATE inboxes SET unread_unjudged = 0
        """,
    )
    clock.now += TOMBSTONE + timedelta(days=1)

    await purger.purge()

    assert (await fetch(database_url, "SELECT count(*) AS left FROM notifications"))[0]["left"] == 0
