"""Processes of the product, started as a user starts them, and all of them ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import until
from tocsin.embedded.process import Command

TOCSIN = Path(sys.executable).with_name("tocsin")

WITHIN = 60
"""Seconds within which whatever should happen must have: plenty, since other work may keep the machine busy."""

# Short times, so that a lost lease or ring costs a test two or three seconds and not thirty.
HASTE = {
    "TOCSIN_LOG__FORMAT": "json",
    "TOCSIN_WORKER__LEASE": "2",
    "TOCSIN_WORKER__RENEW_EVERY": "0.4",
    "TOCSIN_WORKER__MAINTAIN_EVERY": "0.4",
    "TOCSIN_WORKER__OVERDUE": "0.8",
    "TOCSIN_AI__RETRY_DELAY": "0.2",
    "TOCSIN_AI__BREAKER_COOLDOWN": "0.3",
    "TOCSIN_AI__BREAKER_COOLDOWN_MAX": "1",
}


def inherited() -> dict[str, str]:
    """Return the environment of a user who has configured nothing."""
    # Without its compiled files every start of a program would cost seconds more than it does.
    foreign = ("TOCSIN_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}


class Program:
    """One run of a ``tocsin`` command. It ends with the process that started it, whatever becomes of that."""

    def __init__(self, name: str, arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        command = Command((str(TOCSIN), *arguments), orphan_signal=signal.SIGTERM)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command.launch_argv(),
                env=inherited() | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        return self._log.read_text("utf-8", errors="replace")

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what its log tells of ``name``, oldest first."""
        return [event for event in _read_events(self.output) if event.get("event") == name]

    async def says(self, name: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until its log tells of ``name`` so many times."""
        return await until(lambda: self._living_events(name, times), WITHIN)

    async def ends(self, within: float = WITHIN) -> int:
        """Wait for its end and return the exit code."""
        await until(lambda: not self.is_running, within)
        return self._process.wait()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash or the kernel would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order, or else by force."""
        if self.is_running:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
        self.kill()

    def _living_events(self, name: str, times: int) -> list[dict[str, Any]]:
        found = self.events(name)
        if len(found) < times and not self.is_running:
            raise RuntimeError(f"{self.name} ended before it told of {name}:\n{self.output}")
        return found if len(found) >= times else []


def _read_events(output: str) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        # What `tocsin up` shows has the name of the part in front.
        with suppress(ValueError):
            yield json.loads(line[line.index("{") :])
