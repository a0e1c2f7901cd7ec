"""The buckets in Redis: exact, shared, in one round trip, and out of the way when Redis is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from tests.fixtures.mute import Mute
from tests.waiting import elapse
from tocsin.integrations.redis_client import open_redis
from tocsin.integrations.redis_rate_limiter import RedisRateLimiter
from tocsin.services.ports import Charge, Taken

NOBODY = "redis://127.0.0.1:1/0"


@asynccontextmanager
async def opened(url: str, pause: float = 60) -> AsyncIterator[RedisRateLimiter]:
    async with open_redis(url, use="tests", connect_timeout=1, read_timeout=0.2, pause=pause) as redis:
        yield RedisRateLimiter(redis)


async def calls_of(redis: Redis, *commands: str) -> int:
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in commands)


async def test_a_quota_can_be_used_at_once_and_not_a_unit_more(cache_url: str) -> None:
    async with opened(cache_url) as limiter:
        taken = [await limiter.take([Charge("a", 5, 1)]) for _ in range(7)]

    assert [one and one.allowed for one in taken] == [True] * 5 + [False] * 2
    assert [round(one.used[0]) for one in taken if one] == [1, 2, 3, 4, 5, 5, 5]


async def test_what_was_used_leaks_away_evenly(cache_url: str) -> None:
    async with opened(cache_url) as limiter:
        full = await limiter.take([Charge("a", 600, 600)])
        await elapse(0.35)
        first = await limiter.take([Charge("a", 600, 3)])
        second = await limiter.take([Charge("a", 600, 200)])

    assert full == Taken(True, (600.0,))
    assert first
    assert first.allowed
    assert second
    assert not second.allowed


async def test_all_charges_of_a_request_are_taken_or_none(cache_url: str) -> None:
    async with opened(cache_url) as limiter:
        await limiter.take([Charge("inbox", 3, 3)])
        refused = await limiter.take([Charge("key", 10, 1), Charge("inbox", 3, 1)])
        key = await limiter.take([Charge("key", 10, 10)])

    assert refused
    assert not refused.allowed
    assert refused.used[0] == 0
    assert key == Taken(True, (10.0,))


async def test_a_cost_counts_as_often_as_it_says(cache_url: str) -> None:
    async with opened(cache_url) as limiter:
        assert (await limiter.take([Charge("a", 10, 8)])) == Taken(True, (8.0,))
        refused = await limiter.take([Charge("a", 10, 3)])

    assert refused
    assert not refused.allowed


async def test_a_quota_that_was_lowered_is_used_up_and_no_more_than_that(cache_url: str) -> None:
    async with opened(cache_url) as limiter:
        await limiter.take([Charge("a", 60_000, 60_000)])
        taken = await limiter.take([Charge("a", 60, 1)])

    assert taken
    assert not taken.allowed
    assert taken.used[0] <= 60


async def test_nothing_stays_in_redis_longer_than_it_counts(cache_url: str) -> None:
    async with opened(cache_url) as limiter, Redis.from_url(cache_url) as redis:
        await limiter.take([Charge("a", 60, 30)])
        keys = await redis.keys("*")

        assert keys == [b"tocsin:limit:a"]
        assert 29_000 < await redis.pttl(keys[0]) <= 30_001


async def test_several_limits_of_several_requests_take_one_round_trip(cache_url: str) -> None:
    async with opened(cache_url) as limiter, Redis.from_url(cache_url) as redis:
        await limiter.take([Charge("warm", 100, 1)])
        await redis.config_resetstat()

        await limiter.take([Charge("key", 100, 1), Charge("inbox", 100, 1)])
        assert await calls_of(redis, "evalsha", "eval") == 1

        await asyncio.gather(*(limiter.take([Charge("key", 100, 1), Charge(f"{i}", 100, 1)]) for i in range(60)))
        # The first goes alone; the others wait meanwhile, and go together.
        assert await calls_of(redis, "evalsha", "eval") <= 3


async def test_a_redis_that_has_forgotten_the_script_is_told_again(cache_url: str) -> None:
    async with opened(cache_url) as limiter, Redis.from_url(cache_url) as redis:
        await limiter.take([Charge("a", 2, 1)])
        await redis.script_flush()

        assert (await limiter.take([Charge("a", 2, 1)])) is not None
        refused = await limiter.take([Charge("a", 2, 1)])

    assert refused
    assert not refused.allowed


async def test_many_callers_over_many_connections_get_exactly_the_quota(cache_url: str) -> None:
    async with opened(cache_url) as one, opened(cache_url) as other:
        taken = await asyncio.gather(
            *(limiter.take([Charge("a", 7, 1), Charge("b", 1000, 1)]) for limiter in (one, other) for _ in range(100))
        )
        other_bucket = await one.take([Charge("b", 1000, 1)])

    assert sum(1 for it in taken if it and it.allowed) == 7
    assert other_bucket
    assert other_bucket.used[0] <= 8


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=3, unique_by=lambda it: it[0]
        ),
        max_size=30,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_requests_together_come_out_as_they_would_one_by_one(
    cache_url: str, requests: list[list[tuple[str, int]]]
) -> None:
    quotas = {"a": 5, "b": 8, "c": 11}
    expected, used = [], dict.fromkeys(quotas, 0)
    for request in requests:
        allowed = all(used[name] + cost <= quotas[name] for name, cost in request)
        for name, cost in request if allowed else ():
            used[name] += cost
        expected.append(allowed)

    async with opened(cache_url) as limiter, Redis.from_url(cache_url) as redis:
        await redis.flushall()
        taken = await asyncio.gather(
            *(limiter.take([Charge(name, quotas[name], cost) for name, cost in request]) for request in requests)
        )

    assert [one and one.allowed for one in taken] == expected


async def test_without_redis_nothing_can_be_told() -> None:
    async with opened(NOBODY) as limiter:
        assert await limiter.take([Charge("a", 1, 1)]) is None


async def test_a_frozen_redis_is_waited_for_once_by_all_together() -> None:
    mute = Mute()
    async with mute.listening() as url, opened(url) as limiter:
        taken = await asyncio.gather(*(limiter.take([Charge("a", 1, 1)]) for _ in range(50)))
        taken += [await limiter.take([Charge("a", 1, 1)]) for _ in range(50)]

        assert taken == [None] * 100
        assert mute.connections == 1


@pytest.mark.parametrize("value", ["", "nonsense", "a text that is longer"])
async def test_what_somebody_else_wrote_there_does_no_harm(cache_url: str, value: str) -> None:
    async with opened(cache_url) as limiter, Redis.from_url(cache_url) as redis:
        await redis.set("tocsin:limit:a", value)

        assert await limiter.take([Charge("a", 5, 1)]) == Taken(True, (1.0,))
