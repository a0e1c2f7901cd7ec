"""Outcomes: only what the holder of the lease found out counts, whoever else is in the same batch."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, post
from tocsin.bootstrap import Resources
from tocsin.models.notification import ProcessingStatus
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.notifications import Message
from tocsin.repositories.unit_of_work import Database
from tocsin.services.outcomes import Claimed, GivenUp, Judged, Outcome, Postponed, Started, apply_outcomes

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
    (lease,) = await database.transaction(lambda uow: uow.jobs.claim([notification.id], timedelta(minutes=1)))
    return Claimed(lease, Message(notification.user_id, notification.title, notification.text))


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
