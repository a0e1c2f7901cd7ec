"""Child processes: started, stopped by their id, and what they and their children use."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tocsin.embedded.process import Command

ROOT = Path(__file__).parents[1]
_PATIENCE = 20


class Program:
    """A Python module run as a process of its own from enter to exit; it dies with us, however we end."""

    def __init__(self, name: str, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = Command(argv=(sys.executable, "-m", *arguments))
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command.launch_argv(),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check_alive(self) -> None:
        """Raise with its last words if it ended."""
        if self._process is not None and self._process.poll() is not None:
            last_words = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}:\n{last_words}")


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a Python module to its end and return what it wrote to standard output."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children.

    Those that ended count through the parent that waited for them, as PostgreSQL does for its backends.
    """
    total = 0.0
    for process in _tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_bytes(pid: int) -> int:
    """Return the memory of a process and its children; what several share is divided among them, where that is told."""
    total = 0
    for process in _tree(pid):
        try:
            total += _share(process)
        except psutil.NoSuchProcess:
            continue
    return total


def _share(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    return int(getattr(memory, "pss", 0) or memory.rss)


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]
