"""Redis flushed, dead, frozen and back under open streams: hints are lost then, and who listens notices nothing."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from tests.fixtures.feeds import HeldFeed
from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.posting import post
from tests.fixtures.processes import paused
from tests.fixtures.streams import TRANSPORTS, Stream
from tests.waiting import eventually, until
from tocsin.bootstrap import Resources
from tocsin.embedded.valkey import EmbeddedValkey
from tocsin.integrations.redis_change_feed import RedisChangeFeed, open_change_feed
from tocsin.settings import RedisSettings, Settings, StreamSettings

NEVER = 3_600.0


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server that this test may do anything to."""
    with EmbeddedValkey(tmp_path) as it:
        yield it


@pytest.fixture
def settings(settings: Settings, valkey: EmbeddedValkey) -> Settings:
    """On that server, and without looks that nothing but time gives a reason for."""
    redis = RedisSettings(broker_url=SecretStr(valkey.url), pause=0.01)
    stream = StreamSettings(look_every=NEVER, look_every_alone=NEVER)
    return settings.model_copy(update={"redis": redis, "stream": stream})


@pytest.fixture
async def feed(valkey: EmbeddedValkey) -> AsyncIterator[RedisChangeFeed]:
    async with open_change_feed(valkey.url, connect_timeout=0.5, read_timeout=0.5, pause=0.01, listening=True) as it:
        yield it


@pytest.fixture
async def live(settings: Settings, feed: RedisChangeFeed) -> AsyncIterator[LiveApp]:
    async with live_app(settings, feed) as it:
        yield it


@dataclass
class Readers:
    """One of each transport; whoever changes something is another process."""

    other: Resources
    user: UUID = field(default_factory=uuid4)
    streams: list[Stream] = field(default_factory=list)
    told: int = 0

    async def open(self, stack: AsyncExitStack, live: LiveApp, key: str) -> None:
        for open_stream in TRANSPORTS.values():
            stream = await stack.enter_async_context(open_stream(live.url, self.user, key))
            assert (await stream.next())["type"] == "hello"
            self.streams.append(stream)

    async def are_told_of(self, count: int) -> None:
        """See that the next changes come, all of them, and nothing else."""
        for stream in self.streams:
            for version in range(self.told + 1, self.told + count + 1):
                message = await stream.next()
                assert message["type"] == "change", message
                assert message["notification"]["version"] == version
        self.told += count

    async def are_told_of_a_post(self) -> None:
        await post(self.other, user_id=self.user)
        await self.are_told_of(1)


@pytest.fixture
async def readers(live: LiveApp, resources: Resources, service_key: str) -> AsyncIterator[Readers]:
    async with AsyncExitStack() as stack:
        readers = Readers(resources)
        await readers.open(stack, live, service_key)
        yield readers


async def test_a_redis_that_dies_and_comes_back_costs_nobody_a_change(
    readers: Readers, feed: RedisChangeFeed, valkey: EmbeddedValkey
) -> None:
    await readers.are_told_of_a_post()
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushall()
        await readers.are_told_of_a_post()
        await redis.client_kill_filter(_type="pubsub")
        await eventually(lambda: subscribers(redis, 2))
        await readers.are_told_of_a_post()

    valkey.kill()
    await until(lambda: not feed.is_whole)
    for _ in range(3):
        await post(readers.other, user_id=readers.user)
    valkey.start()

    await readers.are_told_of(3)
    assert feed.is_whole
    await readers.are_told_of_a_post()


async def test_a_redis_that_is_frozen_for_a_while_costs_nobody_a_change(
    readers: Readers, feed: RedisChangeFeed, valkey: EmbeddedValkey
) -> None:
    with paused(valkey.pid):
        await post(readers.other, user_id=readers.user)
        # Told when it is found that nothing can be heard.
        await readers.are_told_of(1)
        assert [feed.is_whole] == [False]
        await post(readers.other, user_id=readers.user)

    await readers.are_told_of(1)
    assert [feed.is_whole] == [True]
    await readers.are_told_of_a_post()


@pytest.mark.parametrize("is_whole", [True, False])
async def test_without_any_hint_changes_are_found_in_time(
    settings: Settings, resources: Resources, service_key: str, *, is_whole: bool
) -> None:
    often = {"look_every" if is_whole else "look_every_alone": 0.1}
    settings = settings.model_copy(update={"stream": settings.stream.model_copy(update=often)})
    async with live_app(settings, HeldFeed(is_whole=is_whole)) as live, AsyncExitStack() as stack:
        readers = Readers(resources)
        await readers.open(stack, live, service_key)

        await readers.are_told_of_a_post()
        await readers.are_told_of_a_post()


async def subscribers(redis: Redis, count: int) -> bool:
    """Tell whether so many processes listen to hints."""
    channels = dict(await redis.pubsub_numsub("tocsin:changes:0"))
    return bool(channels[b"tocsin:changes:0"] == count)
