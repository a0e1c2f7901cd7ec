"""Whatever happens in whatever order: who does as the protocol says ends up with what a fresh listing shows.

Hints are held, dropped, doubled and overtaken. Reads take their snapshots and are handed over when the machine says
so, and between the two anything may happen.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.feeds import HeldFeed
from tests.fixtures.stream_world import World, spin
from tocsin.models.notification import Notification

_T = TypeVar("_T")
CLIENTS = 3
EXAMPLES = 30
STEPS = 60


def transitions() -> dict[str, Callable[[Notification], bool]]:
    now = datetime.now(UTC)
    return {
        "read": lambda it: it.mark_read(now),
        "unread": lambda it: it.mark_unread(),
        "delete": lambda it: it.delete(now),
        "restore": lambda it: it.restore() if it.text else False,
        "judge": lambda it: it.complete(CRITICAL, 1, now),
        "judge otherwise": lambda it: it.complete(INFO, 1, now),
        "fail": lambda it: it.fail("The AI is not well.", 1),
        "analyse again": lambda it: it.request_analysis(),
    }


NAMES = sorted(transitions())
ANY = st.integers(0, 1_000)
CLIENT = st.integers(0, CLIENTS - 1)
PROCESS = st.integers(0, 1)


class StreamMachine(RuleBasedStateMachine):
    """A world, moved step by step."""

    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World(CLIENTS)
        self.is_safe = False
        self.run(self.world.open(self.database_url))

    def run(self, step: Coroutine[Any, Any, _T]) -> _T:
        async def bounded() -> _T:
            async with asyncio.timeout(50):
                result = await step
            await spin()
            return result

        return self.runner.run(bounded())

    def teardown(self) -> None:
        try:
            self.run(self._agree(looking=False))
            self.run(self._agree(looking=True))
        finally:
            self.run(self.world.close())
            self.runner.close()

    @initialize(safe=st.booleans())
    def choose(self, safe: bool) -> None:
        """A safe world loses no hint, so that nothing needs a look."""
        self.is_safe = safe

    # ------------------------------------------------------------------------------------------ who writes

    @rule(count=st.sampled_from([1, 1, 1, 1, 2, 3, 60, 101]))
    def create(self, count: int) -> None:
        self.run(self.world.create(count))

    @rule(number=ANY, name=st.sampled_from(NAMES))
    def change(self, number: int, name: str) -> None:
        self.run(self.world.change(number, transitions()[name]))

    @rule()
    def mark_all_read(self) -> None:
        self.run(self.world.mark_all_read())

    @rule()
    def purge(self) -> None:
        self.run(self.world.purger.purge())

    @precondition(lambda self: not self.is_safe)
    @rule(lost=st.integers(0, 5))
    def restore_backup(self, lost: int) -> None:
        self.run(self.world.restore_backup(lost))

    # ------------------------------------------------------------------------------------------ what lies between

    @precondition(lambda self: self.world.feeds)
    @rule(feed=ANY, number=ANY, times=st.integers(1, 2))
    def deliver(self, feed: int, number: int, times: int) -> None:
        self.run(self._deliver(_pick(self.world.feeds, feed), number, times))

    @precondition(lambda self: self.world.feeds and not self.is_safe)
    @rule(feed=ANY, number=ANY)
    def drop(self, feed: int, number: int) -> None:
        self.world.has_lost_hints = True
        self.run(self._deliver(_pick(self.world.feeds, feed), number, 0))

    async def _deliver(self, feed: HeldFeed, number: int, times: int) -> None:
        versions = feed.held.pop(number % len(feed.held))
        for _ in range(times):
            feed.deliver(versions)

    @precondition(lambda self: not self.is_safe)
    @rule(process=PROCESS)
    def look(self, process: int) -> None:
        self.run(self._look(process))

    async def _look(self, process: int) -> None:
        self.world.processes[process].look()

    @precondition(lambda self: self.world.steps)
    @rule(number=ANY)
    def let_a_read_go_on(self, number: int) -> None:
        self.run(_pick(self.world.steps, number).advance())

    # ------------------------------------------------------------------------------------------ who listens

    @rule(client=CLIENT, process=PROCESS)
    def connect(self, client: int, process: int) -> None:
        self.run(self._connect(client, process))

    async def _connect(self, client: int, process: int) -> None:
        self.world.connect(client, self.world.processes[process])

    @precondition(lambda self: self.world.connected)
    @rule(number=ANY)
    def disconnect(self, number: int) -> None:
        self.run(self._disconnect(_pick(self.world.connected, number)))

    async def _disconnect(self, client: int) -> None:
        self.world.disconnect(client)

    @precondition(lambda self: self.world.connected)
    @rule(number=ANY, count=st.integers(1, 4))
    def take(self, number: int, count: int) -> None:
        client = self.world.clients[_pick(self.world.connected, number)]
        for _ in range(count):
            self.run(client.take(spin))

    @precondition(lambda self: any(client.must_load for client in self.world.clients))
    @rule()
    def load(self) -> None:
        for number, client in enumerate(self.world.clients):
            if client.must_load:
                self.run(self.world.load(number))

    @rule(looking=st.booleans())
    def all_agree_when_all_came_to_rest(self, looking: bool) -> None:
        self.run(self._agree(looking=looking and not self.is_safe))

    async def _agree(self, *, looking: bool) -> None:
        await self.world.settle(looking=looking)
        await self.world.assert_all_agree()


def _pick(choice: Sequence[_T], number: int) -> _T:
    return choice[number % len(choice)]


def test_who_listens_ends_up_with_what_a_fresh_listing_shows(database_url: str) -> None:
    machine = type("Machine", (StreamMachine,), {"database_url": database_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
