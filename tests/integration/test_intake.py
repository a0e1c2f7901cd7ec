"""Intake: at most once, together, and nobody suffers for another's input."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.fixtures.doorbells import RecordingDoorbell
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, somebody_waits
from tests.waiting import eventually
from tocsin.errors import DatabaseUnavailable, Forbidden, IdempotencyKeyReused, UnstorableInput
from tocsin.repositories.unit_of_work import CommitUnknown, Database, UnitOfWork
from tocsin.services.access import ServiceCaller
from tocsin.services.intake import IntakeService, NotificationDraft
from tocsin.services.intake_attempt import Accepted

COUNTS = """
SELECT (SELECT count(*) FROM notifications) AS notifications, (SELECT count(*) FROM analysis_jobs) AS jobs
"""


@pytest.fixture
def doorbell() -> RecordingDoorbell:
    return RecordingDoorbell()


@pytest.fixture
def intake(database: Database, doorbell: RecordingDoorbell) -> IntakeService:
    return IntakeService(database, doorbell, 1_000)


def draft(key: str | None = None, text: str = "A text") -> NotificationDraft:
    return NotificationDraft(uuid4(), "A title", text, idempotency_key=key)


async def counts(database_url: str) -> tuple[int, int]:
    (row,) = await fetch(database_url, COUNTS)
    return row["notifications"], row["jobs"]


async def test_what_is_accepted_is_stored_with_its_job_and_rung_for(
    intake: IntakeService, doorbell: RecordingDoorbell, database_url: str
) -> None:
    accepted = await asyncio.gather(*(intake.accept(CALLER, draft()) for _ in range(30)))

    assert await counts(database_url) == (30, 30)
    assert sorted(doorbell.rung) == sorted(item.notification.id for item in accepted)
    await assert_clock_is_sound(database_url)


async def test_twins_at_the_same_moment_get_the_one_notification(
    database: Database, doorbell: RecordingDoorbell, database_url: str
) -> None:
    processes = [IntakeService(database, doorbell, 1_000) for _ in range(4)]
    one = draft("key")

    accepted = await asyncio.gather(*(process.accept(CALLER, one) for process in processes for _ in range(5)))

    assert len({item.notification.id for item in accepted}) == 1
    assert sorted(item.replayed for item in accepted) == [False] + [True] * 19
    assert await counts(database_url) == (1, 1)
    assert len(doorbell.rung) == 1
    await assert_clock_is_sound(database_url)


async def test_one_key_for_different_inboxes_at_the_same_moment_makes_one_notification(
    database: Database, doorbell: RecordingDoorbell, database_url: str
) -> None:
    processes = [IntakeService(database, doorbell, 1_000) for _ in range(6)]

    results = await asyncio.gather(
        *(process.accept(CALLER, draft("key")) for process in processes), return_exceptions=True
    )

    assert sum(isinstance(result, Accepted) for result in results) == 1
    assert sum(isinstance(result, IdempotencyKeyReused) for result in results) == 5
    assert await counts(database_url) == (1, 1)
    await assert_clock_is_sound(database_url)


async def test_many_keys_in_opposite_orders_do_not_block_each_other(
    database: Database, doorbell: RecordingDoorbell, database_url: str
) -> None:
    drafts = [draft(f"key {number}") for number in range(40)]
    processes = [IntakeService(database, doorbell, 1_000) for _ in range(4)]

    results = await asyncio.gather(
        *(process.accept_all(CALLER, drafts[:: 1 if index % 2 else -1]) for index, process in enumerate(processes))
    )

    assert [len(result) for result in results] == [40] * 4
    assert await counts(database_url) == (40, 40)
    await assert_clock_is_sound(database_url)


async def test_a_key_belongs_to_the_service_key_it_came_with(intake: IntakeService, database_url: str) -> None:
    other = ServiceCaller(uuid4(), CALLER.scopes, b"")

    await intake.accept(CALLER, draft("key"))
    await intake.accept(other, draft("key"))

    assert await counts(database_url) == (2, 2)


async def test_a_batch_with_a_spoilt_key_stores_nothing_and_names_the_item(
    intake: IntakeService, doorbell: RecordingDoorbell, database_url: str
) -> None:
    await intake.accept(CALLER, draft("taken"))

    with pytest.raises(IdempotencyKeyReused) as caught:
        await intake.accept_all(CALLER, [draft("free"), draft("taken"), draft()])

    assert [error.pointer for error in caught.value.errors] == ["/items/1/idempotency_key"]
    assert await counts(database_url) == (1, 1)
    assert len(doorbell.rung) == 1


async def test_twins_within_a_batch_get_the_one_notification(intake: IntakeService, database_url: str) -> None:
    one = draft("key")

    accepted = await intake.accept_all(CALLER, [one, draft(), one])

    assert accepted[0].notification.id == accepted[2].notification.id
    assert [item.replayed for item in accepted] == [False, False, True]
    assert await counts(database_url) == (2, 2)


async def test_a_value_that_the_database_refuses_harms_no_other_caller(
    intake: IntakeService, database_url: str
) -> None:
    drafts = [draft(), draft(text="NUL \0"), draft()]

    results = await asyncio.gather(*(intake.accept(CALLER, item) for item in drafts), return_exceptions=True)

    assert [type(result) for result in results] == [Accepted, UnstorableInput, Accepted]
    assert await counts(database_url) == (2, 2)
    await assert_clock_is_sound(database_url)


_Result = TypeVar("_Result")


class ForgetfulDatabase(Database):
    """Commits, and then loses the connection before it could tell; as often as ``losses``."""

    losses = 1

    async def transaction(self, work: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
        result = await super().transaction(work)
        if self.losses:
            self.losses -= 1
            raise CommitUnknown
        return result


async def test_after_an_unknown_commit_nothing_is_stored_twice(
    database: Database, doorbell: RecordingDoorbell, database_url: str
) -> None:
    intake = IntakeService(ForgetfulDatabase(database.engine), doorbell, 1_000)

    accepted = await intake.accept_all(CALLER, [draft("key"), draft()])

    assert [item.replayed for item in accepted] == [False, False]
    assert await counts(database_url) == (2, 2)
    await assert_clock_is_sound(database_url)


async def test_if_the_commit_stays_unknown_the_caller_is_told_to_try_again(
    database: Database, doorbell: RecordingDoorbell, database_url: str
) -> None:
    forgetful = ForgetfulDatabase(database.engine)
    forgetful.losses = 2
    one = draft("key")

    with pytest.raises(DatabaseUnavailable):
        await IntakeService(forgetful, doorbell, 1_000).accept(CALLER, one)

    again = await IntakeService(database, doorbell, 1_000).accept(CALLER, one)
    assert again.replayed
    assert await counts(database_url) == (1, 1)


async def test_without_the_scope_nothing_is_stored(intake: IntakeService, database_url: str) -> None:
    with pytest.raises(Forbidden):
        await intake.accept(replace(CALLER, scopes=frozenset({"notifications:read"})), draft())

    assert await counts(database_url) == (0, 0)


@asynccontextmanager
async def locked(database_url: str, user: UUID) -> AsyncIterator[None]:
    """Hold the inbox of ``user``, as a process does that was frozen in the midst of a change."""
    holder = await asyncpg.connect(database_url)
    try:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM inboxes WHERE user_id = $1 FOR NO KEY UPDATE", user)
        yield
    finally:
        await holder.close()


async def test_an_inbox_that_is_locked_holds_up_nobody_else(intake: IntakeService, database_url: str) -> None:
    held = (await intake.accept(CALLER, draft())).notification.user_id
    to_it = [replace(draft(), user_id=held) for _ in range(3)]

    async with locked(database_url, held), asyncio.timeout(5):
        waiting = [asyncio.create_task(intake.accept(CALLER, item)) for item in to_it[:2]]
        # Of the same batch, with an inbox that exists and one that does not; and of later ones.
        await asyncio.gather(*(intake.accept(CALLER, draft()) for _ in range(2)))
        await intake.accept(CALLER, draft())
        waiting.append(asyncio.create_task(intake.accept(CALLER, to_it[2])))
        await intake.accept(CALLER, draft())
        assert not any(task.done() for task in waiting)

    accepted = await asyncio.gather(*waiting)
    assert sorted(item.notification.version for item in accepted) == [2, 3, 4]
    assert await counts(database_url) == (8, 8)
    await assert_clock_is_sound(database_url)


async def test_a_lock_that_is_let_go_of_in_time_is_waited_for(
    intake: IntakeService, database: Database, database_url: str
) -> None:
    user = (await intake.accept(CALLER, draft())).notification.user_id

    async with locked(database_url, user):
        waiting = asyncio.create_task(intake.accept(CALLER, replace(draft(), user_id=user)))
        await eventually(lambda: somebody_waits(database_url))

    assert (await waiting).notification.version == 2


async def test_what_was_handed_in_for_a_held_inbox_is_stored_before_the_end(
    intake: IntakeService, database_url: str
) -> None:
    user = (await intake.accept(CALLER, draft())).notification.user_id

    async with locked(database_url, user):
        waiting = asyncio.create_task(intake.accept(CALLER, replace(draft(), user_id=user)))
        await eventually(lambda: somebody_waits(database_url))
        draining = asyncio.create_task(intake.drain())
    await draining

    assert await counts(database_url) == (2, 2)
    await waiting
