"""What size costs: the same calls on few rows and on many, in a small inbox and in a large one."""

import itertools
import random
from collections.abc import Iterator, Sequence

from bench import rows
from bench.comparison import Subject, compare
from bench.lab import Lab, until_ready
from bench.load import build_request
from bench.plan import FEW_ROWS, Plan
from bench.reading import INBOXES, check_page, new_pages
from bench.report import Bar, Row, measured_row
from bench.rows import Block

_TINY = 10
_TINY_INBOXES = 1_000
_ORDINARY = FEW_ROWS // INBOXES
_SAMPLE = 5_000
_SLOWER = 1.2


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """List and mark read, one call after the other."""
    few, many = await lab.make_site(), await lab.make_site()
    await rows.fill(few.database_url, Block(0, FEW_ROWS, 0, INBOXES))
    tiny = Block(0, _TINY * _TINY_INBOXES, 0, _TINY_INBOXES)
    large = Block(tiny.count, plan.inbox, _TINY_INBOXES, 1)
    rest = plan.rows - tiny.count - large.count
    ordinary = Block(tiny.count + large.count, rest, _TINY_INBOXES + 1, rest // _ORDINARY)
    await rows.fill(many.database_url, tiny, large, ordinary)
    for site in (few, many):
        await lab.settle(site)
    with lab.api(few) as api_few, lab.api(many) as api_many:
        await until_ready(api_few)
        await until_ready(api_many)
        on_few = {"api": api_few.program.pid, "postgres": lab.postgres.pid}
        on_many = {"api": api_many.program.pid, "postgres": lab.postgres.pid}
        users = range(ordinary.first_user, ordinary.first_user + ordinary.users)
        lists = await compare(
            plan,
            [
                Subject(
                    "few", api_few.port, new_pages(lab.key, range(INBOXES)), on_few, connections=1, check=check_page
                ),
                Subject("many", api_many.port, new_pages(lab.key, users), on_many, connections=1, check=check_page),
            ],
        )
        marks = await compare(
            plan,
            [
                Subject("tiny", api_many.port, _marks(lab.key, tiny), on_many, connections=1),
                Subject("large", api_many.port, _marks(lab.key, large), on_many, connections=1),
            ],
        )
    list_ratio = lists["many"].latency_ms(50) / lists["few"].latency_ms(50)
    mark_ratio = marks["large"].latency_ms(50) / marks["tiny"].latency_ms(50)
    return [
        measured_row(f"list, not cached, of {FEW_ROWS:_} rows", lists["few"]),
        measured_row(
            f"list, not cached, of {plan.rows:_} rows",
            lists["many"],
            bars=[Bar(f"p50 ÷ that of {FEW_ROWS:_} rows", list_ratio, _SLOWER)],
        ),
        measured_row(f"mark one read in an inbox of {_TINY}", marks["tiny"]),
        measured_row(
            f"mark one read in an inbox of {plan.inbox:_}",
            marks["large"],
            bars=[Bar(f"p50 ÷ that in an inbox of {_TINY}", mark_ratio, _SLOWER)],
        ),
    ]


def _marks(key: str, block: Block) -> Iterator[bytes]:
    """Yield requests that mark rows of ``block`` read, and, when all of a sample are, unread, and so on."""
    chosen = random.sample(range(block.first, block.first + block.count), min(_SAMPLE, block.count))
    return itertools.cycle([*_each(key, chosen, "read"), *_each(key, chosen, "unread")])


def _each(key: str, chosen: Sequence[int], call: str) -> list[bytes]:
    return [
        build_request("POST", f"/api/v1/notifications/{rows.notification_id(number)}/{call}", key) for number in chosen
    ]
