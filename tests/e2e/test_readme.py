"""The walk in README.md, word for word, against a running Tocsin."""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.e2e.up import Up
from tests.house.source import ROOT

_WALK = re.compile(r"<!-- walk -->(.*)<!-- /walk -->", re.DOTALL)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SETTING = re.compile(r"^(URL|KEY)=.*$", re.MULTILINE)
_END_OF_STEP = "\x1e"


@dataclass
class Step:
    """Commands, and what the README says they answer: JSON of which fields may be left out, or exactly a text."""

    commands: str
    shown_as: str = ""
    shown: str = ""


def walk() -> list[Step]:
    found = _WALK.search((ROOT / "README.md").read_text("utf-8"))
    assert found
    steps: list[Step] = []
    for language, text in _BLOCK.findall(found[1]):
        if language == "sh":
            steps.append(Step(text))
        else:
            assert not steps[-1].shown, text
            steps[-1].shown_as, steps[-1].shown = language, text
    return steps


def assert_is_part(shown: object, real: object, where: str) -> None:
    """Hold what is shown to have the form of what came; values differ from run to run, but not words of ours."""
    assert type(shown) is type(real), f"{where}: shown {shown!r}, came {real!r}"
    if isinstance(shown, dict) and isinstance(real, dict):
        for name, value in shown.items():
            assert name in real, f"{where}: {name} is shown, but did not come"
            assert_is_part(value, real[name], f"{where}/{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        assert len(shown) <= len(real), where
        for number, (one, other) in enumerate(zip(shown, real, strict=False)):
            assert_is_part(one, other, f"{where}/{number}")
    elif where.rpartition("/")[2] in ("title", "processing_status", "category", "code", "status", "changed", "reset"):
        assert shown == real, where


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def counted(http: httpx2.AsyncClient, url: str) -> dict[tuple[str, str], float]:
    """Return how many requests the API has answered well, by method and route."""
    sample = re.compile(r'tocsin_http_requests_total{method="(\w+)",route="([^"]+)",status="[23]\d\d"} ([\d.]+)')
    totals: dict[tuple[str, str], float] = {}
    for method, route, count in sample.findall((await http.get(f"{url}/metrics")).text):
        totals[method, route] = totals.get((method, route), 0) + float(count)
    return totals


async def test_the_walk_does_what_it_says(up: Up, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    url, key = up.status["url"], up.status["service_key"]
    steps = walk()
    script = f"printf '{_END_OF_STEP}'\n".join(step.commands for step in steps)
    (script, replaced) = _SETTING.subn(lambda line: f"{line[1]}='{url if line[1] == 'URL' else key}'", script)
    assert replaced == 2
    before = await counted(http, url)

    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaints = (text.decode() for text in await shell.communicate())

    assert shell.returncode == 0, f"{output}\n{complaints}"
    answers = output.split(_END_OF_STEP)
    for step, answer in zip(steps, answers, strict=True):
        if step.shown_as == "json":
            assert_is_part(json.loads(step.shown), json.loads(answer.strip()), step.commands)
        elif step.shown_as:
            assert answer.strip() == step.shown.strip(), step.commands
    assert left_in(tmp_path) == [], "it removes what it made"

    after = await counted(http, url)
    called = {call for call, count in after.items() if count > before.get(call, 0)}
    document = (await http.get(f"{url}/openapi.json")).json()
    promised = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert promised - called == set(), "every call of the API has its place in the walk"
