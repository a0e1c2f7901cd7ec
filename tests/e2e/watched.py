"""A whole Tocsin under watch: its processes, traffic on it, and the Prometheus that looks at it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
import psutil

from tests.e2e.api import Api, new_user
from tests.e2e.ledger import Ledger
from tests.e2e.mock_ai import WELL, MockAi
from tests.e2e.programs import HASTE
from tests.e2e.prometheus import Prometheus, running
from tests.e2e.up import Up
from tests.fixtures.processes import paused
from tests.waiting import elapse, eventually, until_blocking
from tocsin.embedded.ports import find_free_port

FACTOR = 30
"""How much shorter everything is than in the rules: what takes five minutes there takes ten seconds here."""
LONG_FACTOR = 120
"""The same for alerts that look back for a quarter of an hour or more."""

# Few connections and short patience, so that faults of a second have the consequences of faults of a minute.
_BRITTLE = {
    "TOCSIN_AI__CONCURRENCY": "32",
    "TOCSIN_AI__QUICK_REPEATS": "0",
    "TOCSIN_AI__TIMEOUT": "2",
    "TOCSIN_DATABASE__CONNECT_TIMEOUT": "1",
    "TOCSIN_DATABASE__POOL_SIZE": "4",
    "TOCSIN_DATABASE__POOL_TIMEOUT": "1",
    "TOCSIN_DATABASE__STATEMENT_TIMEOUT": "3",
}


@dataclass(frozen=True)
class Watched:
    """What a test of the watching works with."""

    up: Up
    api: Api
    ai: MockAi
    ledger: Ledger
    prometheus: Prometheus
    long_prometheus: Prometheus

    async def is_well(self, http: httpx2.AsyncClient) -> None:
        """Wait until all is as it should be, whatever the test before did, and nobody is called."""
        await self.up.is_well(http)
        await self.ai.turn(delay_min=0.02, delay_max=0.1, **WELL)
        await eventually(self._is_empty)
        for job in ("tocsin-api", "tocsin-worker"):
            await self.prometheus.sees(job, 1)

    async def _is_empty(self) -> bool:
        try:
            await self.ledger.clear()
        # Whoever is at work meanwhile does not lock in this order.
        except asyncpg.DeadlockDetectedError:
            return False
        return True

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a part of it in its tracks, with all of its children."""
        pid = self.up.pids[name]
        with contextlib.ExitStack() as stack:
            for process in (pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))):
                stack.enter_context(paused(process))
            yield

    @asynccontextmanager
    async def traffic(self) -> AsyncIterator[None]:
        """Have somebody create and read all the time; what comes of it is not his business."""
        task = asyncio.create_task(_visit(self.api))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True)
class Addresses:
    """Where a watched Tocsin and its two Prometheus servers are."""

    up: Up
    prometheus: str
    long_prometheus: str

    def reached_by(self, http: httpx2.AsyncClient) -> Watched:
        return Watched(
            self.up,
            self.up.api(http),
            self.up.ai(http),
            Ledger(self.up.status["database_url"]),
            Prometheus(http, self.prometheus),
            Prometheus(http, self.long_prometheus),
        )


@contextmanager
def watching(folder: Path) -> Iterator[Addresses]:
    """Start everything in ``folder``, and end it."""
    metrics_port = find_free_port("127.0.0.1")
    up = Up(folder / "data", folder / "up.log", HASTE | _BRITTLE | {"TOCSIN_WORKER__METRICS_PORT": str(metrics_port)})
    try:
        until_blocking(lambda: up.is_ready, 120)
        targets = {
            "tocsin-api": [up.status["url"].removeprefix("http://")],
            "tocsin-worker": [f"127.0.0.1:{metrics_port}"],
        }
        with (
            running(folder / "prometheus", targets, FACTOR) as prometheus,
            running(folder / "long-prometheus", targets, LONG_FACTOR) as long_prometheus,
        ):
            yield Addresses(up, prometheus, long_prometheus)
    finally:
        up.stop()


async def _visit(api: Api) -> None:
    user = new_user()
    while True:
        with contextlib.suppress(httpx2.TransportError):
            await asyncio.gather(
                api.try_create(user, "all is well"),
                api.try_create(user, "careful: the disk is nearly full"),
                api.send("GET", "/notifications", params={"user_id": user}, timeout=3),
                api.send("GET", f"/inboxes/{user}", timeout=3),
                _listen(api, user),
            )
        await elapse(0.1)


async def _listen(api: Api, user: str) -> None:
    """Hear the first that a stream tells, and leave."""
    async with api.stream(f"/inboxes/{user}/events", timeout=3) as lines:
        await anext(lines)
