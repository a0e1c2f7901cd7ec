"""Subjects measured in turns, so that whatever else the machine does meets all of them alike."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from bench.load import drive
from bench.plan import Plan
from bench.processes import cpu_seconds

TRAILING = 0.05
"""What was begun for a request may end a moment after its answer: the ring, the writing of logs and WAL."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to be measured: requests to one port, and the processes whose CPU they cost, by name.

    An answer carries ``operations`` operations; the last answer of each turn is handed to ``check``.
    """

    name: str
    port: int
    requests: Iterator[bytes]
    processes: Mapping[str, int]
    status: int = 200
    connections: int = 32
    operations: int = 1
    check: Callable[[bytes], object] = lambda body: None


@dataclass(slots=True)
class Measured:
    """What operations cost; times are seconds."""

    operations: int = 0
    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.operations / self.seconds

    def cpu_ms(self, process: str) -> float:
        """CPU milliseconds of a process per operation."""
        return self.cpu[process] / self.operations * 1000

    def latency_ms(self, percent: int) -> float:
        """Return the latency below which so many percent of the answers stay, in milliseconds."""
        return quantiles(self.latencies, n=100, method="inclusive")[percent - 1] * 1000


async def compare(plan: Plan, subjects: Sequence[Subject]) -> dict[str, Measured]:
    """Measure ``subjects`` by turns, after a warm-up each."""
    for subject in subjects:
        await _load(subject, plan.turn / 2)
    results = {subject.name: Measured(cpu=dict.fromkeys(subject.processes, 0.0)) for subject in subjects}
    for _ in range(plan.turns):
        for subject in subjects:
            await _take_turn(subject, plan.turn, results[subject.name])
    return results


async def _take_turn(subject: Subject, seconds: float, result: Measured) -> None:
    before = {name: cpu_seconds(pid) for name, pid in subject.processes.items()}
    sample = await _load(subject, seconds)
    result.operations += len(sample[1]) * subject.operations
    result.seconds += sample[0]
    result.latencies += sample[1]
    for name, pid in subject.processes.items():
        result.cpu[name] += cpu_seconds(pid) - before[name]


async def _load(subject: Subject, seconds: float) -> tuple[float, list[float]]:
    sample = await drive(
        subject.port, subject.requests, connections=subject.connections, seconds=seconds, status=subject.status
    )
    subject.check(sample.last_body)
    await asyncio.sleep(TRAILING)
    return sample.seconds, sample.latencies
