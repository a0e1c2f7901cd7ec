"""Rows of results, the bars they are held against, and how both are shown."""

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from bench.comparison import Measured

_COLUMNS = ("rate/s", "p50 ms", "p99 ms", "api", "worker", "postgres", "× bare", "÷ commit")
_NAME_WIDTH = 40
_WIDTH = 9


_LONG = 1_000


@dataclass(frozen=True, slots=True)
class Bar:
    """What something must cost (design, section 14)."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it does."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "met" if self.met else "MISSED"
        return f"{self.what} {_shorten(self.measured)} {sign} {_shorten(self.limit)} {verdict}"


def _shorten(number: float) -> str:
    return f"{number:_.0f}" if number >= _LONG else f"{number:.3g}"


BARE_MS = 0.12
"""What a bare FastAPI endpoint took where the bars were set, in milliseconds of CPU."""


def scaled_bars(what: str, measured: float, limit: float, bare: float) -> list[Bar]:
    """Return the bar of ``what`` takes so many milliseconds, and the same as a multiple of the ``bare`` endpoint's CPU.

    The multiple is what can be compared between machines.
    """
    return [Bar(f"{what} ms", measured, limit), Bar(f"{what}, × bare", measured / bare, limit / BARE_MS)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    CPU is in milliseconds per operation, by process; ratios are to floors of the same run: CPU of the API to that of
    the bare endpoint, rate to that of one ORM commit each.
    """

    name: str
    rate: float | None = None
    p50: float | None = None
    p99: float | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    to_bare: float | None = None
    to_commit: float | None = None
    bars: Sequence[Bar] = ()
    note: str = ""


def measured_row(
    name: str,
    measured: Measured,
    *,
    bare: Measured | None = None,
    commit: Measured | None = None,
    bars: Sequence[Bar] = (),
    note: str = "",
) -> Row:
    """Return the row of ``measured`` with its ratios to the floors."""
    return Row(
        name=name,
        rate=measured.rate,
        p50=measured.latency_ms(50) if measured.latencies else None,
        p99=measured.latency_ms(99) if measured.latencies else None,
        cpu={process: measured.cpu_ms(process) for process in measured.cpu},
        to_bare=measured.cpu_ms("api") / bare.cpu_ms("api") if bare else None,
        to_commit=measured.rate / commit.rate if commit else None,
        bars=bars,
        note=note,
    )


def print_heading() -> None:
    """Print what the columns are."""
    print(f"{'':{_NAME_WIDTH}}{'':{3 * _WIDTH}}{'CPU ms per operation':^{3 * _WIDTH}}{'ratio to floor':^{2 * _WIDTH}}")
    print(f"{'':{_NAME_WIDTH}}" + "".join(f"{column:>{_WIDTH}}" for column in _COLUMNS))


def print_rows(title: str, rows: Iterable[Row]) -> None:
    """Print a part of the table."""
    print(f"\n{title}")
    for row in rows:
        numbers = (row.rate, row.p50, row.p99, *map(row.cpu.get, ("api", "worker", "postgres")))
        cells = "".join(f"{_short(number):>{_WIDTH}}" for number in (*numbers, row.to_bare, row.to_commit))
        print(f"  {row.name:{_NAME_WIDTH - 2}}{cells}".rstrip())
        for remark in (*map(str, row.bars), row.note):
            if remark:
                print(f"    · {remark}")


def write_json(path: Path, rows: Iterable[Row]) -> None:
    """Keep the table for a program to read."""
    document = {
        "machine": {
            "cores": psutil.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "rows": [asdict(row) | {"bars": [asdict(bar) | {"met": bar.met} for bar in row.bars]} for row in rows],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _short(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
