"""Redis as a helper: it works, and when it does not, nobody waits for it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from tests.fixtures.mute import Mute
from tests.waiting import elapse, eventually
from tocsin.embedded.valkey import EmbeddedValkey
from tocsin.integrations.celery_app import MAX_IDS_PER_MESSAGE, QUEUE, make_celery
from tocsin.integrations.celery_doorbell import CeleryDoorbell, open_doorbell
from tocsin.integrations.redis_change_feed import open_change_feed
from tocsin.integrations.redis_client import GuardedRedis, open_redis
from tocsin.integrations.redis_page_cache import RedisPageCache
from tocsin.models.notification import new_notification_id
from tocsin.telemetry import RINGS_LOST


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server that a test may restart."""
    with EmbeddedValkey(tmp_path) as it:
        yield it


async def hears(hints: PubSub) -> bool:
    return await hints.get_message(ignore_subscribe_messages=True, timeout=0.1) is not None


async def rings(witness: Redis) -> bool:
    return await witness.llen(QUEUE) == 1


NOBODY = "redis://127.0.0.1:1/0"


@asynccontextmanager
async def opened(url: str, pause: float = 60) -> AsyncIterator[tuple[GuardedRedis, CeleryDoorbell]]:
    async with (
        open_redis(url, use="tests", connect_timeout=0.5, read_timeout=0.1, pause=pause) as redis,
        open_doorbell(make_celery(url, connect_timeout=0.5, read_timeout=0.1), redis, pause) as doorbell,
    ):
        yield redis, doorbell


async def test_a_page_is_kept_until_its_time_is_over(cache_url: str) -> None:
    async with open_redis(cache_url, use="tests", connect_timeout=1, read_timeout=1, pause=1) as redis:
        cache = RedisPageCache(redis, ttl=0.3)
        assert await cache.get("key") is None

        await cache.set("key", b"page")
        assert await cache.get("key") == b"page"

        await elapse(0.4)
        assert await cache.get("key") is None


async def test_without_redis_there_is_no_page_and_no_error() -> None:
    async with opened(NOBODY) as (redis, _):
        cache = RedisPageCache(redis, ttl=60)

        await cache.set("key", b"page")
        assert await cache.get("key") is None


async def test_a_frozen_redis_is_asked_once_and_then_left_alone() -> None:
    mute = Mute()
    async with mute.listening() as url, opened(url) as (redis, _):
        cache = RedisPageCache(redis, ttl=60)

        for _ in range(20):
            assert await cache.get("key") is None

        assert mute.connections == 1


async def test_after_the_pause_redis_is_asked_again() -> None:
    mute = Mute()
    async with mute.listening() as url, opened(url, pause=0.1) as (redis, _):
        cache = RedisPageCache(redis, ttl=60)
        await cache.get("key")
        await elapse(0.15)
        await cache.get("key")

        assert mute.connections == 2


async def test_after_redis_was_restarted_the_first_call_of_each_is_answered(valkey: EmbeddedValkey) -> None:
    async with (
        opened(valkey.url) as (redis, doorbell),
        open_change_feed(valkey.url, connect_timeout=1, read_timeout=1, pause=60, listening=False) as feed,
    ):
        for number in range(2):
            if number:
                valkey.kill()
                await asyncio.to_thread(valkey.start)
            assert await redis.call(lambda it: it.echo("?")) == b"?"
            doorbell.ring([new_notification_id()])
            async with Redis.from_url(valkey.url) as witness, witness.pubsub() as hints:
                await hints.subscribe("tocsin:changes:0")
                feed.publish({uuid4(): 1})
                await eventually(partial(hears, hints), within=10)
                await eventually(partial(rings, witness), within=10)


async def test_a_ring_publishes_ids_in_messages_of_bounded_size(cache_url: str) -> None:
    ids = [new_notification_id() for _ in range(100)]
    async with opened(cache_url) as (_, doorbell), Redis.from_url(cache_url) as redis:
        doorbell.ring(ids)

        async def published() -> list[str]:
            found = [_ids_of(message) for message in await redis.lrange(QUEUE, 0, -1)]
            assert all(len(message) <= MAX_IDS_PER_MESSAGE for message in found)
            everything = sorted(one for message in found for one in message)
            return everything if len(everything) == len(ids) else []

        assert await eventually(published) == [str(one) for one in ids]
        assert await doorbell.queue_length() == 2


@pytest.mark.parametrize("frozen", [False, True])
async def test_rings_that_cannot_be_published_are_dropped_and_counted(frozen: bool) -> None:
    mute = Mute()
    before = lost()

    async def lost_so_far(count: int) -> bool:
        return lost() - before == count

    async with mute.listening() as url, opened(url if frozen else NOBODY) as (_, doorbell):
        doorbell.ring([new_notification_id()])
        await eventually(lambda: lost_so_far(1))
        connections = mute.connections

        doorbell.ring([new_notification_id() for _ in range(99)])
        await eventually(lambda: lost_so_far(100))

        assert mute.connections == connections
        assert await doorbell.queue_length() is None


def lost() -> int:
    samples = [sample for metric in RINGS_LOST.collect() for sample in metric.samples]
    return round(sum(sample.value for sample in samples if sample.name.endswith("_total")))


def _ids_of(message: bytes | str) -> list[str]:
    body = json.loads(base64.b64decode(json.loads(message)["body"]))
    ids: list[str] = body[0][0]
    return ids
