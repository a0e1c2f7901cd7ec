"""Whatever happens in whatever order: who does as the protocol says ends up with what a fresh listing shows.

Hints are held, dropped, doubled and overtaken. Reads take their snapshots and are handed over when the test says so,
or fail, and between the two anything may happen.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.stepped_database import spin
from tests.fixtures.stream_world import World
from tocsin.models.notification import Notification

_T = TypeVar("_T")
_NOW = datetime.now(UTC)
CLIENTS = 3
EXAMPLES = 30
STEPS = 80
SIZES = (1, 1, 1, 2, 3, 40, 101)
TRANSITIONS: tuple[Callable[[Notification], bool], ...] = (
    lambda it: it.mark_read(_NOW),
    lambda it: it.mark_unread(),
    lambda it: it.delete(_NOW),
    lambda it: it.restore() if it.text else False,
    lambda it: it.complete(CRITICAL, 1, _NOW),
    lambda it: it.complete(INFO, 1, _NOW),
    lambda it: it.fail("The AI is not well.", 1),
    lambda it: it.request_analysis(),
)
WEIGHTS = {
    "create": 6,
    "change": 10,
    "mark_all_read": 1,
    "purge": 1,
    "restore_backup": 1,
    "deliver": 12,
    "deliver_twice": 2,
    "drop": 2,
    "look": 1,
    "read_on": 14,
    "race": 2,
    "fail": 2,
    "connect": 3,
    "connect_at_once": 3,
    "disconnect": 2,
    "take": 12,
    "load": 3,
    "agree": 2,
}
LOSSES = ("restore_backup", "drop", "look")
"""What a world in which no hint is lost, so that nobody needs to look, does without."""


class Story:
    """Moves a world step by step; ``number`` chooses among what there is to choose from."""

    def __init__(self, world: World, *, safe: bool) -> None:
        self.world = world
        self.safe = safe

    async def tell(self, steps: Sequence[tuple[str, int]]) -> None:
        for name, number in steps:
            if not (self.safe and name in LOSSES):
                await getattr(self, name)(number)
                await spin()
        await self.agree(0)
        await self.agree(1)

    async def create(self, number: int) -> None:
        await self.world.create(_pick(SIZES, number))

    async def change(self, number: int) -> None:
        await self.world.change(number // len(TRANSITIONS), _pick(TRANSITIONS, number))

    async def mark_all_read(self, number: int) -> None:
        await self.world.mark_all_read()

    async def purge(self, number: int) -> None:
        await self.world.purger.purge()

    async def restore_backup(self, number: int) -> None:
        await self.world.restore_backup(number % 6)

    async def deliver(self, number: int, times: int = 1) -> None:
        if feeds := self.world.feeds:
            feed = _pick(feeds, number)
            versions = feed.held.pop(number // len(feeds) % len(feed.held))
            for _ in range(times):
                feed.deliver(versions)

    async def deliver_twice(self, number: int) -> None:
        await self.deliver(number, 2)

    async def drop(self, number: int) -> None:
        self.world.has_lost_hints = True
        await self.deliver(number, 0)

    async def look(self, number: int) -> None:
        _pick(self.world.processes, number).look()

    async def read_on(self, number: int) -> None:
        if steps := self.world.steps:
            await _pick(steps, number).advance()

    async def fail(self, number: int) -> None:
        if steps := self.world.steps:
            self.world.has_failed_reads = True
            _pick(steps, number).fail()

    async def race(self, number: int) -> None:
        """Commit what a snapshot has just missed, and hint at it before the read is handed over and the last."""
        await self.read_on(number)
        await self.create(number)
        for feed in self.world.feeds:
            feed.deliver(feed.held.pop())
        await self.agree(0)

    async def connect(self, number: int) -> None:
        self.world.connect(number % CLIENTS, _pick(self.world.processes, number // CLIENTS))

    async def connect_at_once(self, number: int) -> None:
        await self.connect(number)
        joining = self.world.joining[number % CLIENTS]
        for _ in range(10):
            await self.read_on(number)
            await spin()
            if joining.done():
                break

    async def disconnect(self, number: int) -> None:
        if connected := self.world.connected:
            self.world.disconnect(_pick(connected, number))

    async def take(self, number: int) -> None:
        if connected := self.world.connected:
            for _ in range(number % 7):
                await self.world.take(_pick(connected, number))

    async def load(self, number: int) -> None:
        if self.world.clients[number % CLIENTS].must_load:
            await self.world.load(number % CLIENTS)

    async def agree(self, number: int) -> None:
        await self.world.settle(looking=bool(number % 2) and not self.safe)
        await self.world.assert_all_agree()


def _pick(choice: Sequence[_T], number: int) -> _T:
    return choice[number % len(choice)]


STEP = st.tuples(
    st.sampled_from([name for name, weight in WEIGHTS.items() for _ in range(weight)]), st.integers(0, 999)
)


def test_who_listens_ends_up_with_what_a_fresh_listing_shows(database_url: str) -> None:
    async def tell(steps: Sequence[tuple[str, int]], *, safe: bool) -> None:
        world = World(CLIENTS)
        await world.open(database_url)
        try:
            async with asyncio.timeout(50):
                await Story(world, safe=safe).tell(steps)
        finally:
            await world.close()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(safe=st.booleans(), steps=st.lists(STEP, min_size=STEPS, max_size=STEPS))
    def stories(safe: bool, steps: list[tuple[str, int]]) -> None:
        asyncio.run(tell(steps, safe=safe))

    stories()
