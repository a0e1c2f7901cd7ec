"""``tocsin mock-ai`` as a process."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

COMMAND = (sys.executable, "-c", "from tocsin.cli import app; app()", "mock-ai")
PATIENCE = 20


@asynccontextmanager
async def started(*options: str, **environment: str) -> AsyncIterator[tuple[Process, str]]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("The mock AI listens on http://"), line
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


async def test_serves_on_a_free_port() -> None:
    async with started("--port", "0", "--delay", "0", "0") as (_, url), aiohttp.ClientSession() as session:
        answer = await (await session.post(f"{url}/analyze", json={"text": "it failed"})).json()

    assert answer["category"] == "critical"


async def test_options_win_over_the_environment() -> None:
    environment = {"TOCSIN_MOCK_AI__DELAY_MAX": "9", "TOCSIN_MOCK_AI__ERROR_RATE": "0.25", "TOCSIN_MOCK_AI__PORT": "1"}
    async with (
        started("--port", "0", "--delay", "0.5", "1.5", **environment) as (_, url),
        aiohttp.ClientSession() as session,
    ):
        knobs = await (await session.get(f"{url}/knobs")).json()

    assert (knobs["delay_min"], knobs["delay_max"], knobs["error_rate"]) == (0.5, 1.5, 0.25)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_at_once_even_while_calls_hang(number: signal.Signals) -> None:
    async with (
        started("--port", "0", TOCSIN_MOCK_AI__HANG_RATE="1") as (process, url),
        aiohttp.ClientSession() as session,
    ):
        call = asyncio.create_task(session.post(f"{url}/analyze", json={"text": "x"}))
        while (await (await session.get(f"{url}/calls")).json())["in_the_air"] == 0:
            pass
        process.send_signal(number)
        async with asyncio.timeout(2):
            assert await process.wait() == 0
            with pytest.raises(aiohttp.ClientError):
                await call
        assert process.stderr
        assert await process.stderr.read() == b""


async def test_a_port_that_is_taken_is_one_clear_line() -> None:
    async with started("--port", "0") as (_, url):
        port = url.rpartition(":")[2]
        second = await asyncio.to_thread(run, "--port", port)

    assert second.returncode == 2
    assert second.stderr == f"tocsin mock-ai: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert second.stdout == ""


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        (["--delay", "3", "1"], {}, "delay_max must be finite and at least delay_min"),
        (["--delay", "-3", "1"], {}, "delay_min: Input should be greater than or equal to 0"),
        (
            [],
            {"TOCSIN_MOCK_AI__ERROR_RATE": "2"},
            "TOCSIN_MOCK_AI__ERROR_RATE: Input should be less than or equal to 1",
        ),
        (["--host", "no-such-host.invalid"], {}, "cannot listen on no-such-host.invalid:8001: no such host"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(options: list[str], environment: dict[str, str], words: str) -> None:
    refused = run(*options, **environment)

    assert refused.returncode == 2
    assert refused.stderr == f"tocsin mock-ai: {words}\n"
