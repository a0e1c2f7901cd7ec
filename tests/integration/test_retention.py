"""Retention: what is too old is deleted, in order, once, and nothing else is."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.fixtures.clock import Clock
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, post, post_many
from tocsin.bootstrap import Resources
from tocsin.errors import NotFound
from tocsin.repositories.unit_of_work import Database
from tocsin.services.retention import Retention

KEEP = timedelta(days=90)


@pytest.fixture
def retention(database: Database, clock: Clock) -> Retention:
    return Retention(database, KEEP, clock)


async def test_what_is_young_enough_is_kept(resources: Resources, retention: Retention, clock: Clock) -> None:
    posted = await post(resources)
    clock.now += KEEP - timedelta(minutes=1)

    await retention.expire()

    assert (await resources.notifications.get(CALLER, posted.id)).deleted_at is None


async def test_what_is_too_old_is_deleted_with_its_job_and_clients_learn_of_it(
    resources: Resources, retention: Retention, clock: Clock, database_url: str
) -> None:
    user = uuid4()
    old = await post_many(resources, 3, user)
    since = str((await resources.inboxes.overview(CALLER, user)).position)
    clock.now += KEEP + timedelta(minutes=1)

    await retention.expire()

    with pytest.raises(NotFound):
        await resources.notifications.get(CALLER, old[0].id)
    changes = await resources.inboxes.changes(CALLER, user, since, 100)
    assert [change.id for change in changes.notifications if change.deleted_at] == [one.id for one in old]
    assert changes.overview.unread.total == 0
    assert await fetch(database_url, "SELECT * FROM analysis_jobs") == []
    await assert_clock_is_sound(database_url)


async def test_many_are_deleted_in_several_steps_over_many_inboxes(
    resources: Resources, retention: Retention, clock: Clock, database_url: str
) -> None:
    for _ in range(5):
        await post_many(resources, 101)
    clock.now += KEEP + timedelta(minutes=1)

    await retention.expire()

    assert await fetch(database_url, "SELECT id FROM notifications WHERE deleted_at IS NULL") == []
    await assert_clock_is_sound(database_url)


async def test_what_is_deleted_already_takes_no_version_again(
    resources: Resources, retention: Retention, clock: Clock
) -> None:
    user = uuid4()
    await post(resources, user_id=user)
    clock.now += KEEP + timedelta(minutes=1)
    await retention.expire()
    version = (await resources.inboxes.overview(CALLER, user)).position.version

    clock.now += timedelta(days=1)
    await retention.expire()

    assert (await resources.inboxes.overview(CALLER, user)).position.version == version


async def test_what_was_restored_is_found_by_the_next_round(
    resources: Resources, retention: Retention, clock: Clock
) -> None:
    posted = await post(resources)
    clock.now += KEEP + timedelta(minutes=1)
    await retention.expire()
    # The service's own clock was not moved, so the deletion lies in its future: it can be undone.
    await resources.notifications.restore(CALLER, posted.id)

    await retention.expire()
    assert (await resources.notifications.get(CALLER, posted.id)).deleted_at is None

    clock.now += timedelta(hours=6)
    await retention.expire()
    with pytest.raises(NotFound):
        await resources.notifications.get(CALLER, posted.id)


async def test_without_a_limit_everything_is_kept(resources: Resources, database: Database, clock: Clock) -> None:
    posted = await post(resources)
    clock.now += timedelta(days=36_500)

    await Retention(database, timedelta(0), clock).expire()

    assert (await resources.notifications.get(CALLER, posted.id)).deleted_at is None
