"""What an analysis costs, when the AI is slow and when it is not what limits."""

import asyncio
import itertools
import json
import time
from dataclasses import dataclass

from bench import rows
from bench.lab import Lab, Service, Site, fetch_number, until_ready
from bench.load import HOST, ask, build_request, drive
from bench.plan import Plan
from bench.processes import Program, cpu_seconds
from bench.report import Bar, Row
from tocsin.embedded.ports import find_free_port

_SLOTS = 256
_USERS = 100
_BATCH = 100
_WITHIN = 90.0
_SETTLE = 5.0
_EDGE = 500
_LEFT = "SELECT count(*) FROM analysis_jobs"
_COMPLETED = "SELECT count(*) FROM notifications WHERE processing_status = 'completed'"


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    completed: int
    worker: float
    postgres: float


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Judge a backlog with an AI that takes 1–3 s, and one with an AI that takes 10 ms."""
    slow = await _measure_slow(lab, plan, 1, 3)
    fast = await _measure_fast(lab, plan, 0.01)
    return [slow, fast]


async def _measure_slow(lab: Lab, plan: Plan, shortest: float, longest: float) -> Row:
    mean = (shortest + longest) / 2
    ideal = _SLOTS / mean
    site = await make_ai_site(lab)
    await _make_backlog(lab, site, round(ideal * (longest + _SETTLE + plan.analysis_window) + 3 * _SLOTS))
    with lab.mock_ai(ai_port_of(site), shortest, longest) as mock_ai, lab.worker(site) as worker:
        await until_ready(mock_ai, "/healthz")
        while (await _calls(mock_ai))["in_the_air"] < 0.9 * _SLOTS:
            worker.check_alive()
            await asyncio.sleep(0.1)
        await asyncio.sleep(_SETTLE)
        before = await _read(lab, site, worker.pid)
        await asyncio.sleep(plan.analysis_window)
        after = await _read(lab, site, worker.pid)
        assert await fetch_number(site.database_url, _LEFT) > _SLOTS, "the backlog ran out during the measurement"
    share = (after.completed - before.completed) / (after.at - before.at) / ideal * 100
    bars = [Bar("% of calls in the air ÷ mean delay", share, 95, at_least=True)]
    return _row(f"analysis, AI {shortest:g}–{longest:g} s, {_SLOTS} in the air", before, after, bars)


async def _measure_fast(lab: Lab, plan: Plan, delay: float) -> Row:
    site = await make_ai_site(lab)
    await _make_backlog(lab, site, plan.backlog)
    with lab.mock_ai(ai_port_of(site), delay, delay) as mock_ai:
        await until_ready(mock_ai, "/healthz")
        with lab.worker(site) as worker:
            async with asyncio.timeout(_WITHIN):
                await _until_called(mock_ai, worker, _EDGE)
                before = await _read(lab, site, worker.pid)
                await _until_called(mock_ai, worker, plan.backlog - _EDGE)
                after = await _read(lab, site, worker.pid)
                while await fetch_number(site.database_url, _LEFT):
                    worker.check_alive()
                    await asyncio.sleep(0.1)
            lab.note_memory(worker)
    completed = await fetch_number(site.database_url, _COMPLETED)
    assert completed == plan.backlog, f"of {plan.backlog} notifications {completed} were judged"
    row = _row(f"analysis, AI {delay * 1000:g} ms", before, after, [])
    bars = [Bar("worker CPU ms", row.cpu["worker"], 1.2), Bar("worker MB", lab.memory["worker"] / 1e6, 200)]
    return Row(row.name, rate=row.rate, cpu=row.cpu, bars=bars)


async def make_ai_site(lab: Lab, **settings: str) -> Site:
    """Make a site whose workers ask an AI at `ai_port_of` it."""
    url = f"http://{HOST}:{find_free_port(HOST)}/analyze"
    return await lab.make_site(AI__URL=url, AI__CONCURRENCY=str(_SLOTS), **settings)


def ai_port_of(site: Site) -> int:
    """Return the port of the AI of ``site``."""
    return int(site.environment["TOCSIN_AI__URL"].rpartition(":")[2].partition("/")[0])


async def _make_backlog(lab: Lab, site: Site, count: int) -> None:
    """Have so many accepted, as any client would, before there is a worker."""
    items = [
        {
            "user_id": rows.user_id(number),
            "title": f"Backup {number}",
            "text": f"The backup {number} took long; careful.",
        }
        for number in range(_USERS)
    ]
    request = build_request("POST", "/api/v1/notifications/batch", lab.key, {"items": items[:_BATCH]})
    with lab.api(site) as api:
        await until_ready(api)
        batches = itertools.repeat(request, count // _BATCH)
        await drive(api.port, batches, connections=2, seconds=_WITHIN, status=201)
    await lab.settle(site)


async def _until_called(mock_ai: Service, worker: Program, times: int) -> None:
    while (await _calls(mock_ai))["total"] < times:
        worker.check_alive()
        await asyncio.sleep(0.02)


async def _calls(mock_ai: Service) -> dict[str, int]:
    calls: dict[str, int] = json.loads(await ask(mock_ai.port, build_request("GET", "/calls")))
    return calls


async def _read(lab: Lab, site: Site, worker: int) -> _Reading:
    completed = await fetch_number(site.database_url, _COMPLETED)
    return _Reading(time.monotonic(), completed, cpu_seconds(worker), cpu_seconds(lab.postgres.pid))


def _row(name: str, before: _Reading, after: _Reading, bars: list[Bar]) -> Row:
    done = after.completed - before.completed
    return Row(
        name=name,
        rate=done / (after.at - before.at),
        cpu={
            "worker": (after.worker - before.worker) / done * 1000,
            "postgres": (after.postgres - before.postgres) / done * 1000,
        },
        bars=bars,
    )
