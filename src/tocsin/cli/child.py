"""One child process: how it is started, listened to, and ended."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from signal import SIGKILL, Signals
from typing import Any

from tocsin.embedded.process import Command

_LINE = 2**16


async def spawn(
    command: Command, environment: Mapping[str, str], *, separate: bool = False
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamReader]:
    """Start a process in a session of its own, out of reach of the terminal's Ctrl-C.

    Returns the process and what it writes to standard output and standard error, the same twice unless ``separate``.

    The pipes are ours and not asyncio's, whose ``wait`` may wait for them as well: a grandchild that has them
    would keep a dead part alive.
    """
    output, write_output = await _open_pipe()
    errors, write_errors = await _open_pipe() if separate else (output, os.dup(write_output))
    try:
        process = await asyncio.create_subprocess_exec(
            *command.launch_argv(),
            cwd=command.cwd,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_output,
            stderr=write_errors,
            start_new_session=True,
        )
    finally:
        os.close(write_output)
        os.close(write_errors)
    return process, output, errors


async def _open_pipe() -> tuple[asyncio.StreamReader, int]:
    read, write = os.pipe()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb", buffering=0)
    )
    return reader, write


async def pump(reader: asyncio.StreamReader, take: Callable[[str], None]) -> None:
    """Hand over line after line; one that has no end is cut."""
    pending = b""
    while chunk := await reader.read(_LINE):
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) >= _LINE:
            lines, pending = [*lines, pending], b""
        for line in lines:
            take(line.decode(errors="replace").rstrip("\r"))
    if pending:
        take(pending.decode(errors="replace"))


async def finish(pumping: Awaitable[object]) -> None:
    """Let the last words through. Whoever else holds the pipe after the death of the part is not waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await pumping


async def end(process: asyncio.subprocess.Process, command: Command, hurry: asyncio.Event) -> None:
    """End a process, and what is left of the session it was given."""
    for number, (signal, patience) in enumerate(command.escalation):
        polite = number == 0
        if process.returncode is None and not (polite and hurry.is_set()):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal)
            await _await_exit(process, patience, hurry if polite else None)
    # The number of a process group is not given away while the group has members, so this hits no stranger.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, SIGKILL)


async def _await_exit(process: asyncio.subprocess.Process, patience: float, hurry: asyncio.Event | None) -> None:
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(process.wait())]
    if hurry is not None:
        waits.append(asyncio.create_task(hurry.wait()))
    await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def describe(code: int) -> str:
    """Return how a process with this exit code ended, in words."""
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return Signals(-code).name
    return f"signal {-code}"
