"""ES modules as they are served: a module and all that it imports in one file, without what only a reader needs.

The modules work as they are; joined, a page asks once and not twenty times, and gets half the bytes. What makes it
safe to put them one after the other is held by the house rules: a name at the top of a module is its own in all of
the folder, and imports and exports have one form.
"""

import re
from collections import Counter
from collections.abc import Callable
from string import ascii_letters, digits
from typing import Final

import rjsmin

IMPORT: Final = re.compile(r'^import \{[\w\s,]+\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT: Final = re.compile(r"^export (?=(?:async function|class|const|function) )", re.MULTILINE)
# What ends a line before a bracket, and what groups digits, is for readers; what does not change may be variable, too.
_NEEDLESS: Final = re.compile(r"[,;](?=\n\s*[)\]}])|(?<=\d)_(?=\d)")
_CONST: Final = re.compile(r"^(\s*)const ", re.MULTILINE)
_CSS: Final = re.compile(r"replaceSync\(`[^`]+`\)")
_CSS_SPACE: Final = re.compile(r";?\s*(?=\})|\s*\n\s*|(?<=[{:;,>]) | (?=[{>])")
_PRIVATE: Final = re.compile(r"""(?<!["'`])#[a-zA-Z]\w*""")
_OWN: Final = re.compile(rf"(?<=\bthis\.){_PRIVATE.pattern}")
_CAPITAL: Final = re.compile(r"^(?:/\*\*.*\*/ )?(?:export )?(?:class|const) ([A-Z]\w+)", re.MULTILINE)
_NAMES: Final = re.compile(r'(?<![\w$.])[A-Z]\w+|"[^"\n]*"')


def joined(entry: str, read: Callable[[str], str]) -> str:
    """Return ``entry`` with all modules that it needs before it; ``read`` gives the text of a module by its name."""
    parts: dict[str, str] = {}
    _visit(entry, read, parts)
    text = _CONST.sub(r"\1let ", _NEEDLESS.sub("", _abbreviated("\n".join(parts.values()))))
    text = str(rjsmin.jsmin(_CSS.sub(_tightened, text)))
    # A line break that rjsmin leaves might end a statement; the formatter ends them all with a semicolon.
    return text.replace("}\n", "}")


def _visit(name: str, read: Callable[[str], str], parts: dict[str, str]) -> None:
    if name in parts:
        return
    text = read(name)
    for needed in IMPORT.findall(text):
        _visit(needed, read, parts)
    parts[name] = _shortened(EXPORT.sub("", IMPORT.sub("", text)))


def _shortened(module: str) -> str:
    """Give the private names of a module (ECMA-262, PrivateIdentifier), which nobody else can use, one letter each."""
    used = Counter(_OWN.findall(module)).most_common(len(ascii_letters))
    short = {name: f"#{letter}" for (name, _), letter in zip(used, ascii_letters, strict=False)}
    return _PRIVATE.sub(lambda found: short.get(found[0], found[0]), module)


def _abbreviated(text: str) -> str:
    """Give classes and constants, whose names alone begin with a capital, one sign each after a ``$``, as none has."""
    known = {name: f"${sign}" for name, sign in zip(_CAPITAL.findall(text), ascii_letters + digits, strict=False)}
    return _NAMES.sub(lambda found: known.get(found[0], found[0]), text)


def _tightened(css: re.Match[str]) -> str:
    return _CSS_SPACE.sub("", css[0])
