"""Rate limits in Redis: a leaky bucket per partition, moved by one script for all who ask at the same time."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from tocsin.coalescer import Coalescer
from tocsin.errors import Overloaded
from tocsin.integrations.redis_client import GuardedRedis
from tocsin.services.ports import Charge, Taken
from tocsin.telemetry import BATCH_ITEMS

_PREFIX: Final = "tocsin:limit:"
_WINDOW_MICROSECONDS: Final = 60_000_000
_PRECISION: Final = 1_000
_MAX_BATCH: Final = 64
_MAX_WAITING: Final = 10_000

_SCRIPT: Final = """
-- KEYS: a bucket each. ARGV: the window in microseconds, the quota of each bucket, and then of each request the number
-- of its charges and for each of them the place of its bucket and its cost.
-- Returns of each request 1 or 0, and for each of its charges the thousandths of units in the bucket, rounded up.
local window = tonumber(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local quotas, levels, changed, answer = {}, {}, {}, {}
for bucket, key in ipairs(KEYS) do
  local quota, level = tonumber(ARGV[bucket + 1]), 0
  local stored = redis.call('GET', key)
  if stored and #stored == 16 then
    local filled, since = struct.unpack('dd', stored)
    level = math.max(0, math.min(filled, quota) - math.max(0, now - since) * quota / window)
  end
  quotas[bucket], levels[bucket] = quota, level
end
local place = #KEYS + 2
while place <= #ARGV do
  local last, fits = place + 2 * ARGV[place], 1
  for charge = place + 1, last, 2 do
    local bucket = tonumber(ARGV[charge])
    if levels[bucket] + ARGV[charge + 1] > quotas[bucket] then fits = 0 end
  end
  answer[#answer + 1] = fits
  for charge = place + 1, last, 2 do
    local bucket = tonumber(ARGV[charge])
    if fits == 1 then
      levels[bucket] = levels[bucket] + ARGV[charge + 1]
      changed[bucket] = true
    end
    answer[#answer + 1] = math.ceil(levels[bucket] * 1000)
  end
  place = last + 1
end
for bucket in pairs(changed) do
  local lives = math.ceil(levels[bucket] * window / quotas[bucket] / 1000) + 1
  redis.call('SET', KEYS[bucket], struct.pack('dd', levels[bucket], now), 'PX', lives)
end
return answer
"""
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisRateLimiter:
    """Takes charges; fails open.

    The generic cell rate algorithm (ITU-T I.371, annex A) in its form of a continuous-state leaky bucket: each bucket
    leaks its quota a minute and holds as much, so that a quota may be used at once and comes back evenly. The time is
    that of Redis, so the clocks of the API processes do not matter.
    """

    def __init__(self, redis: GuardedRedis) -> None:
        self._redis = redis
        self._requests: Coalescer[Sequence[Charge], Taken | None] = Coalescer(
            self._take_all,
            max_batch=_MAX_BATCH,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("rate_limits").observe,
        )

    async def take(self, charges: Sequence[Charge]) -> Taken | None:
        """Take all of ``charges`` or, if one exceeds its quota, none; None if Redis cannot tell."""
        if self._redis.is_paused:
            return None
        try:
            return await self._requests.submit(charges)
        except Overloaded:
            return None

    async def _take_all(self, requests: Sequence[Sequence[Charge]]) -> Sequence[Taken | None]:
        keys, arguments = _encode(requests)
        answer = await self._redis.call(lambda redis: _run(redis, keys, arguments))
        return [None] * len(requests) if answer is None else _decode(requests, answer)


def _encode(requests: Sequence[Sequence[Charge]]) -> tuple[list[str], list[int]]:
    buckets: dict[str, int] = {}
    quotas: list[int] = []
    charged: list[int] = []
    for charges in requests:
        charged.append(len(charges))
        for partition, quota, cost in charges:
            bucket = buckets.setdefault(partition, len(buckets) + 1)
            if bucket > len(quotas):
                quotas.append(quota)
            charged += (bucket, cost)
    return [_PREFIX + partition for partition in buckets], [_WINDOW_MICROSECONDS, *quotas, *charged]


async def _run(redis: Redis, keys: Sequence[str], arguments: Sequence[int]) -> list[int]:
    count = len(keys)
    try:
        answer: Any = await redis.evalsha(_SHA, count, *keys, *arguments)
    except NoScriptError:
        answer = await redis.eval(_SCRIPT, count, *keys, *arguments)
    numbers: list[int] = answer
    return numbers


def _decode(requests: Sequence[Sequence[Charge]], answer: Sequence[int]) -> list[Taken | None]:
    taken: list[Taken | None] = []
    place = 0
    for charges in requests:
        end = place + 1 + len(charges)
        taken.append(Taken(bool(answer[place]), tuple(level / _PRECISION for level in answer[place + 1 : end])))
        place = end
    return taken
