"""What taking in notifications costs."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from bench import rows
from bench.comparison import Measured, Subject, compare
from bench.lab import NO_LIMITS, Lab, fetch_number, until_ready
from bench.load import build_request
from bench.plan import Plan
from bench.report import Bar, Row, measured_row, scaled_bars

_USERS = 100
_BATCH = 100
_PATH = "/api/v1/notifications"


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Create one by one and in batches, beside the floors."""
    site, floor_site, free_site = await lab.make_site(), await lab.make_site(), await lab.make_site(**NO_LIMITS)
    with lab.api(site) as api, lab.api(free_site) as free, lab.floors(floor_site) as floors:
        await until_ready(api)
        await until_ready(free)
        await until_ready(floors)
        postgres = lab.postgres.pid
        floor = partial(
            Subject,
            port=floors.port,
            processes={"api": floors.program.pid, "postgres": postgres},
            status=201,
        )
        product = partial(Subject, port=api.port, processes={"api": api.program.pid, "postgres": postgres}, status=201)
        alone = await compare(
            plan,
            [
                floor("bare", requests=_drafts("/bare"), connections=1),
                floor("commit", requests=_drafts("/commit"), connections=1),
                product("create", requests=_drafts(_PATH, lab.key), connections=1),
            ],
        )
        many = await compare(
            plan,
            [
                floor("bare", requests=_drafts("/bare")),
                floor("commit", requests=_drafts("/commit")),
                product("create", requests=_drafts(_PATH, lab.key)),
                replace(
                    product("no limits", requests=_drafts(_PATH, lab.key)),
                    port=free.port,
                    processes={"api": free.program.pid, "postgres": postgres},
                ),
                product("one inbox", requests=_drafts(_PATH, lab.key, users=1)),
                product("batch", requests=_batches(lab.key), connections=1, operations=_BATCH),
            ],
        )
        lab.note_memory(api.program)
    await _check_all_kept(
        site.database_url, [alone["create"], *(many[name] for name in ("create", "one inbox", "batch"))]
    )
    return [*_rows("1 connection", alone), *_rows("32 connections", many), *_more_rows(many)]


def _rows(how: str, measured: dict[str, Measured]) -> list[Row]:
    bare, commit, create = measured["bare"], measured["commit"], measured["create"]
    bars = []
    if how != "1 connection":
        bars = [
            *scaled_bars("API CPU", create.cpu_ms("api"), 0.85, bare.cpu_ms("api")),
            Bar("PostgreSQL CPU ms", create.cpu_ms("postgres"), 0.1),
        ]
    return [
        measured_row(f"floor: bare endpoint, {how}", bare),
        measured_row(f"floor: one ORM commit, {how}", commit, bare=bare),
        measured_row(f"create, {how}", create, bare=bare, commit=commit, bars=bars),
    ]


def _more_rows(many: dict[str, Measured]) -> list[Row]:
    bare, commit, free = many["bare"], many["commit"], many["no limits"]
    bars = [
        *scaled_bars("API CPU", free.cpu_ms("api"), 0.6, bare.cpu_ms("api")),
        Bar("× the rate of one ORM commit", free.rate / commit.rate, 1.6, at_least=True),
    ]
    return [
        measured_row("create, 32 connections, without rate limits", free, bare=bare, commit=commit, bars=bars),
        measured_row("create, 32 connections, one inbox", many["one inbox"], bare=bare, commit=commit),
        measured_row(f"create in batches of {_BATCH}, 1 connection", many["batch"], bare=bare, commit=commit),
    ]


def _drafts(path: str, key: str = "", users: int = _USERS) -> Iterator[bytes]:
    return itertools.cycle([build_request("POST", path, key, _draft(number % users)) for number in range(1_000)])


def _batches(key: str) -> Iterator[bytes]:
    items = [_draft(number) for number in range(_BATCH)]
    return itertools.cycle([build_request("POST", f"{_PATH}/batch", key, {"items": items})])


def _draft(user: int) -> dict[str, str]:
    return {
        "user_id": rows.user_id(user),
        "title": f"Payment {user} failed",
        "text": f"Payment of order {user} failed: the card was declined by the bank. Ask the customer for another one.",
    }


async def _check_all_kept(database_url: str, measured: list[Measured]) -> None:
    kept = await fetch_number(database_url, "SELECT count(*) FROM notifications")
    promised = await fetch_number(database_url, "SELECT count(*) FROM analysis_jobs")
    accepted = sum(result.operations for result in measured)
    assert kept == promised >= accepted, f"{accepted} were accepted, {kept} are stored, {promised} have a job"
