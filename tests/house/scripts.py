"""The rules of the house for the modules that run in browsers; shown to catch in `tests/unit/test_script_rules.py`."""

import re
from collections.abc import Callable, Iterator

from tests.house.rules import MAX_FILE_LINES
from tests.house.source import ROOT, Rule, Source
from tocsin.controllers.scripts import EXPORT, IMPORT

FOLDER = ROOT / "src" / "tocsin" / "web"

_MARKUP = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTML\w*|document\.write\w*|createContextualFragment|DOMParser"
    r"|srcdoc|eval|Function)\b"
)
_TALK = re.compile(r"\bconsole\.|\bdebugger\b|\balert\(")
_SUPPRESSION = re.compile(r"@ts-(ignore|expect-error|nocheck)|deno-(lint|fmt)-ignore")
_OPEN_END = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X)\b")
_ELSEWHERE = re.compile(r"""["'`](https?:)?//(?!www\.w3\.org/2000/svg")\w""")
_TOP = re.compile(r"^(?:/\*\*.*\*/ )?(?:export )?(?:const|let|var|class|function|async function) (\w+)", re.MULTILINE)
_EXCHANGE = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def scripts() -> list[Source]:
    """Return every module of the inbox and its page."""
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.js"))]


def top_names(source: Source) -> list[str]:
    """Return the names that a module declares outside of functions."""
    return _TOP.findall(source.text)


def _lines_with(pattern: re.Pattern[str]) -> Callable[[Source], Iterator[int]]:
    return lambda source: (number for number, line in enumerate(source.lines, 1) if pattern.search(line))


def _long(source: Source) -> Iterator[int]:
    if len(source.lines) > MAX_FILE_LINES:
        yield MAX_FILE_LINES + 1


def _unjoinable(source: Source) -> Iterator[int]:
    """Find what would still be there after the module was joined with others."""

    def blank(found: re.Match[str]) -> str:
        return found[0] if re.search(r"\bas\b", found[0]) else "\n" * found[0].count("\n")

    left = EXPORT.sub("", IMPORT.sub(blank, source.text))
    for number, line in enumerate(left.splitlines(), 1):
        if _EXCHANGE.match(line) or re.search(r"(?<!@)\bimport\(\"?\.", line.partition("/**")[0].partition("*")[0]):
            yield number


RULES = (
    Rule(
        "A script of too many lines",
        _long,
        "A reader should see a module whole.",
        "Find the second thing that it does and give that a module with a name.",
    ),
    Rule(
        "Text that becomes markup or code",
        _lines_with(_MARKUP),
        "What a stranger wrote into a notification would run with the reader's token.",
        "Make elements with h() of dom.js; what it is given becomes text.",
    ),
    Rule(
        "Talk on the console",
        _lines_with(_TALK),
        "No reader looks there, and it tells what is in the inbox to whoever does.",
        "Show it as a toast, or throw an error.",
    ),
    Rule(
        "A check switched off in a script",
        _lines_with(_SUPPRESSION),
        "The types are the only test of many a path.",
        "Say what the type is: /** @type {T} */ (value).",
    ),
    Rule(
        "Something left open in a script",
        _lines_with(_OPEN_END),
        "Nobody comes back to it.",
        "Do it now.",
    ),
    Rule(
        "Something from elsewhere",
        _lines_with(_ELSEWHERE),
        "The inbox works without the internet, in a sub-path of any host, and under a strict policy.",
        "Put it into src/tocsin/web, and build its address from import.meta.url.",
    ),
    Rule(
        "An import or export of another form",
        _unjoinable,
        "Modules are served joined to one (controllers/scripts.py), which knows but one form of each.",
        'Write import { name } from "./module.js"; and export before const, class or function.',
    ),
)
