"""How long it takes from a create to the verdict on the socket of its reader, less what the AI takes for itself."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from redis.asyncio import Redis

from bench import rows
from bench.analysing import ai_port_of, make_ai_site
from bench.bare import measure_bare
from bench.comparison import Measured
from bench.lab import Lab, Service, Site, fetch_number, until_ready
from bench.load import HOST, Caller, ask, build_request, drive, open_caller
from bench.plan import Plan
from bench.processes import Program, cpu_seconds
from bench.report import Row, measured_row, scaled_bars
from bench.sockets import Socket, build_handshake, open_crowd
from tocsin.embedded.ports import find_free_port

_AI_SECONDS = 0.2
_USERS = 20
_CALLERS = 8
_FEWEST = 20
_HOPS = 500
_WITHIN = 60.0
_LEFT = "SELECT count(*) FROM analysis_jobs"
_CALLS = re.compile(r"^tocsin_ai_seconds_(sum|count)\{[^}]*\} ([0-9.e+-]+)", re.MULTILINE)


@dataclass(slots=True)
class _Log:
    """When, by the id of the notification: its create was sent, it was shown first, and with its verdict."""

    created: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)
    judged: dict[str, float] = field(default_factory=dict)

    def note(self, socket: Socket, now: float) -> None:
        """Note what a socket was told."""
        notification = json.loads(socket.last)["notification"]
        self.shown.setdefault(notification["id"], now)
        if notification["processing_status"] == "completed":
            self.judged.setdefault(notification["id"], now)

    def after(self, moments: Mapping[str, float], less: float = 0) -> list[float]:
        """Return the seconds from each create to its moment, ``less`` taken off."""
        return [moments[name] - created - less for name, created in self.created.items()]


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Create at a tenth of what all processes together can do, for readers who listen."""
    hops = await _measure_hops(lab.valkey.url)
    bare = await measure_bare(lab, plan)
    metrics_port = find_free_port(HOST)
    site = await make_ai_site(lab, WORKER__METRICS_PORT=str(metrics_port))
    with lab.mock_ai(ai_port_of(site), _AI_SECONDS, _AI_SECONDS) as mock_ai, lab.api(site) as api:
        await until_ready(mock_ai, "/healthz")
        await until_ready(api)
        with lab.worker(site) as worker:
            processes = {"api": api.program.pid, "worker": worker.pid, "postgres": lab.postgres.pid}
            full = await _measure_full_load(lab, plan, site, api, worker)
            calls_before = await _read_calls(metrics_port)
            before = {name: cpu_seconds(pid) for name, pid in processes.items()}
            log = await _create_slowly(lab, plan, api, worker, full / 10)
            cpu = {name: cpu_seconds(pid) - before[name] for name, pid in processes.items()}
            calls = await _read_calls(metrics_port)
    called = (calls[0] - calls_before[0]) / (calls[1] - calls_before[1])
    return _rows(log, hops, bare, full, cpu, called)


async def _measure_hops(url: str) -> Measured:
    """Publish to one subscriber, one message after the other."""
    hops = Measured()
    async with Redis.from_url(url) as redis, redis.pubsub() as subscription:
        await subscription.subscribe("bench")
        await subscription.get_message(timeout=_WITHIN)
        for _ in range(_HOPS):
            began = time.perf_counter()
            await redis.publish("bench", b"x" * 24)
            while not await subscription.get_message(ignore_subscribe_messages=True, timeout=_WITHIN):
                pass
            hops.latencies.append(time.perf_counter() - began)
    hops.operations, hops.seconds = _HOPS, sum(hops.latencies)
    return hops


async def _measure_full_load(lab: Lab, plan: Plan, site: Site, api: Service, worker: Program) -> float:
    """Create as fast as it goes, and return how many a second were created and judged."""
    requests = itertools.cycle([_create(lab, number, "full load") for number in range(100)])
    rate = 0.0
    # The first time, the worker may still be starting.
    for seconds in (plan.turn / 4, 2 * plan.turn):
        began = time.perf_counter()
        sample = await drive(api.port, requests, connections=32, seconds=seconds, status=201)
        async with asyncio.timeout(_WITHIN):
            while await fetch_number(site.database_url, _LEFT):
                worker.check_alive()
                await asyncio.sleep(0.05)
        rate = len(sample.latencies) / (time.perf_counter() - began)
    return rate


async def _create_slowly(lab: Lab, plan: Plan, api: Service, worker: Program, rate: float) -> _Log:
    """Create at an even rate, whatever the answers take, with a reader of each inbox."""
    log = _Log()
    path = "/api/v1/inboxes/{}/stream"
    handshakes = [build_handshake(path.format(rows.user_id(user)), lab.key) for user in range(_USERS)]
    count = max(_FEWEST, round(rate * plan.verdict_window))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_crowd(api.port, handshakes, log.note))
        callers = [await stack.enter_async_context(open_caller(api.port)) for _ in range(_CALLERS)]
        began = time.perf_counter()
        numbers = iter(range(count))

        async def create(caller: Caller) -> None:
            for number in numbers:
                await asyncio.sleep(began + number / rate - time.perf_counter())
                sent = time.perf_counter()
                created = json.loads(await caller.call(_create(lab, number % _USERS, f"Number {number}"), 201))
                log.created[created["id"]] = sent

        await asyncio.gather(*(create(caller) for caller in callers))
        async with asyncio.timeout(_WITHIN):
            while log.judged.keys() != log.created.keys():
                worker.check_alive()
                await asyncio.sleep(0.05)
    return log


def _create(lab: Lab, user: int, title: str) -> bytes:
    draft = {"user_id": rows.user_id(user), "title": title, "text": "The backup took long; careful."}
    return build_request("POST", "/api/v1/notifications", lab.key, draft)


async def _read_calls(port: int) -> tuple[float, float]:
    """Return the seconds that calls of the AI took by the metrics of the worker, and how many there were."""
    found = dict(_CALLS.findall((await ask(port, build_request("GET", "/metrics"))).decode()))
    return float(found["sum"]), float(found["count"])


def _rows(log: _Log, hops: Measured, bare: float, full: float, cpu: dict[str, float], call: float) -> list[Row]:
    count, seconds = len(log.created), len(log.created) / full * 10
    shown = Measured(count, seconds, log.after(log.shown))
    judged = Measured(count, seconds, log.after(log.judged, _AI_SECONDS), cpu)
    bars = [
        *scaled_bars("p50", judged.latency_ms(50), 15, bare),
        *scaled_bars("p99", judged.latency_ms(99), 100, bare),
    ]
    note = (
        f"a tenth of {full:.0f} a second at full load; {_AI_SECONDS * 1000:g} ms, which the AI takes, are taken off, "
        f"and no more: by the worker's metrics a call took {call * 1000:.1f}; the bare endpoint takes {bare:.2g} of CPU"
    )
    return [
        measured_row("floor: Redis, publish to subscriber", hops),
        measured_row("create to the reader's socket", shown),
        measured_row("create to the verdict there", judged, bars=bars, note=note),
    ]
