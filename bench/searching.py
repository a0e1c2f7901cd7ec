"""What searching costs: what is common and what is rare, in a small inbox, in a large one, and across all."""

import itertools
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

from bench import rows
from bench.comparison import Subject, compare
from bench.lab import NO_LIMITS, Lab, until_ready
from bench.load import build_request
from bench.plan import FEW_ROWS, Plan
from bench.reading import INBOXES, LIMIT, check_page, new_pages
from bench.report import Row, measured_row
from bench.rows import Block

_COMMON = "careful disk"
"""In every row."""
_RARE = '"took 17 seconds"'
"""In one of a thousand rows."""


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Search one after the other, beside a list that is not cached."""
    site = await lab.make_site(**NO_LIMITS)
    small = Block(0, FEW_ROWS, 0, INBOXES)
    large = Block(FEW_ROWS, plan.inbox, INBOXES, 1)
    await rows.fill(site.database_url, small, large)
    await rows.make_searchable(site.database_url)
    await lab.settle(site)
    few = [rows.user_id(user) for user in range(INBOXES)]
    many = [rows.user_id(INBOXES)]
    with lab.api(site) as api:
        await until_ready(api)
        processes = {"api": api.program.pid, "postgres": lab.postgres.pid}

        def subject(name: str, requests: Iterator[bytes], check: Callable[[bytes], object] = check_page) -> Subject:
            return Subject(name, api.port, requests, processes, connections=1, check=check)

        measured = await compare(
            plan,
            [
                subject("list, not cached", new_pages(lab.key, range(INBOXES))),
                subject(f"common, inbox of {FEW_ROWS // INBOXES:_}", _searches(lab.key, _COMMON, few)),
                subject(f"rare, inbox of {FEW_ROWS // INBOXES:_}", _searches(lab.key, _RARE, few), json.loads),
                subject(f"common, inbox of {plan.inbox:_}", _searches(lab.key, _COMMON, many)),
                subject(f"rare, inbox of {plan.inbox:_}", _searches(lab.key, _RARE, many)),
                subject(f"rare, by relevance, {plan.inbox:_}", _searches(lab.key, _RARE, many, "relevance")),
                subject("rare, all inboxes", _searches(lab.key, _RARE, [None])),
            ],
        )
    return [measured_row(name, one) for name, one in measured.items()]


def _searches(key: str, q: str, users: list[str] | list[None], order: str = "newest") -> Iterator[bytes]:
    paths = [
        f"/api/v1/notifications?q={quote(q)}&order={order}&limit={LIMIT}" + (f"&user_id={user}" if user else "")
        for user in users
    ]
    return itertools.cycle([build_request("GET", path, key) for path in paths])
