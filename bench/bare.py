"""How fast this machine is today: what a bare FastAPI endpoint takes of it."""

import itertools

from bench import rows
from bench.comparison import Subject, compare
from bench.lab import Lab, until_ready
from bench.load import build_request
from bench.plan import Plan

_DRAFT = {"user_id": rows.user_id(0), "title": "Nothing", "text": "Comes of it."}


async def measure_bare(lab: Lab, plan: Plan) -> float:
    """Return the milliseconds of CPU that one request takes, at 32 connections."""
    with lab.floors(await lab.make_site()) as floors:
        await until_ready(floors)
        requests = itertools.repeat(build_request("POST", "/bare", body=_DRAFT))
        bare = Subject("bare", floors.port, requests, {"api": floors.program.pid}, status=201)
        return (await compare(plan, [bare]))["bare"].cpu_ms("api")
