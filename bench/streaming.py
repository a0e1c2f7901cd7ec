"""What live streams cost: to keep them, to tell them of changes, and to those who make the changes."""

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import partial

from bench import rows, verdicts
from bench.audience import Audience, Tell, open_audience, take_turns
from bench.comparison import Subject, compare
from bench.lab import Lab, Service, until_ready
from bench.load import Caller, ask, build_request, open_caller
from bench.plan import Plan
from bench.report import Bar, Row, measured_row
from bench.sockets import allow_sockets, build_handshake

_READERS = 1_000
_WATCHED = 100
_BATCH = 1_000
_RENDERED = re.compile(r'^tocsin_stream_messages_rendered_total\{type="change"\} ([0-9.e+]+)', re.MULTILINE)
_PATH = "/api/v1/notifications"


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Have many sockets of one process told, one each and all the same, beside a bare WebSocket server."""
    count = allow_sockets(plan.sockets)
    site, floor_site = await lab.make_site(), await lab.make_site()
    with lab.api(site) as api, lab.floors(floor_site) as floors:
        await until_ready(api)
        await until_ready(floors)
        each = await _measure_each(lab, plan, api, floors, count)
        one = await _measure_one(lab, plan, api, floors, min(count, _READERS))
        creates = await _measure_creates(lab, plan, api, floors)
        lab.note_memory(api.program)
    missing = plan.sockets - count
    warning = [Row(f"{missing:_} SOCKETS ARE MISSING", note="the system allows no more open files")] if missing else []
    return [*warning, *each, *one, *creates, *await verdicts.measure(lab, plan)]


# ----------------------------------------------------------------------------------------- an inbox for each socket


async def _measure_each(lab: Lab, plan: Plan, api: Service, floors: Service, count: int) -> list[Row]:
    users = [rows.user_id(number) for number in range(count)]
    async with (
        open_audience(floors, {"api": floors.program.pid}, [build_handshake("/talk")] * count) as talk,
        open_audience(api, _processes(lab, api), [_handshake(user, lab.key) for user in users]) as streams,
        open_caller(api.port) as caller,
    ):
        batches = [users[start : start + _BATCH] for start in range(0, count, _BATCH)]
        requests = [(len(batch), _batch(batch, lab.key)) for batch in batches]
        await take_turns(plan, (streams, partial(_tell_each, streams, caller, requests)), (talk, _talk(talk, streams)))
        told = [user.encode() in socket.last for user, socket in zip(users, streams.crowd.sockets, strict=True)]
        # Of creating them alone.
        alone = {"api": api.program.pid}
        batch = itertools.cycle([_batch([rows.user_id(count + number) for number in range(_BATCH)], lab.key)])
        made = (await compare(plan, [Subject("made", api.port, batch, alone, 201, 1, _BATCH)]))["made"].cpu_ms("api")
    bars = [Bar("KB a socket", streams.bytes_each / 1e3, 60), Bar("sockets told", sum(told), count, at_least=True)]
    opened = measured_row(f"open {count:_} streams", streams.opening)
    return [
        measured_row(f"floor: {count:_} bare sockets", talk.telling, note=f"{talk.bytes_each / 1e3:.1f} KB a socket"),
        opened,
        measured_row(
            f"one change each to {count:_} streams",
            streams.telling,
            bare=talk.telling,
            bars=bars,
            note=f"{made:.3f} ms of API CPU of it is what it takes to create them, in batches of {_BATCH:_}",
        ),
    ]


async def _tell_each(streams: Audience, caller: Caller, requests: Sequence[tuple[int, bytes]]) -> None:
    for count, request in requests:
        await streams.hear(partial(caller.call, request, 201), count)


# --------------------------------------------------------------------------------------------- one inbox for all


async def _measure_one(lab: Lab, plan: Plan, api: Service, floors: Service, count: int) -> list[Row]:
    user = rows.user_id(plan.sockets)
    create = build_request("POST", _PATH, lab.key, _draft(user))
    async with (
        open_audience(floors, {"api": floors.program.pid}, [build_handshake("/talk")] * count) as talk,
        open_audience(api, _processes(lab, api), [_handshake(user, lab.key)] * count) as streams,
        open_caller(api.port) as caller,
    ):
        rendered = await _count_rendered(api)
        tell = partial(streams.hear, partial(caller.call, create, 201), count)
        await take_turns(plan, (streams, tell), (talk, _talk(talk, streams)))
        changes = streams.telling.operations / count
        rendered = await _count_rendered(api) - rendered
    bars = [Bar(f"times each of {changes:.0f} changes was rendered", rendered / changes, 1)]
    return [
        measured_row(f"floor: {count:_} bare sockets", talk.telling),
        measured_row(f"{count:_} streams of one inbox", streams.telling, bare=talk.telling, bars=bars),
    ]


async def _count_rendered(api: Service) -> int:
    found = _RENDERED.search((await ask(api.port, build_request("GET", "/metrics"))).decode())
    return int(float(found[1])) if found else 0


# --------------------------------------------------------------------------------------------- those who create


async def _measure_creates(lab: Lab, plan: Plan, api: Service, floors: Service) -> list[Row]:
    alone = [rows.user_id(number) for number in range(_WATCHED)]
    watched = [rows.user_id(_WATCHED + number) for number in range(_WATCHED)]
    subject = partial(Subject, port=api.port, processes=_processes(lab, api), status=201)
    bare = build_request("POST", "/bare", body=_draft(alone[0]))
    async with open_audience(api, {}, [_handshake(user, lab.key) for user in watched]) as streams:
        before = streams.crowd.changes
        measured = await compare(
            plan,
            [
                Subject("bare", floors.port, itertools.repeat(bare), {"api": floors.program.pid}, status=201),
                subject("alone", requests=_creates(alone, lab.key)),
                subject("watched", requests=_creates(watched, lab.key)),
            ],
        )
        told = streams.crowd.changes - before
    more = measured["watched"].cpu_ms("api") - measured["alone"].cpu_ms("api")
    return [
        measured_row("create, nobody listens", measured["alone"], bare=measured["bare"]),
        measured_row(
            "create, a stream of each inbox",
            measured["watched"],
            bare=measured["bare"],
            note=f"{more:.3f} ms of API CPU more; {told:_} changes were told",
        ),
    ]


def _creates(users: Sequence[str], key: str) -> Iterator[bytes]:
    return itertools.cycle([build_request("POST", _PATH, key, _draft(user)) for user in users])


# ------------------------------------------------------------------------------------------------------- shared


def _talk(talk: Audience, streams: Audience) -> Tell:
    """Return what has all bare sockets told what the streams were told last."""
    sockets = talk.crowd.sockets
    return lambda: talk.hear(lambda: sockets[0].say(streams.crowd.sockets[0].last), len(sockets))


def _processes(lab: Lab, api: Service) -> dict[str, int]:
    return {"api": api.program.pid, "postgres": lab.postgres.pid}


def _handshake(user: str, key: str) -> bytes:
    return build_handshake(f"/api/v1/inboxes/{user}/stream", key)


def _batch(users: Sequence[str], key: str) -> bytes:
    return build_request("POST", f"{_PATH}/batch", key, {"items": [_draft(user) for user in users]})


def _draft(user: str) -> dict[str, str]:
    return {
        "user_id": user,
        "title": "Payment failed",
        "text": "Payment of an order failed: the card was declined by the bank. Ask the customer for another one.",
    }
