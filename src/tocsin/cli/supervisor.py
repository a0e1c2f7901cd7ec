"""Keeps a set of child processes running, shows what they say, and ends them in order."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from tocsin.cli.child import describe, end, finish, pump, spawn
from tocsin.cli.console import Console
from tocsin.embedded.files import open_log
from tocsin.embedded.process import Command
from tocsin.errors import StartFailed

ANNOUNCER = "up"
"""The name under which lives and deaths of parts are told."""

_POLL = 0.025


@dataclass(frozen=True, slots=True)
class Part:
    """A program to keep running.

    ``ready`` is asked in a thread with the process id, may block for a second, and is left out where being alive is
    enough. A part with a ``log`` is a quiet one: what it says goes there, and lines with a word of ``alarms`` are
    shown once it was ready.
    """

    name: str
    command: Command
    environment: Mapping[str, str]
    ready: Callable[[int], bool] | None = None
    ready_within: float = 60
    first_starts: int = 1
    log: Path | None = None
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a part that died stays down, in seconds: doubling, forgiven after a long enough life."""

    first: float = 0.5
    longest: float = 30
    forgiven_after: float = 60


class Supervisor:
    """Runs parts until told to stop. All methods belong to one event loop in the main thread."""

    def __init__(
        self, console: Console, *, backoff: Backoff | None = None, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """``on_change`` is called whenever `pids` has changed."""
        self._console = console
        self._backoff = backoff or Backoff()
        self._on_change = on_change
        self._hurry = asyncio.Event()
        self._runners: dict[str, _Runner] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the parts that are alive, by name."""
        return {name: runner.pid for name, runner in self._runners.items() if runner.pid is not None}

    async def start(self, *parts: Part) -> None:
        """Start parts at the same time and wait until all are ready; from then on they are kept running.

        Raises:
            StartFailed: one of them died or was not ready in time.
        """
        runners = [_Runner(part, self._console, self._backoff, self._on_change, self._hurry) for part in parts]
        self._runners |= {runner.part.name: runner for runner in runners}
        waits = [asyncio.ensure_future(runner.start()) for runner in runners]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    async def run(self, part: Part, *, capture: bool = False) -> str:
        """Run a part to its end and return what it wrote to standard output, if that is to be captured.

        Raises:
            StartFailed: it ended with anything but success.
        """
        process, output, errors = await spawn(part.command, part.environment, separate=True)
        captured: list[str] = []
        keep = captured.append if capture else lambda line: self._console.say(part.name, line)
        pumps = asyncio.gather(pump(output, keep), pump(errors, lambda line: self._console.say(part.name, line)))
        try:
            code = await process.wait()
            await finish(pumps)
        finally:
            await end(process, part.command, self._hurry)
        if code != 0:
            raise StartFailed(f"{part.name} failed ({describe(code)})")
        return "\n".join(captured)

    async def stop(self, *groups: Iterable[str]) -> None:
        """End the named parts, one group after the other; within a group at the same time."""
        for group in groups:
            runners = [self._runners[name] for name in group if name in self._runners]
            await asyncio.gather(*(runner.stop() for runner in runners))

    def hurry(self) -> None:
        """Be done with politeness: what `stop` waits for, or will, is ended by force."""
        self._hurry.set()


class _Runner:
    """One part, its present process, and the task that starts it again."""

    def __init__(
        self, part: Part, console: Console, backoff: Backoff, on_change: Callable[[], None], hurry: asyncio.Event
    ) -> None:
        self.part = part
        self.pid: int | None = None
        self._console = console
        self._backoff = backoff
        self._on_change = on_change
        self._hurry = hurry
        self._ready = asyncio.Event()
        self._last_words: deque[str] = deque(maxlen=5)
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running())
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait((ready, self._task), timeout=self.part.ready_within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._task.done():
            await self._task
        if not self._ready.is_set():
            raise StartFailed(f"{self.part.name} was not ready after {self.part.ready_within:g} s")

    async def stop(self) -> None:
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_running(self) -> None:
        delay = self._backoff.first
        clock = asyncio.get_running_loop().time
        starts = 0
        while True:
            starts += 1
            born = clock()
            how = await self._live()
            if not self._ready.is_set() and starts >= self.part.first_starts:
                for line in self._last_words:
                    self._console.say(self.part.name, line)
                raise StartFailed(f"{self.part.name} died while starting ({how})")
            if clock() - born >= self._backoff.forgiven_after:
                delay = self._backoff.first
            self._announce(f"died ({how}), starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._backoff.longest)

    async def _live(self) -> str:
        """Run the process to its end, which is ours if we are cancelled, and tell how it ended."""
        try:
            with open_log(self.part.log) if self.part.log else contextlib.nullcontext() as log:
                process, output, _ = await spawn(self.part.command, self.part.environment)
                return describe(await self._accompany(process, output, log))
        except OSError as error:  # no more processes, files or disk: that passes
            return str(error)

    async def _accompany(
        self, process: asyncio.subprocess.Process, output: asyncio.StreamReader, log: FileIO | None
    ) -> int:
        listen = asyncio.create_task(pump(output, lambda line: self._take(line, log)))
        watch = asyncio.create_task(self._await_ready(process.pid))
        try:
            self._set_pid(process.pid)
            return await process.wait()
        finally:
            watch.cancel()
            await end(process, self.part.command, self._hurry)
            await finish(listen)
            self._set_pid(None)

    async def _await_ready(self, pid: int) -> None:
        again = self._ready.is_set()
        while self.part.ready is not None and not await asyncio.to_thread(self.part.ready, pid):  # noqa: ASYNC110 - another process is looked at
            await asyncio.sleep(_POLL)
        self._ready.set()
        if again:
            self._announce("is back")

    def _set_pid(self, pid: int | None) -> None:
        self.pid = pid
        self._on_change()

    def _take(self, line: str, log: FileIO | None) -> None:
        if log is not None:
            self._last_words.append(line)
            with contextlib.suppress(OSError):  # a full disk must not stop the pump, or the part would stop too
                log.write(line.encode() + b"\n")
        # A quiet part: before it is ready its last words are shown if it dies, and its farewells are no news.
        audible = self._ready.is_set() and not self._stopping and any(alarm in line for alarm in self.part.alarms)
        if log is None or audible:
            self._console.say(self.part.name, line)

    def _announce(self, event: str) -> None:
        self._console.say(ANNOUNCER, f"{self.part.name} {event}")
