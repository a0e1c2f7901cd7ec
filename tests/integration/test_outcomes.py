"""Outcomes: only what the holder of the lease found out counts, whoever else is in the same batch."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, post, post_many, somebody_waits
from tests.waiting import eventually
from tocsin.bootstrap import Resources
from tocsin.models.notification import ProcessingStatus
from tocsin.models.verdict import Category, Verdict
from tocsin.repositories.analysis_jobs import Claimed
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.outcomes import GivenUp, Judged, Outcome, Postponed, Started, apply_outcomes

Make = Callable[[Claimed], Outcome]


def judged_old(claimed: Claimed) -> Outcome:
    return Judged(claimed, INFO)


def judged_new(claimed: Claimed) -> Outcome:
    return Judged(claimed, CRITICAL)


def postponed(claimed: Claimed) -> Outcome:
    return Postponed(claimed, delay=60, counted=True, error="busy")


def given_up(claimed: Claimed) -> Outcome:
    return GivenUp(claimed, "no luck")


async def claim(database: Database, notification: NotificationRow) -> Claimed:
    (claimed,) = await database.at_once(lambda uow: uow.jobs.claim([notification.id], timedelta(minutes=1)))
    return claimed


async def apply(database: Database, outcomes: Sequence[Outcome]) -> list[bool]:
    return await database.transaction(lambda uow: apply_outcomes(uow, outcomes, lambda: datetime.now(UTC)))


@pytest.mark.parametrize("new_first", [False, True], ids=["old first", "new first"])
@pytest.mark.parametrize("new", [judged_new, Started, postponed, given_up])
@pytest.mark.parametrize("old", [judged_old, Started, postponed, given_up])
async def test_an_old_lease_counts_for_nothing_beside_the_new_one(
    resources: Resources, database: Database, database_url: str, old: Make, new: Make, new_first: bool
) -> None:
    posted = await post(resources)
    before = await claim(database, posted)
    await resources.notifications.delete(CALLER, posted.id)
    await resources.notifications.restore(CALLER, posted.id)
    after = await claim(database, posted)
    outcomes = [old(before), new(after)]

    applied = await apply(database, outcomes[::-1] if new_first else outcomes)

    assert applied == ([True, False] if new_first else [False, True])
    is_over = new in {judged_new, given_up}
    jobs = await fetch(database_url, "SELECT lease FROM analysis_jobs")
    assert [row["lease"] for row in jobs] == ([] if is_over else [None if new is postponed else after.lease.id])
    stored = await resources.notifications.get(CALLER, posted.id)
    assert stored.version == (3 if new is postponed else 4)
    assert stored.category == (CRITICAL.category if new is judged_new else None)
    await assert_clock_is_sound(database_url)


async def test_what_one_lease_led_to_is_applied_once(
    resources: Resources, database: Database, database_url: str
) -> None:
    posted = await post(resources)
    claimed = await claim(database, posted)

    assert await apply(database, [Judged(claimed, INFO)]) == [True]
    assert await apply(database, [Judged(claimed, CRITICAL)]) == [False]

    stored = await resources.notifications.get(CALLER, posted.id)
    assert (stored.processing_status, stored.category) == (ProcessingStatus.COMPLETED, INFO.category)
    assert stored.version == 2
    await assert_clock_is_sound(database_url)


async def test_keywords_are_stored_letter_by_letter_and_in_their_order(
    resources: Resources, database: Database
) -> None:
    several, none = await post_many(resources, 2)
    keywords = ("zwölf", "a,b", 'say "no"', "{NULL}", "\\", "NULL", " ", "аварія")

    await apply(
        database,
        [
            Judged(await claim(database, several), Verdict(Category.WARNING, 0.5, keywords, "test")),
            Judged(await claim(database, none), Verdict(Category.INFO, 1.0, (), "test")),
        ],
    )

    assert (await resources.notifications.get(CALLER, several.id)).keywords == list(keywords)
    assert (await resources.notifications.get(CALLER, none.id)).keywords == []


async def test_readers_are_told_how_far_the_inboxes_are_that_were_changed_and_of_no_others(
    resources: Resources, database: Database
) -> None:
    told: list[Mapping[UUID, int]] = []
    telling = Database(database.engine, told.append)
    twice, once, left = await post(resources), await post(resources), await post(resources)
    claimed = [await claim(database, it) for it in (twice, once, left)]
    await apply(telling, [Started(claimed[0])])
    await resources.notifications.delete(CALLER, left.id)

    await apply(telling, [Judged(it, INFO) for it in claimed])

    assert told == [{twice.user_id: 2}, {twice.user_id: 3, once.user_id: 2}]


@pytest.mark.parametrize("meanwhile", ["mark_read", "delete", "restore"])
async def test_an_outcome_that_waited_for_its_inbox_counts_for_what_is_there_then(
    resources: Resources, database: Database, database_url: str, meanwhile: str
) -> None:
    """PostgreSQL shows a statement what was there when it began, but for the rows that it locks."""
    posted, other = await post_many(resources, 2)
    claimed = [await claim(database, posted), await claim(database, other)]
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def change(uow: UnitOfWork) -> None:
        inbox = (await uow.inboxes.lock([posted.user_id]))[posted.user_id]
        notification = (await uow.notifications.get_many([posted.id]))[posted.id]
        if meanwhile == "mark_read":
            inbox.change(notification, lambda: notification.mark_read(datetime.now(UTC)))
        else:
            inbox.change(notification, lambda: notification.delete(datetime.now(UTC)))
            await uow.jobs.withdraw([posted.id])
        if meanwhile == "restore":
            inbox.change(notification, notification.restore)
            await uow.jobs.enqueue(posted.id, None, None)
        locked.set()
        await go_on.wait()

    changing = asyncio.create_task(database.transaction(change))
    await locked.wait()
    applying = asyncio.create_task(apply(database, [Judged(item, CRITICAL) for item in claimed]))
    await eventually(lambda: somebody_waits(database_url))
    go_on.set()
    await changing

    assert await applying == [meanwhile == "mark_read", True]
    stored = await resources.notifications.get(CALLER, other.id)
    assert (stored.processing_status, stored.category) == (ProcessingStatus.COMPLETED, CRITICAL.category)
    await assert_clock_is_sound(database_url)
    (row,) = await fetch(database_url, "SELECT read_at, category FROM notifications WHERE id = $1", posted.id)
    expected = (True, "critical") if meanwhile == "mark_read" else (False, None)
    assert (row["read_at"] is not None, row["category"]) == expected
