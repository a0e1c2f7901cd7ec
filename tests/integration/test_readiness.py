"""Readiness: asked by many at once, looked at once."""

import asyncio

import pytest

from tests.fixtures.doorbells import RecordingDoorbell
from tocsin.errors import DatabaseUnavailable
from tocsin.repositories.engine import open_engine
from tocsin.repositories.unit_of_work import Database
from tocsin.services.readiness import ReadinessService


class AskedDoorbell(RecordingDoorbell):
    """Counts how often the queue is looked at."""

    looks = 0

    async def queue_length(self) -> int | None:
        self.looks += 1
        return await super().queue_length()


async def test_all_who_ask_at_once_share_one_look(database: Database) -> None:
    doorbell = AskedDoorbell()
    readiness = ReadinessService(database, doorbell)

    answers = await asyncio.gather(*(readiness.has_redis() for _ in range(100)))

    assert len(answers) == 100
    assert doorbell.looks == 1
    await readiness.has_redis()
    assert doorbell.looks == 2


async def test_all_who_ask_at_once_learn_that_the_database_is_gone() -> None:
    async with open_engine("postgresql://nobody@127.0.0.1:1/none", application="tests") as engine:
        readiness = ReadinessService(Database(engine), RecordingDoorbell())

        answers = await asyncio.gather(*(readiness.has_redis() for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 3


@pytest.mark.parametrize("length", [0, None])
async def test_redis_is_told_of_as_it_is(database: Database, length: int | None) -> None:
    readiness = ReadinessService(database, RecordingDoorbell(length))

    assert await readiness.has_redis() is (length is not None)
