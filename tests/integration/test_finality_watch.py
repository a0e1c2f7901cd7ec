"""Waiting for a verdict: a hint wakes at once whoever waits, and without any it takes a moment longer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from tests.fixtures.calls import Judge
from tests.fixtures.feeds import HeldFeed
from tests.fixtures.posting import post
from tests.fixtures.stepped_database import SteppedDatabase, spin
from tests.waiting import until
from tocsin.bootstrap import Resources
from tocsin.repositories.engine import open_engine
from tocsin.services.finality_watch import FinalityWatch


@dataclass
class Waiting:
    """One who waits for a notification, with what the process asks the database in the test's hand."""

    database: SteppedDatabase
    feed: HeldFeed
    user: UUID
    notification: UUID
    task: asyncio.Task[None]

    async def is_looked_for(self) -> None:
        """Let the look that goes on come to its end."""
        (step,) = self.database.steps
        await step.advance()
        await step.advance()
        await until(lambda: step not in self.database.steps)


@pytest.fixture(params=[True, False], ids=["hints arrive", "Redis is gone"])
async def waiting(request: pytest.FixtureRequest, database_url: str, resources: Resources) -> AsyncIterator[Waiting]:
    notification = await post(resources)
    user = notification.user_id
    async with open_engine(database_url, application="tests") as engine:
        database, feed = SteppedDatabase(engine), HeldFeed(is_whole=request.param)
        watch = FinalityWatch(database, feed)
        feed.add_reader(watch)
        task = asyncio.create_task(watch.wait(user, notification.id, 60))
        waiting = Waiting(database, feed, user, notification.id, task)
        await until(lambda: database.steps)
        await waiting.is_looked_for()
        assert not task.done()
        yield waiting
        database.free()
        watch.close()
        await task


async def test_a_hint_wakes_whoever_waits_at_once(waiting: Waiting, judge: Judge) -> None:
    await judge(str(waiting.notification))
    waiting.feed.deliver({waiting.user: 3})
    await spin()

    await waiting.is_looked_for()
    await asyncio.wait_for(waiting.task, 10)


async def test_whoever_waits_is_woken_without_any_hint(waiting: Waiting, judge: Judge) -> None:
    await judge(str(waiting.notification))

    waiting.database.free()
    await asyncio.wait_for(waiting.task, 10)


async def test_a_hint_of_another_inbox_wakes_nobody(waiting: Waiting, resources: Resources) -> None:
    waiting.feed.deliver({(await post(resources)).user_id: 1})
    await spin()

    assert not waiting.database.steps
