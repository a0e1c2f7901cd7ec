"""What the house rules look at: a file of the project, parsed once."""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "bench")


@dataclass(frozen=True)
class Source:
    """One file. ``path`` is relative to the root of the project, with forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def comments(self) -> dict[int, str]:
        """Comments by line; a ``#`` inside a string is none."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}

    @property
    def product(self) -> bool:
        return self.path.startswith("src/")

    @property
    def test(self) -> bool:
        return self.path.startswith("tests/")

    def within(self, *places: str) -> bool:
        """Tell whether the file is one of ``places``: files, or folders with a slash at the end."""
        return any(self.path.startswith(place) if place.endswith("/") else self.path == place for place in places)

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Yield every call with its dotted name; what is called on an expression starts with a dot."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, dotted(node.func)


@dataclass(frozen=True)
class Rule:
    """A rule of the house. ``find`` yields the lines where a file breaks it; what to do is said with why."""

    name: str
    find: Callable[[Source], Iterator[int]]
    why: str
    instead: str

    def offences(self, source: Source) -> list[str]:
        return [f"{source.path}:{line}: {self.name}. {self.why} {self.instead}" for line in self.find(source)]


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for names and attributes; anything else is an empty part."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case _:
            return ""


def project() -> list[Source]:
    """Return every Python file of the project."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]
