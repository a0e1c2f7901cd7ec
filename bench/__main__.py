"""The command line: ``python -m bench [--quick | --full] [--json FILE] [NAME…]``."""

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench import analysing, creating, plan, reading, scaling, searching, starting, streaming
from bench.lab import Lab, open_lab
from bench.plan import Plan
from bench.report import Row, print_heading, print_rows, write_json
from tocsin.telemetry import configure_logging

Measure = Callable[[Lab, Plan], Awaitable[list[Row]]]

_PARTS: dict[str, tuple[str, Measure]] = {
    "create": ("Taking notifications in", creating.measure),
    "read": ("Reading, 32 connections, 10 000 rows", reading.measure),
    "search": ("Searching, 1 connection", searching.measure),
    "analysis": ("Analysing", analysing.measure),
    "stream": ("Live streams", streaming.measure),
    "scale": ("Size, 1 connection", scaling.measure),
    "start": ("Starting", starting.measure),
}


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what Tocsin costs.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="plan", action="store_const", const=plan.QUICK, help="a minute, and rough")
    size.add_argument("--full", dest="plan", action="store_const", const=plan.FULL, help="with 10 million rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table as JSON")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these parts: {', '.join(_PARTS)}")
    parser.set_defaults(plan=plan.DEFAULT)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(_PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}")
    return options


async def _measure_all(lab: Lab, plan: Plan, names: list[str]) -> list[Row]:
    print_heading()
    rows: list[Row] = []
    for name, (title, measure) in _PARTS.items():
        if not names or name in names:
            found = await measure(lab, plan)
            print_rows(title, found)
            rows += found
    lab.note_servers()
    memory = [Row(name, note=f"{size / 1e6:.0f} MB") for name, size in lab.memory.items()]
    print_rows("Memory after its part (shared pages are divided among those who share them)", memory)
    return [*rows, *memory]


def main() -> None:
    """Measure and print; whether a bar is met is told, never asserted."""
    options = _parse(sys.argv[1:])
    # The table is what is to be read here.
    configure_logging("console", "WARNING")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        # PostgreSQL must not be root, so that the folder is entered by somebody else.
        Path(folder).chmod(0o711)
        with open_lab(Path(folder)) as lab:
            rows = uvloop.run(_measure_all(lab, options.plan, options.names))
    if options.json:
        write_json(options.json, rows)
    bars = [bar for row in rows for bar in row.bars]
    print(f"\n{sum(bar.met for bar in bars)} of {len(bars)} bars met; took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
