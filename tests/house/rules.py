"""The rules of the house that neither the linter nor the import contracts can hold.

A rule that is not checked drifts; so each is here, with the reason and what to do, and shown to catch in
`tests/unit/test_house_rules.py`. Words that are forbidden everywhere are written with a bracket (``x[y]z``), so that
a plain search for them does not end here.
"""

import ast
import re
from collections.abc import Iterator

from tests.house.source import Rule, Source, dotted

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
THE_COMMIT = "src/tocsin/repositories/unit_of_work.py"
THE_WAITING = "tests/waiting.py"
CONTROLLERS = "src/tocsin/controllers/"
SQL = ("src/tocsin/repositories/", "src/tocsin/models/", "src/tocsin/migrations/")

_OPEN_ENDS = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|NotImplemented[E]rror)\b")
_SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)\b")
_SUPPRESSION_WITH_REASON = re.compile(
    r"#\s*(noqa:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*\s+-\s+\S.{5,}|type:\s*ignore\[[a-z, -]+\]\s+#\s+\S.{5,})"
)
_ESCAPES = re.compile(r"(^|\.)(skip|skipif|importorskip|skipTest|x[f]ail)$")
_PATCHES = re.compile(r"(^|\.)mock(er)?\.(patch|spy|stub|[A-Za-z]*Mock)|^patch(\.|$)|^monkeypatch\.(set|del)attr$")
_VAGUE = {"base_utils", "common", "helper", "helpers", "lib", "misc", "shared", "util", "utils"}
_RESOURCES = re.compile(
    r"(^|\.)(create_engine|create_async_engine|sessionmaker|async_sessionmaker|Session|AsyncSession|ClientSession"
    r"|load_settings|[A-Za-z]*Settings|Redis|from_url)$"
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _commits(source: Source) -> Iterator[int]:
    if source.product and source.path != THE_COMMIT:
        yield from (node.lineno for node, name in source.calls() if name.endswith(".commit"))


def _http_exceptions(source: Source) -> Iterator[int]:
    if not source.product or source.within(CONTROLLERS):
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.ImportFrom(names=names, lineno=line) if any(alias.name == "HTTPException" for alias in names):
                yield line
            # The standard library's is what an HTTP client meets.
            case ast.Attribute(attr="HTTPException", lineno=line) if dotted(node) != "http.client.HTTPException":
                yield line


def _hidden_imports(source: Source) -> Iterator[int]:
    seen: set[int] = set()
    for function in ast.walk(source.tree):
        if isinstance(function, _FUNCTIONS):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno not in seen:
                    seen.add(node.lineno)
                    if node.lineno not in source.comments and not _reason_above(source, node.lineno):
                        yield node.lineno


def _reason_above(source: Source, line: int) -> bool:
    """One reason counts for all imports that follow each other without a gap."""
    above = source.lines[line - 2].strip()
    while above.startswith(("from ", "import ")):
        line -= 1
        above = source.lines[line - 2].strip()
    return above.startswith("#")


def _long_files(source: Source) -> Iterator[int]:
    if len(source.lines) > MAX_FILE_LINES:
        yield MAX_FILE_LINES + 1


def _long_functions(source: Source) -> Iterator[int]:
    if source.within("src/tocsin/migrations/versions/"):  # a table has as many columns as it has
        return
    for node in ast.walk(source.tree):
        if isinstance(node, _FUNCTIONS) and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES:
            yield node.lineno


def _open_ends(source: Source) -> Iterator[int]:
    yield from (number for number, line in enumerate(source.lines, 1) if _OPEN_ENDS.search(line))


def _silent_suppressions(source: Source) -> Iterator[int]:
    for line, comment in source.comments.items():
        if _SUPPRESSION.search(comment) and not _SUPPRESSION_WITH_REASON.search(comment):
            yield line


def _escapes(source: Source) -> Iterator[int]:
    if source.test:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute) and _ESCAPES.search(dotted(node)):
                yield node.lineno


def _patches(source: Source) -> Iterator[int]:
    if not source.test:
        return
    yield from (node.lineno for node, name in source.calls() if _PATCHES.search(name))
    for node in ast.walk(source.tree):
        match node:
            case ast.ImportFrom(module="unittest" | "unittest.mock", lineno=line):
                yield line
            case ast.Import(names=names, lineno=line) if any(alias.name == "unittest.mock" for alias in names):
                yield line


def _sleeps(source: Source) -> Iterator[int]:
    if not source.test or source.path == THE_WAITING:
        return
    for node, name in source.calls():
        lets_others_run = len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if name.rpartition(".")[2] == "sleep" and not lets_others_run:
            yield node.lineno


def _vague_names(source: Source) -> Iterator[int]:
    if any(part.removesuffix(".py") in _VAGUE for part in source.path.split("/")):
        yield 1


def _re_exports(source: Source) -> Iterator[int]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "__all__":
            yield node.lineno
    if not source.path.endswith("/__init__.py"):
        return
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    for node in source.tree.body:
        # A name imported as itself says "for others", whether it is used here or not.
        if isinstance(node, ast.ImportFrom) and any(
            alias.asname == alias.name or (alias.asname or alias.name) not in used for alias in node.names
        ):
            yield node.lineno


def _unwritten_locks(source: Source) -> Iterator[int]:
    for node, name in source.calls():
        words = {word.arg: word.value for word in node.keywords}
        unsaid = name.endswith(".with_for_update") and not {"key_share", "read"} & words.keys()
        short = words.get("with_for_update")
        if unsaid or (isinstance(short, ast.Constant) and short.value is True):
            yield node.lineno


def _stray_sql(source: Source) -> Iterator[int]:
    if not source.product or source.within(*SQL):
        return
    imported = any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("sqlalchemy")
        and any(alias.name == "text" for alias in node.names)
        for node in ast.walk(source.tree)
    )
    for node, name in source.calls():
        if (name == "text" and imported) or name in {"sa.text", "sqlalchemy.text"} or name.endswith(".exec_driver_sql"):
            yield node.lineno


def _globals(source: Source) -> Iterator[int]:
    if not source.product:
        return
    for node in source.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Call) and _RESOURCES.search(dotted(part.func)):
                    yield node.lineno


RULES = (
    Rule(
        "commit() outside the unit of work",
        _commits,
        "What is published after a commit, and the inbox's clock, hold only if there is one place that commits.",
        f"Open a unit of work and leave its block; {THE_COMMIT} commits and runs the hooks.",
    ),
    Rule(
        "HTTPException outside the controllers",
        _http_exceptions,
        "The worker and the command line meet the same failures, and there is no HTTP there.",
        "Raise a class of tocsin.errors; controllers/problems.py makes the response.",
    ),
    Rule(
        "An import hidden in a function",
        _hidden_imports,
        "It hides a cycle or a slow start from whoever reads the top of the file.",
        "Move it to the top, or say in a comment on its line or the one above why it must be here.",
    ),
    Rule(
        f"A file of more than {MAX_FILE_LINES} lines",
        _long_files,
        "A reader should see a module whole.",
        "Find the second thing that it does and give that a module with a name.",
    ),
    Rule(
        f"A function of more than {MAX_FUNCTION_LINES} lines",
        _long_functions,
        "It does several things, and no test can ask for one of them.",
        "Name its parts.",
    ),
    Rule(
        "Something left open",
        _open_ends,
        "Nobody comes back to it.",
        "Do it now, or write an issue and leave no mark here.",
    ),
    Rule(
        "A check switched off without a reason",
        _silent_suppressions,
        "The next reader cannot tell a decision from an accident.",
        "Write '# noqa: RULE - why' or '# type: ignore[code]  # why'; a matter of taste goes to pyproject.toml.",
    ),
    Rule(
        "A test that does not run",
        _escapes,
        "A suite that is green because it looked away proves nothing.",
        "Mend the test or remove it; what the machine lacks, .ci/run installs.",
    ),
    Rule(
        "Our own code patched in a test",
        _patches,
        "Such a test passes whatever the product does, and breaks when a name moves.",
        "Hand a fake in through bootstrap or a port; environment variables may be set.",
    ),
    Rule(
        "A sleep in a test",
        _sleeps,
        "It is too short on a busy machine and too long on every other.",
        f"Wait for what should happen with eventually() of {THE_WAITING}; where time itself is tested, elapse() of it.",
    ),
    Rule(
        "A module whose name says nothing",
        _vague_names,
        "It attracts whatever has no place.",
        "Name it after the one thing that it does.",
    ),
    Rule(
        "A name exported twice",
        _re_exports,
        "Then there are two ways to import it, and the import contracts see the wrong one.",
        "Import from the module that defines it; an __init__.py holds a docstring.",
    ),
    Rule(
        "A row lock that does not say how strong it is",
        _unwritten_locks,
        "The default, FOR UPDATE, blocks every insert that refers to the row by a foreign key.",
        "Write key_share=True (FOR NO KEY UPDATE), or key_share=False where the row is going to be deleted.",
    ),
    Rule(
        "SQL outside repositories, models and migrations",
        _stray_sql,
        "The lock order holds only if every statement can be found in one place.",
        "Add a method to a repository.",
    ),
    Rule(
        "A resource or settings made when a module is imported",
        _globals,
        "It belongs to no event loop, cannot be closed and reads the environment before anyone could set it.",
        "Make it in bootstrap.py and hand it down.",
    ),
)
