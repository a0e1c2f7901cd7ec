"""Hints that come at an awkward moment: each is about a change that the read under way may not have seen."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from tests.fixtures.posting import post
from tests.fixtures.stepped_database import SteppedDatabase, spin
from tests.waiting import until
from tocsin.bootstrap import Resources
from tocsin.repositories.engine import open_engine
from tocsin.services.stream_hub import StreamHub
from tocsin.services.stream_listener import Listener, Tenure
from tocsin.services.stream_messages import Change, Hello


@dataclass
class Process:
    """One with a listener who joins, and nobody who looks for what no hint told of."""

    hub: StreamHub
    database: SteppedDatabase
    listener: Listener
    joining: asyncio.Task[None]

    async def begins_to_read(self) -> None:
        """Wait for a read, and let it take its snapshot."""
        await until(lambda: self.database.steps)
        await self.database.steps[0].advance()

    async def has_read(self) -> None:
        """Let the read be handed over."""
        await self.database.steps[0].advance()
        await spin()

    async def tells(self, version: int) -> None:
        self.database.free()
        message = await asyncio.wait_for(self.listener.receive(), 10)
        assert isinstance(message, Change)
        assert message.notification.version == version


@pytest.fixture
def user() -> UUID:
    return uuid4()


@pytest.fixture
async def process(database_url: str, user: UUID) -> AsyncIterator[Process]:
    async with open_engine(database_url, application="tests") as engine:
        database = SteppedDatabase(engine)
        hub = StreamHub(database, max_open=1, max_per_inbox=1)
        listener = Listener(user, None, Tenure(), read_on=hub.read_on, hang_up=lambda: None)
        joining = asyncio.create_task(hub.join(listener))
        yield Process(hub, database, listener, joining)
        database.free()
        await joining
        hub.leave(listener)


async def test_a_hint_during_the_first_read_of_an_inbox_is_not_forgotten(
    process: Process, resources: Resources, user: UUID
) -> None:
    await process.begins_to_read()
    await post(resources, user_id=user)
    process.hub.hint({user: 1})
    await process.has_read()

    assert isinstance(await process.listener.receive(), Hello)
    await process.tells(1)


async def test_a_hint_during_a_later_read_is_not_forgotten(process: Process, resources: Resources, user: UUID) -> None:
    await process.begins_to_read()
    await process.has_read()
    assert isinstance(await process.listener.receive(), Hello)
    await post(resources, user_id=user)
    process.hub.hint({user: 1})

    await process.begins_to_read()
    await post(resources, user_id=user)
    process.hub.hint({user: 2})
    await process.has_read()

    assert isinstance(await process.listener.receive(), Change)
    await process.tells(2)


async def test_what_hints_tell_out_of_order_is_told_in_order(
    process: Process, resources: Resources, user: UUID
) -> None:
    await process.begins_to_read()
    await process.has_read()
    assert isinstance(await process.listener.receive(), Hello)
    for _ in range(3):
        await post(resources, user_id=user)

    process.hub.hint({user: 3})
    process.hub.hint({user: 1})
    process.hub.hint({user: 2})

    for version in (1, 2, 3):
        await process.tells(version)


async def test_what_could_not_be_read_is_read_when_it_is_tried_again(
    process: Process, resources: Resources, user: UUID
) -> None:
    await process.begins_to_read()
    await process.has_read()
    assert isinstance(await process.listener.receive(), Hello)
    await post(resources, user_id=user)
    process.hub.hint({user: 1})
    await until(lambda: process.database.steps)
    process.database.steps[0].fail()
    await until(lambda: not process.database.steps)

    process.hub.retry()

    await process.tells(1)
