"""Notifications as lines of JSON."""

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import IO, Any, Final
from uuid import UUID

from tocsin.cli.sending import Template, make_title
from tocsin.client.models import Draft

MAX_LINE: Final = 2**20
_AHEAD: Final = 1_000
_FIELDS: Final = {"user_id": str, "title": str, "text": str, "source": str, "link": str, "data": dict}
_KEY: Final = "idempotency_key"
_KINDS: Final = {str: "a string", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Line(Draft):
    """What a line says, and its number in the file, from 1 on."""

    number: int = 0


class BadLine(ValueError):
    """This line is no notification."""


class Lines:
    """The notifications of a file. What is no notification is told to ``on_bad`` with its number, and passed over.

    Args:
        file: JSON objects, one a line, in UTF-8; empty lines are none.
        template: what it gives stands for what a line lacks.
        id_prefix: lines without an idempotency key of their own get ``PREFIX#NUMBER``.
        named: without a prefix they get a name made of what they say and of their number.
        on_bad: is told of bad lines.
    """

    def __init__(
        self,
        file: IO[bytes],
        template: Template,
        id_prefix: str | None,
        *,
        named: bool,
        on_bad: Callable[[int, str], None],
    ) -> None:
        self._file = file
        self._template = template
        self._id_prefix = id_prefix
        self._named = named
        self._on_bad = on_bad
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Line]:
        for number, raw in self._raw():
            if raw is None:
                self._on_bad(number, f"is longer than {MAX_LINE} bytes")
            elif raw.strip():
                try:
                    line = parse(raw, self._template, number)
                except BadLine as error:
                    self._on_bad(number, str(error))
                else:
                    yield self._name(line)

    async def follow(self) -> AsyncGenerator[Line, None]:
        """Yield the same as they come, of a file that somebody is still writing."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Line | OSError | None] = asyncio.Queue(_AHEAD)

        def hand_over(item: Line | OSError | None) -> bool:
            putting = queue.put(item)
            try:
                asyncio.run_coroutine_threadsafe(putting, loop).result()
            except (RuntimeError, CancelledError):  # the loop was closed: nobody wants the rest
                putting.close()
                return False
            return True

        def pump() -> None:
            try:
                if all(map(hand_over, self)):
                    hand_over(None)
            except OSError as error:
                hand_over(error)

        # A daemon, since nothing but the other end can wake whoever reads a pipe.
        threading.Thread(target=pump, daemon=True).start()
        while (line := await queue.get()) is not None:
            if isinstance(line, OSError):
                raise line
            yield line

    def _raw(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield lines by their numbers; None is one that is too long to be read."""
        number = 0
        while raw := self._file.readline(MAX_LINE + 1):
            number += 1
            self.bytes_read += len(raw)
            too_long = len(raw) > MAX_LINE
            while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                raw = self._file.readline(MAX_LINE + 1)
                self.bytes_read += len(raw)
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            yield number, None if too_long else raw

    def _name(self, line: Line) -> Line:
        if line.idempotency_key is not None:
            return line
        if self._id_prefix is not None:
            return replace(line, idempotency_key=f"{self._id_prefix}#{line.number}")
        if not self._named:
            return line
        said = json.dumps([str(line.user_id), line.title, line.text, line.source, line.link, line.data])
        return replace(line, idempotency_key=f"{hashlib.sha256(said.encode()).hexdigest()[:40]}#{line.number}")


def parse(raw: bytes, template: Template, number: int) -> Line:
    """Return what a line says; its limits are the service's to judge.

    Raises:
        BadLine: it is no JSON object with the members of a notification.
    """
    try:
        members = json.loads(raw.decode())
    except UnicodeDecodeError:
        raise BadLine("is not UTF-8") from None
    except (ValueError, RecursionError):
        raise BadLine("is not JSON") from None
    if not isinstance(members, dict):
        raise BadLine("is not a JSON object")
    _check(members)
    text = members.get("text") or ""
    if not text:
        raise BadLine("has no 'text'")
    given = {name: value for name, value in members.items() if value is not None}
    return Line(
        user_id=given.get("user_id", template.user_id),
        title=given.get("title", template.title or make_title(text)),
        text=text,
        source=given.get("source", template.source),
        link=given.get("link", template.link),
        data=given.get("data", template.data),
        idempotency_key=given.get(_KEY),
        number=number,
    )


def _check(members: dict[str, Any]) -> None:
    for name, value in members.items():
        kind = str if name == _KEY else _FIELDS.get(name)
        if kind is None:
            raise BadLine(f"has the unknown member '{name[:40]}'")
        if value is not None and not isinstance(value, kind):
            raise BadLine(f"has a '{name}' that is not {_KINDS[kind]}")
    try:
        UUID(members.get("user_id") or "0" * 32)
    except ValueError:
        raise BadLine("has a 'user_id' that is no UUID") from None
