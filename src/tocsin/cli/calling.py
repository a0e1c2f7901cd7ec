"""One run of a command that calls the API, and how it ends: quietly, or with one line and an exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn, TypeVar

import typer

from tocsin.cli.connection import Connection
from tocsin.cli.screen import OutputLostError
from tocsin.client import TocsinClient
from tocsin.client.errors import ClientError, Problem, StreamRefused
from tocsin.client.retries import RetryPolicy
from tocsin.errors import ConfigurationError

_Result = TypeVar("_Result")


class ExitCode(IntEnum):
    """How a command ended; docs/cli.md tells them to users."""

    DONE = 0
    NOT_ALL = 1
    INPUT = 2
    ACCESS = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5
    TIME_OVER = 6
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143


def run(connection: Connection, policy: RetryPolicy, use: Callable[[TocsinClient], Awaitable[_Result]]) -> _Result:
    """Return what ``use`` returns; whatever else happens ends the program.

    Raises:
        typer.Exit: with an `ExitCode`, after one line on standard error where there is something to say.
    """
    told: list[str] = []

    def tell(error: ClientError, _: float) -> None:
        if error.detail not in told:
            told.append(error.detail)
            complain(f"{error.detail}; trying again")

    for stream in (sys.stdout, sys.stderr):
        # What somebody wrote may not exist in the encoding of the terminal.
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a stream put in place may lack it
    try:
        client = TocsinClient(connection.url, connection.key, policy=policy, on_retry=tell)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    try:
        return asyncio.run(_run(client, use))
    except (ClientError, TimeoutError) as error:
        _fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(ExitCode.TERMINATED) from None
    except OutputLostError as error:
        _forget_output()
        if isinstance(error.__cause__, BrokenPipeError):
            raise typer.Exit(ExitCode.READER_GONE) from None
        complain(f"cannot write to standard output: {error}")
        raise typer.Exit(ExitCode.UNAVAILABLE) from None


def complain(text: str) -> None:
    """Say something on standard error."""
    typer.echo(f"tocsin: {text}", err=True)


async def _run(client: TocsinClient, use: Callable[[TocsinClient], Awaitable[_Result]]) -> _Result:
    # Not the end at once: who shows something on the terminal wants to put it in order.
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task is not None and signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with client:
        return await use(client)


def _fail(error: Exception) -> NoReturn:
    complain(str(error))
    raise typer.Exit(_exit_code(error)) from None


def _exit_code(error: Exception) -> ExitCode:
    match error:
        case Problem(status=401 | 403) | StreamRefused(code=401 | 403 | 4003 | 4500 | 4502):
            return ExitCode.ACCESS
        case Problem(status=404) | StreamRefused(code=404 | 4501):
            return ExitCode.NOT_FOUND
        case Problem(retryable=False) | StreamRefused():
            return ExitCode.INPUT
        case ClientError():
            return ExitCode.UNAVAILABLE
        case _:
            return ExitCode.TIME_OVER


def _forget_output() -> None:
    """Have what is left to write go nowhere; else the interpreter tries again at its end, and complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
