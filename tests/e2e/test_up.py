"""`tocsin up` with everything real in it: side by side, a second time, and its end."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.api import new_user
from tests.e2e.programs import HASTE, WITHIN
from tests.e2e.up import Up
from tests.fixtures.processes import is_alive
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)

StartUp = Callable[[], Up]


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[StartUp]:
    """Start one on the data folder of the test, again after the one before ended."""
    runs: list[Up] = []

    def start() -> Up:
        runs.append(Up(tmp_path / "data", tmp_path / f"up-{len(runs)}.log", HASTE))
        return runs[-1]

    yield start
    for run in runs:
        run.stop()


async def test_a_second_one_beside_the_first_and_a_second_run_of_it(
    up: Up, start_up: StartUp, http: httpx2.AsyncClient
) -> None:
    """One test for what would need the same slow starts twice."""
    first = start_up()
    await until(lambda: first.is_ready, WITHIN)
    api, ai, user, key = first.api(http), first.ai(http), new_user(), first.status["service_key"]
    judged = [await api.create(user), await api.create(user)]
    await api.all_completed(user, 2)

    # Neither knows of the other.
    assert not set(first.pids.values()) & set(up.pids.values())
    assert (await up.api(http).inbox(user))["version"] == 0

    # Ctrl-C in the midst of work.
    await ai.turn(hang_rate=1)
    hanging = await api.create(user)
    await ai.holds(1)
    family = first.children
    first.send(signal.SIGINT)
    assert await first.ends() == 0
    assert not [child for child in family if is_alive(child.pid)]
    assert set(up.pids) >= {"api", "worker"}

    # The same data, the same key, and what was pending is finished.
    second = start_up()
    await until(lambda: second.is_ready, WITHIN)
    assert second.status["service_key"] == key
    items = await second.api(http).all_completed(user, 3)
    assert [item["id"] for item in reversed(items)] == [item["id"] for item in (*judged, hanging)]
