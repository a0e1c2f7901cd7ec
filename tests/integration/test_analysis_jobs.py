"""Leases: who may work on a job, and who not any more."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from tests.fixtures.posting import fetch, post, post_many
from tests.waiting import elapse
from tocsin.bootstrap import Resources
from tocsin.repositories.analysis_jobs import Lease, PutBack
from tocsin.repositories.unit_of_work import Database, UnitOfWork

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=50)


async def claim(database: Database, *ids: UUID, lease_time: timedelta = LONG) -> list[Lease]:
    return [it.lease for it in await database.at_once(lambda uow: uow.jobs.claim(list(ids), lease_time))]


async def holds(database: Database, lease: Lease) -> bool:
    return lease.id in await database.transaction(lambda uow: lock(uow, [lease]))


async def lock(uow: UnitOfWork, leases: Sequence[Lease]) -> Collection[UUID]:
    owners = await uow.notifications.owners([lease.notification_id for lease in leases])
    return await uow.outcomes.lock(leases, owners.values())


async def test_a_claimed_job_cannot_be_claimed_again(resources: Resources, database: Database) -> None:
    posted = await post(resources)

    (lease,) = await claim(database, posted.id)

    assert (lease.notification_id, lease.tries) == (posted.id, 1)
    assert await claim(database, posted.id) == []


async def test_claims_at_the_same_time_share_the_jobs_and_none_waits(resources: Resources, database: Database) -> None:
    ids = [n.id for n in await post_many(resources, 100)]

    claims = await asyncio.gather(*(claim(database, *ids) for _ in range(8)))

    assert sorted(lease.notification_id for leases in claims for lease in leases) == ids


async def test_when_a_lease_has_run_out_the_job_can_be_claimed_and_the_old_lease_is_worthless(
    resources: Resources, database: Database
) -> None:
    posted = await post(resources)
    (old,) = await claim(database, posted.id, lease_time=SHORT)
    await elapse(0.1)

    assert await holds(database, old)
    (new,) = await claim(database, posted.id)

    assert new.tries == 2
    assert not await holds(database, old)
    assert await holds(database, new)


async def test_an_old_lease_with_the_same_number_of_tries_is_worthless(
    resources: Resources, database: Database, database_url: str
) -> None:
    posted = await post(resources)
    (old,) = await claim(database, posted.id)
    await fetch(database_url, "UPDATE analysis_jobs SET tries = 0, available_at = clock_timestamp()")

    (new,) = await claim(database, posted.id)

    assert old.tries == new.tries == 1
    assert not await holds(database, old)


async def test_a_renewed_lease_lasts(resources: Resources, database: Database) -> None:
    posted = await post(resources)
    (lease,) = await claim(database, posted.id, lease_time=SHORT)

    await database.transaction(lambda uow: uow.jobs.renew({lease.notification_id: lease.id}, LONG))
    await elapse(0.1)

    assert await claim(database, posted.id) == []


async def test_a_lost_lease_is_not_renewed(resources: Resources, database: Database) -> None:
    posted = await post(resources)
    (old,) = await claim(database, posted.id, lease_time=SHORT)
    await elapse(0.1)
    (new,) = await claim(database, posted.id, lease_time=SHORT)

    await database.transaction(lambda uow: uow.jobs.renew({old.notification_id: old.id}, LONG))
    await elapse(0.1)

    assert [lease.tries for lease in await claim(database, posted.id)] == [new.tries + 1]


async def test_renewal_does_not_wait_for_whoever_is_writing_the_result(
    resources: Resources, database: Database
) -> None:
    ids = [n.id for n in await post_many(resources, 2)]
    claimed = await claim(database, *ids)
    leases = {lease.notification_id: lease.id for lease in claimed}

    async def write(uow: UnitOfWork) -> None:
        await lock(uow, claimed[:1])
        async with asyncio.timeout(10):
            await database.transaction(lambda other: other.jobs.renew(leases, LONG))

    await database.transaction(write)


async def test_a_job_put_back_waits_for_its_time_and_counts_only_what_was_asked(
    resources: Resources, database: Database, database_url: str
) -> None:
    ids = [n.id for n in await post_many(resources, 2)]
    await claim(database, *ids)

    counted = PutBack(ids[0], delay=60, counted=True, error="busy")
    uncounted = PutBack(ids[1], delay=0, counted=False, error=None)
    await database.transaction(lambda uow: uow.jobs.put_back([counted, uncounted]))

    rows = await fetch(database_url, "SELECT tries, lease, last_error FROM analysis_jobs ORDER BY notification_id")
    assert [tuple(row) for row in rows] == [(1, None, "busy"), (0, None, None)]
    assert [lease.notification_id for lease in await claim(database, *ids)] == [ids[1]]


async def test_overdue_is_what_could_have_been_claimed_for_long_oldest_first(
    resources: Resources, database: Database, database_url: str
) -> None:
    ids = [n.id for n in await post_many(resources, 4)]
    for age, notification_id in zip([30, 40, 5, -60], ids, strict=True):
        await fetch(
            database_url,
            "UPDATE analysis_jobs SET available_at = now() - $1 * interval '1 s' WHERE notification_id = $2",
            age,
            notification_id,
        )

    async def overdue(limit: int) -> object:
        return await database.read(lambda uow: uow.jobs.overdue(timedelta(seconds=10), limit))

    assert await overdue(10) == [ids[1], ids[0]]
    assert await overdue(1) == [ids[1]]
