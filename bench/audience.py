"""Sockets of one server that listen, and what it costs the server to have them and to tell them something."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import psutil

from bench.comparison import TRAILING, Measured
from bench.lab import Service
from bench.plan import Plan
from bench.processes import cpu_seconds
from bench.sockets import Crowd, Socket, open_crowd

_WARM = 100
_SETTLE = 0.3

Tell = Callable[[], Awaitable[None]]
"""Has something told, and returns when all have heard."""


class Audience:
    """Those who listen to one server; ``processes`` are those whose CPU they cost, by name.

    ``opening`` is what it cost to open the sockets, ``telling`` what each message that one of them got did.
    """

    def __init__(self, service: Service, processes: Mapping[str, int]) -> None:
        self.crowd = Crowd(self._note)
        self.opening = Measured(cpu=dict.fromkeys(processes, 0.0))
        self.telling = Measured(cpu=dict.fromkeys(processes, 0.0))
        self.bytes_each = 0.0
        self._service = service
        self._processes = processes
        self._process = psutil.Process(service.program.pid)
        self._empty = 0
        self._began = 0.0

    async def open(self, handshakes: Sequence[bytes]) -> None:
        """Open sockets, after some that are closed again, so that what all share is there before it counts."""
        async with open_crowd(self._service.port, handshakes[:_WARM]):
            pass
        await asyncio.sleep(_SETTLE)
        self._empty = self._process.memory_info().rss
        async with self._counted(self.opening):
            await self.crowd.open(self._service.port, handshakes)
        self.opening.operations += len(handshakes)
        self.weigh()

    def weigh(self) -> None:
        """Note what a socket takes, if it is more than before."""
        grown = self._process.memory_info().rss - self._empty
        self.bytes_each = max(self.bytes_each, grown / len(self.crowd.sockets))

    async def hear(self, hand_in: Callable[[], object], ears: int) -> None:
        """Wait until so many have heard what is handed to the server; the time of each counts from here."""
        self._began = time.perf_counter()
        changes = self.crowd.changes + ears
        handed = hand_in()
        if isinstance(handed, Awaitable):
            await handed
        await self.crowd.until(changes)

    async def take_turn(self, tell: Tell, seconds: float) -> None:
        """Have them told things for so long."""
        before = self.crowd.changes
        async with self._counted(self.telling):
            deadline = time.perf_counter() + seconds
            while True:
                await tell()
                if time.perf_counter() >= deadline:
                    break
        self.telling.operations += self.crowd.changes - before

    def _note(self, _: Socket, now: float) -> None:
        self.telling.latencies.append(now - self._began)

    @asynccontextmanager
    async def _counted(self, measured: Measured) -> AsyncIterator[None]:
        before = {name: cpu_seconds(pid) for name, pid in self._processes.items()}
        began = time.perf_counter()
        yield
        measured.seconds += time.perf_counter() - began
        await asyncio.sleep(TRAILING)
        for name, pid in self._processes.items():
            measured.cpu[name] += cpu_seconds(pid) - before[name]


@asynccontextmanager
async def open_audience(
    service: Service, processes: Mapping[str, int], handshakes: Sequence[bytes]
) -> AsyncIterator[Audience]:
    """Have sockets listen meanwhile."""
    audience = Audience(service, processes)
    try:
        await audience.open(handshakes)
        yield audience
    finally:
        audience.crowd.close()


async def take_turns(plan: Plan, *tellings: tuple[Audience, Tell]) -> None:
    """Have audiences told things by turns, so that whatever else the machine does meets all of them alike."""
    for _ in range(plan.turns):
        for audience, tell in tellings:
            await audience.take_turn(tell, plan.turn)
    for audience, _ in tellings:
        audience.weigh()
