"""The commands for people, and the programs in README.md, against a running Tocsin."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.e2e.api import new_user
from tests.e2e.documents import programs, with_settings, write
from tests.e2e.up import Up
from tests.fixtures.commands import Terminal, environment, tocsin
from tests.house.source import ROOT

pytestmark = pytest.mark.timeout(180)

_SHELL = re.compile(r"<!-- shell -->(.*)<!-- /shell -->", re.DOTALL)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def run(*command: str, cwd: Path, **variables: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environment(variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, complaints = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, f"{output}\n{complaints}"
    return output


async def test_the_shell_of_the_readme_does_what_it_says(up: Up, tmp_path: Path) -> None:
    found = _SHELL.search((ROOT / "README.md").read_text("utf-8"))
    assert found
    blocks = _BLOCK.findall(found[1])
    script = "".join(text for language, text in blocks if language == "sh")
    (shown,) = (text for language, text in blocks if language == "text")
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / ".data").symlink_to(up.data_dir)

    output = await run("bash", "-euo", "pipefail", "-c", script, cwd=tmp_path, TOCSIN_USER=new_user())

    verdict, disks, worst, *_, count = output.splitlines()
    assert len(re.split(r"\s{2,}", shown.strip())) == len(verdict.split("\t")) == 8
    assert verdict.split("\t")[2:7:2] == ["critical", "unread", "Backup failed: disk full"]
    assert worst == verdict
    assert re.fullmatch(r"[0-9a-f-]{36}", disks)
    assert count == "3"
    assert left_in(tmp_path) == [".data", ".venv"]


async def test_the_program_of_the_readme_does_what_it_says(up: Up, tmp_path: Path) -> None:
    (program,) = programs("README.md")
    ready = with_settings(program, URL=up.status["url"], KEY=up.status["service_key"], USER=new_user())

    output = await run(sys.executable, "-W", "error", str(write(ready, tmp_path)), cwd=tmp_path)

    verdict, *_, last = output.splitlines()
    assert verdict.startswith("critical 0.")
    assert last == "Payment failed is completed"


async def test_a_demo_fills_an_inbox_that_somebody_watches(up: Up, http: httpx2.AsyncClient) -> None:
    user = new_user()
    here = {"TOCSIN_USER": user, "TOCSIN_URL": up.status["url"], "TOCSIN_KEY": up.status["service_key"]}
    with Terminal("watch", variables=here) as terminal:
        await asyncio.to_thread(terminal.shows, "● live")
        done = await asyncio.to_thread(tocsin, "demo", "--over", 0, variables=here)
        assert (done.returncode, done.stderr) == (0, "")
        items = await up.api(http).all_completed(user, 56)
        await asyncio.to_thread(terminal.shows, "Good night")

    read = [item for item in items if item["read_at"]]
    assert 15 < len(read) < 35
    assert {item["category"] for item in read} == {"info"}
    for item in items:
        assert any(item["title"][:30] in line for line in terminal.lines), item["title"]


async def test_who_watches_misses_nothing_when_the_api_dies(up: Up) -> None:
    user = new_user()
    here = {"TOCSIN_USER": user, "TOCSIN_URL": up.status["url"], "TOCSIN_KEY": up.status["service_key"]}
    with Terminal("watch", variables=here) as terminal:
        await asyncio.to_thread(terminal.shows, "● live")
        up.kill_part("api")
        await asyncio.to_thread(terminal.shows, "○ disconnected")
        done = await asyncio.to_thread(tocsin, "send", "careful, it was gone", "--wait", variables=here)
        assert done.returncode == 0, done.stderr
        await asyncio.to_thread(terminal.shows, "careful, it was gone")
        assert sum("careful, it was gone" in line for line in terminal.lines) == 1
