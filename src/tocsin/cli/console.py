"""What several programs say, on one screen: each line with the name of who said it in front."""

import os
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from typing import TextIO

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 95)


class Console:
    """Writes prefixed lines to ``stream``, coloured by name if that is a terminal and ``NO_COLOR`` is not set."""

    def __init__(self, stream: TextIO, names: Sequence[str], environment: Mapping[str, str]) -> None:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # what parts say may not exist in the encoding of the terminal
        self._stream = stream
        self._width = max(map(len, names))
        coloured = stream.isatty() and not environment.get("NO_COLOR")
        self._colours = dict(zip(names, _COLOURS * len(names), strict=False)) if coloured else {}

    def say(self, name: str, line: str) -> None:
        """Write one line that ``name`` said."""
        prefix = f"{name:<{self._width}} |"
        if colour := self._colours.get(name):
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self.write(f"{prefix} {line}\n")

    def write(self, text: str) -> None:
        """Write ``text`` as it is. Nothing happens if nobody reads any more: that is no reason to stop working."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the other end of a pipe was closed, or a terminal
            # Else the interpreter tries again at its end, and complains.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
