"""The modules that run in browsers keep the rules of the house, and each rule catches what it is there for."""

from collections import Counter

import pytest

from tests.house.rules import MAX_FILE_LINES
from tests.house.scripts import RULES, scripts, top_names
from tests.house.source import Rule, Source

# Rule, what a module may not hold, and the nearest thing that it may.
SAMPLES = [
    ("A script of too many", "x;\n" * (MAX_FILE_LINES + 1), "x;\n" * MAX_FILE_LINES),
    ("Text that becomes", "element.innerHTML = title;", "element.textContent = title;"),
    ("Text that becomes", "new Function(text)();", "function run() {}"),
    ("Text that becomes", "document.writeln(title);", "address.write(query);"),
    ("Talk on the console", "console.log(token);", "consoles(token);"),
    ("A check switched off", "// @ts-ignore", "/** @type {Node} */ (value);"),
    ("Something left open", "// TO" + "DO: mend", "// a todo list"),
    ("Something from elsewhere", 'fetch("https://example.com/x");', 'const SVG = "http://www.w3.org/2000/svg";'),
    ("Something from elsewhere", 'src = "//cdn.example.com/x.js";', 'src = "./x.js"; // why'),
    ("An import or export", 'import * as dom from "./dom.js";', 'import { h } from "./dom.js";\n'),
    ("An import or export", 'import { h as make } from "dom";', 'import {\n  fill,\n  h,\n} from "./dom.js";\n'),
    ("An import or export", 'import { h as make } from "./dom.js";\n', 'import { h, fill } from "./dom.js";\n'),
    ("An import or export", "export default class A {}", "export class A {}"),
    ("An import or export", "export { a };", "export const a = 1;"),
    ("An import or export", 'const x = await import("./x.js");', '/** @type {import("./x.js").X} */\nlet x;'),
]


def rule(name: str) -> Rule:
    (found,) = [rule for rule in RULES if rule.name.startswith(name)]
    return found


@pytest.mark.parametrize("source", scripts(), ids=lambda source: source.path.rpartition("/")[2])
def test_a_module_keeps_the_rules(source: Source) -> None:
    assert [offence for rule in RULES for offence in rule.offences(source)] == []


@pytest.mark.parametrize(("name", "wrong", "right"), SAMPLES)
def test_a_rule_catches_what_it_is_for(name: str, wrong: str, right: str) -> None:
    assert rule(name).offences(Source("src/tocsin/web/x.js", wrong))
    assert rule(name).offences(Source("src/tocsin/web/x.js", right)) == []


def test_no_two_modules_declare_the_same_name_at_their_top() -> None:
    """Else they could not be served joined to one."""
    names = Counter(name for source in scripts() for name in top_names(source))

    assert len(names) > 50
    assert [name for name, count in names.items() if count > 1] == []
