"""How ``tocsin send --file`` sends a notification a line."""

import os
import stat
import sys
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Final

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tocsin.cli.calling import ExitCode, complain, run
from tocsin.cli.connection import Connection
from tocsin.cli.lines import Line, Lines
from tocsin.cli.looks import clean, clean_json
from tocsin.cli.screen import make_console, write
from tocsin.cli.sending import Template
from tocsin.client import TocsinClient
from tocsin.client.batches import Refusal
from tocsin.client.models import Created
from tocsin.client.retries import RetryPolicy
from tocsin.errors import ConfigurationError

_STDIN: Final = Path("-")
_TOLD: Final = 100
# Who sends a file wants it sent, and need not sit and wait for it.
_POLICY: Final = RetryPolicy(deadline=120, attempt=30)


def send_file(connection: Connection, template: Template, path: Path, id_prefix: str | None, *, as_json: bool) -> None:
    """Send a notification a line of ``path``, and tell of each line that is none.

    Raises:
        ConfigurationError: the file cannot be read.
        typer.Exit: some lines were refused, or what `run` raises.
    """
    file = _open(path)
    state = os.fstat(file.fileno())
    is_whole = stat.S_ISREG(state.st_mode)
    sending = _Sending(path, as_json=as_json)
    lines = Lines(file, template, id_prefix, named=is_whole and path != _STDIN, on_bad=sending.refuse)
    source: Iterable[Line] | AsyncIterable[Line] = lines if is_whole else lines.follow()

    async def use(client: TocsinClient) -> None:
        # A pipe is not closed: that would wait for the thread that reads it.
        with file if is_whole else nullcontext(), sending.shown(lines, state.st_size if is_whole else None):
            async for created in client.create_many(source, on_refused=sending.on_refused):
                sending.count(created)

    try:
        run(connection, _POLICY, use)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    finally:
        sending.sum_up()
    if sending.refused:
        raise typer.Exit(ExitCode.NOT_ALL)


class _Sending:
    """What became of the lines, counted and shown."""

    def __init__(self, path: Path, *, as_json: bool) -> None:
        self._name = "standard input" if path == _STDIN else str(path)
        self._as_json = as_json
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._lines: Lines | None = None
        self.made = 0
        self.replayed = 0
        self.refused = 0

    @contextmanager
    def shown(self, lines: Lines, size: int | None) -> Iterator[None]:
        """Show a progress bar on standard error, if that is a terminal and nothing else goes there."""
        if self._as_json or not sys.stderr.isatty():
            yield
            return
        columns = (BarColumn(), TextColumn("{task.fields[made]} sent"), TimeElapsedColumn())
        with Progress(*columns, console=make_console(stderr=True), transient=True) as self._progress:
            self._lines = lines
            self._task = self._progress.add_task("", total=size, made=0)
            yield

    def count(self, created: Created) -> None:
        if created.replayed:
            self.replayed += 1
        else:
            self.made += 1
        if self._as_json:
            write(clean_json(created.model_dump_json()))
        elif self._progress is not None and self._lines is not None:
            self._progress.update(self._task, completed=self._lines.bytes_read, made=self.made)

    def on_refused(self, refusal: Refusal) -> None:
        number = refusal.draft.number if isinstance(refusal.draft, Line) else refusal.index
        self.refuse(number, "; ".join(f"{error.pointer.lstrip('/')} {error.detail}" for error in refusal.errors))

    def refuse(self, number: int, why: str) -> None:
        self.refused += 1
        if self.refused <= _TOLD:
            complain(f"{self._name}:{number}: {clean(why)}")
        elif self.refused == _TOLD + 1:
            complain("further refused lines are only counted")

    def sum_up(self) -> None:
        parts = [f"{self.made} sent"]
        if self.replayed:
            parts.append(f"{self.replayed} had been sent before")
        if self.refused:
            parts.append(f"{self.refused} refused")
        typer.echo(", ".join(parts), err=True)


def _open(path: Path) -> IO[bytes]:
    try:
        # Not sys.stdin: a thread that still reads from it when the program ends would be an error of the interpreter.
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb") if path == _STDIN else path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
