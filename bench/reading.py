"""What reading costs: a page that is cached and one that is not, one notification, its status."""

import itertools
import json
import re
from collections.abc import Iterator
from functools import partial

from bench import rows
from bench.comparison import Subject, compare
from bench.lab import NO_LIMITS, Lab, until_ready
from bench.load import ask, build_request
from bench.plan import FEW_ROWS, Plan
from bench.report import Row, measured_row, scaled_bars
from bench.rows import Block

INBOXES = 10
LIMIT = 20
_PATH = "/api/v1/notifications"
_BARE = build_request("POST", "/bare", body={"user_id": rows.user_id(0), "title": "Bare", "text": "Nothing."})


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Read from a table of 10 000 rows with 32 connections, without rate limits, beside the bare endpoint."""
    site = await lab.make_site(**NO_LIMITS)
    limited_site = await lab.make_site()
    for each in (site, limited_site):
        await rows.fill(each.database_url, Block(0, FEW_ROWS, 0, INBOXES))
        await lab.settle(each)
    with lab.api(site) as api, lab.api(limited_site) as limited, lab.floors(site) as floors:
        await until_ready(api)
        await until_ready(limited)
        await until_ready(floors)
        product = partial(Subject, port=api.port, processes={"api": api.program.pid, "postgres": lab.postgres.pid})
        hits, misses = await _cache_reads(api.port)
        measured = await compare(
            plan,
            [
                Subject("bare", floors.port, itertools.repeat(_BARE), {"api": floors.program.pid}, status=201),
                product("cached", requests=same_pages(lab.key, range(INBOXES)), check=check_page),
                Subject(
                    "limited",
                    limited.port,
                    same_pages(lab.key, range(INBOXES)),
                    {"api": limited.program.pid, "postgres": lab.postgres.pid},
                    check=check_page,
                ),
                product("not cached", requests=new_pages(lab.key, range(INBOXES)), check=check_page),
                product("detail", requests=_each(lab.key)),
                product("status", requests=_each(lab.key, "/status")),
            ],
        )
        hits_after, misses_after = await _cache_reads(api.port)
        lab.note_memory(api.program)
    assert hits_after - hits >= measured["cached"].operations, "what should have come from the cache did not"
    assert misses_after - misses >= measured["not cached"].operations, "what should not have come from the cache did"
    bare = measured["bare"]
    limits = {"cached": 0.6, "not cached": 1.4}
    bars = {
        name: scaled_bars("API CPU", measured[name].cpu_ms("api"), limit, bare.cpu_ms("api"))
        for name, limit in limits.items()
    }
    return [
        measured_row("floor: bare endpoint", bare),
        measured_row(f"list of {LIMIT}, cached", measured["cached"], bare=bare, bars=bars["cached"]),
        measured_row(f"list of {LIMIT}, cached, with rate limits", measured["limited"], bare=bare),
        measured_row(f"list of {LIMIT}, not cached", measured["not cached"], bare=bare, bars=bars["not cached"]),
        measured_row("detail", measured["detail"], bare=bare),
        measured_row("status", measured["status"], bare=bare),
    ]


def same_pages(key: str, users: range) -> Iterator[bytes]:
    """Yield requests for the first page of each inbox, again and again."""
    paths = [f"{_PATH}?user_id={rows.user_id(user)}&limit={LIMIT}" for user in users]
    return itertools.cycle([build_request("GET", path, key) for path in paths])


def new_pages(key: str, users: range) -> Iterator[bytes]:
    """Yield first pages that nobody asked for before: each request has a filter of its own, which all rows pass."""
    start = build_request("GET", f"{_PATH}?user_id=USER&limit={LIMIT}&min_confidence=NUMBER", key)
    ids = [rows.user_id(user).encode() for user in users]
    for number in itertools.count(1):
        wanted = start.replace(b"NUMBER", b"%.9f" % (number / 1e9))
        yield wanted.replace(b"USER", ids[number % len(ids)])


def check_page(body: bytes) -> None:
    """Raise unless ``body`` is a full page."""
    assert len(json.loads(body)["items"]) == LIMIT, "a page lacks rows"


def _each(key: str, suffix: str = "") -> Iterator[bytes]:
    paths = [f"{_PATH}/{rows.notification_id(number)}{suffix}" for number in range(0, FEW_ROWS, 7)]
    return itertools.cycle([build_request("GET", path, key) for path in paths])


async def _cache_reads(port: int) -> tuple[int, int]:
    metrics = (await ask(port, build_request("GET", "/metrics"))).decode()
    found = dict(re.findall(r'^tocsin_cache_reads_total\{outcome="(\w+)"\} ([0-9.e+]+)', metrics, re.MULTILINE))
    return int(float(found.get("hit", 0))), int(float(found.get("miss", 0)))
