"""Standard output, as a terminal or as a pipe."""

import sys
from typing import Final

from rich.console import Console

_SMALLEST: Final = 40


def is_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that shows texts as they are; colours are left to NO_COLOR and to what the terminal can."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    # Nothing is readable in a window of ten columns, and one that says 0 does not know.
    is_narrow = console.width < _SMALLEST
    if is_narrow:  # else it is left alone, since a width that was set no longer follows the window
        console.width = _SMALLEST
    return console


class OutputLostError(Exception):
    """Standard output takes no more; the cause says why."""


def write(line: str) -> None:
    """Write one line for another program, at once.

    Raises:
        OutputLostError: nobody reads it, or it cannot be kept.
    """
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        raise OutputLostError(error.strerror) from error
