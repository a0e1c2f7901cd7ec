"""The looks for changes that no hint told of: one that is asked for comes, whatever happens to others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from tests.fixtures.feeds import HeldFeed
from tests.fixtures.posting import post
from tests.fixtures.stepped_database import Step, SteppedDatabase
from tests.waiting import until
from tocsin.bootstrap import Resources, utc_now
from tocsin.repositories.engine import open_engine
from tocsin.services.stream_hub import StreamHub
from tocsin.services.stream_keeper import StreamKeeper, StreamTimes
from tocsin.services.stream_listener import Listener, Tenure
from tocsin.services.stream_messages import Change, Hello

NEVER = 3_600.0


@dataclass
class Kept:
    """One who listens, in a process that looks only when it is asked to."""

    hub: StreamHub
    database: SteppedDatabase
    listener: Listener

    async def begins_to_look(self) -> Step:
        """Wait for a look, and let it take its snapshot."""
        await until(lambda: self.database.steps, within=10)
        (step,) = self.database.steps
        await step.advance()
        return step

    async def is_told(self) -> None:
        """See that the change is told, with the reads that it takes."""
        self.database.free()
        assert isinstance(await asyncio.wait_for(self.listener.receive(), 10), Change)


@asynccontextmanager
async def keeping(database_url: str, user: UUID) -> AsyncIterator[Kept]:
    async with open_engine(database_url, application="tests") as engine:
        database = SteppedDatabase(engine)
        database.is_free = True
        hub = StreamHub(database, max_open=1, max_per_inbox=1)
        keeper = StreamKeeper(hub, database, HeldFeed(), StreamTimes(NEVER, NEVER, NEVER), utc_now)
        listener = Listener(user, None, Tenure(), read_on=hub.read_on, hang_up=lambda: None)
        keeper.welcome(listener)
        await hub.join(listener)
        assert isinstance(await listener.receive(), Hello)
        database.is_free = False
        running = asyncio.create_task(keeper.run())
        try:
            yield Kept(hub, database, listener)
        finally:
            database.free()
            running.cancel()
            await asyncio.wait({running})


@pytest.fixture
def user() -> UUID:
    return uuid4()


@pytest.fixture
async def kept(database_url: str, user: UUID) -> AsyncIterator[Kept]:
    async with keeping(database_url, user) as it:
        yield it


async def test_a_look_that_is_asked_for_during_another_follows(kept: Kept, resources: Resources, user: UUID) -> None:
    kept.hub.catch_up()
    first = await kept.begins_to_look()
    await post(resources, user_id=user)

    kept.hub.catch_up()
    await first.advance()

    await kept.begins_to_look()
    await kept.is_told()


async def test_a_look_that_fails_is_made_again(kept: Kept, resources: Resources, user: UUID) -> None:
    await post(resources, user_id=user)
    kept.hub.catch_up()
    await until(lambda: kept.database.steps)
    kept.database.steps[0].fail()
    await until(lambda: not kept.database.steps)

    await kept.begins_to_look()
    await kept.is_told()
