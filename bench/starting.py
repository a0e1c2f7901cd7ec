"""How long `tocsin up` takes, from the command to the first accepted notification."""

import asyncio
import time
from pathlib import Path

from bench import rows
from bench.bare import measure_bare
from bench.lab import Lab
from bench.load import HOST, WrongAnswer, ask, build_request
from bench.plan import Plan
from bench.processes import Program, cpu_seconds
from bench.report import Row, scaled_bars
from tocsin.embedded.ports import find_free_port

_WITHIN = 120.0
_POLL = 0.01
_DRAFT = {"user_id": rows.user_id(0), "title": "First", "text": "The first one."}


async def measure(lab: Lab, plan: Plan) -> list[Row]:
    """Start it on an empty folder, stop it, and start it again."""
    folder = lab.folder / "up"
    bare = await measure_bare(lab, plan)
    first, first_cpu = await _start(lab, folder)
    second, second_cpu = await _start(lab, folder)
    return [
        Row("first start of `tocsin up`", note=f"{first:.1f} s, {first_cpu:.1f} s of CPU"),
        Row(
            "second start",
            bars=scaled_bars("start", second * 1000, 5_000, bare),
            note=f"{second_cpu:.1f} s of CPU, all processes together",
        ),
    ]


async def _start(lab: Lab, folder: Path) -> tuple[float, float]:
    port = find_free_port(HOST)
    key_file = folder / "service-key"
    options = ("--port", str(port), "--data-dir", str(folder))
    began = time.perf_counter()
    with Program("up", "tocsin", "up", *options, environment={}, log=lab.folder / "up.log") as program:
        deadline = began + _WITHIN
        while time.perf_counter() < deadline:
            program.check_alive()
            try:
                key = key_file.read_text(encoding="utf-8").strip()
                await ask(port, build_request("POST", "/api/v1/notifications", key, _DRAFT), status=201)
                return time.perf_counter() - began, cpu_seconds(program.pid)
            except (OSError, WrongAnswer):
                await asyncio.sleep(_POLL)
    raise TimeoutError(f"`tocsin up` took no notification within {_WITHIN:g} s")
