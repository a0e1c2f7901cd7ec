"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run. Times are seconds; a turn is one stretch of load on one subject, of which each gets several."""

    turns: int
    turn: float
    rows: int
    inbox: int
    analysis_window: float
    backlog: int
    sockets: int
    verdict_window: float


QUICK = Plan(
    turns=2, turn=0.4, rows=40_000, inbox=20_000, analysis_window=4, backlog=2_000, sockets=1_000, verdict_window=4
)
DEFAULT = Plan(
    turns=4,
    turn=1.2,
    rows=1_000_000,
    inbox=100_000,
    analysis_window=14,
    backlog=10_000,
    sockets=5_000,
    verdict_window=12,
)
FULL = Plan(
    turns=6,
    turn=2,
    rows=10_000_000,
    inbox=1_000_000,
    analysis_window=30,
    backlog=20_000,
    sockets=5_000,
    verdict_window=30,
)

FEW_ROWS = 10_000
"""How many rows a table has that is compared with the one of `Plan.rows`."""
