"""The project keeps the rules of the house, and each rule catches what it is there for."""

import pytest

from tests.house.rules import MAX_FILE_LINES, MAX_FUNCTION_LINES, RULES, THE_COMMIT, THE_WAITING
from tests.house.source import Rule, Source, project

SERVICE = "src/tocsin/services/notifications.py"
TEST = "tests/unit/test_notifications.py"

# Rule, file, what it may not hold, and the nearest thing that it may. A tilde is taken out: without it a plain search
# for the forbidden words would end here.
SAMPLES = [
    ("commit()", SERVICE, "await session.commit()", "await session.flush()"),
    ("HTTPException", SERVICE, "from fastapi import HTTPException", "from tocsin.errors import NotFound"),
    ("HTTPException", SERVICE, "raise starlette.exceptions.HTTPException(404)", "raise NotFound"),
    ("An import hidden", SERVICE, "def f():\n    import json", "import json\ndef f(): ..."),
    ("An import hidden", SERVICE, "async def f():\n  if x:\n    from a import b", "def f():\n  import a  # it is slow"),
    (
        "An import hidden",
        SERVICE,
        "def f():\n  # slow\n  import a\n  x = 1\n  import b",
        "def f():\n  # slow\n  import a\n  import b",
    ),
    ("An import hidden", TEST, "def f():\n    '#'; import a", "def f():\n    # It is slow.\n    import a"),
    ("A file of more", TEST, "x = 1\n" * (MAX_FILE_LINES + 1), "x = 1\n" * MAX_FILE_LINES),
    (
        "A function of more",
        SERVICE,
        "async def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES,
        "async def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1),
    ),
    ("Something left open", SERVICE, "x = 1  # TO~DO: mend", "x = 1  # a todolist"),
    ("Something left open", SERVICE, "'''FIX~ME'''", "'''Fixed.'''"),
    ("Something left open", SERVICE, "raise NotImplemented~Error", "raise TypeError"),
    ("A check switched off", SERVICE, "x = 1  # noqa: S311", "x = 1  # noqa: S311 - jitter is no secret"),
    ("A check switched off", SERVICE, "x = 1  # noqa", "x = '# noqa'"),
    (
        "A check switched off",
        SERVICE,
        "x = 1  # type: ignore[misc]",
        "x = 1  # type: ignore[misc]  # kombu has no types",
    ),
    ("A test that does not", TEST, "@pytest.mark.sk~ip\ndef test(): ...", "@pytest.mark.parametrize\ndef test(): ..."),
    ("A test that does not", TEST, "pytest.x~fail('later')", "pytest.fail('never')"),
    ("A test that does not", TEST, "jwt = pytest.importorskip('jwt')", "import jwt"),
    ("Our own code patched", TEST, "with mock~.patch('tocsin.x'): ...", "client.patch('/')"),
    ("Our own code patched", TEST, "from unittest.mock import AsyncMock", "import unittest"),
    ("Our own code patched", TEST, "monkeypatch~.setattr(a, 'b', c)", "monkeypatch.setenv('A', 'b')"),
    ("A sleep in a test", TEST, "time~.sleep(1)", "await asyncio.sleep(0)"),
    ("A sleep in a test", TEST, "await asyncio.sleep(delay)", "await eventually(judged)"),
    ("A module whose name", "src/tocsin/utils.py", "x = 1", ""),
    ("A module whose name", "src/tocsin/common/text.py", "x = 1", ""),
    (
        "A name exported twice",
        "src/tocsin/models/__init__.py",
        "from tocsin.models.verdict import Verdict",
        "'''Docs.'''",
    ),
    ("A name exported twice", "src/tocsin/cli/__init__.py", "from a import b as b\nb()", "from a import b\nb()"),
    ("A name exported twice", SERVICE, "__all__ = ['a']", "a = 1"),
    ("A row lock", "src/tocsin/repositories/inboxes.py", "q.with_for_update()", "q.with_for_update(key_share=True)"),
    ("A row lock", SERVICE, "s.get(Job, id, with_for_update=True)", "s.get(Job, id, with_for_update={'read': True})"),
    ("A row lock", "bench/x.py", "q.with_for_update(skip_locked=True)", "q.with_for_update(read=True)"),
    ("SQL outside", SERVICE, "from sqlalchemy import text\ntext('SELECT 1')", "text = str\ntext('SELECT 1')"),
    ("SQL outside", "src/tocsin/controllers/health.py", "c.exec_driver_sql('SELECT 1')", "inboxes.count()"),
    ("A resource or settings", SERVICE, "settings = Settings()", "class A:\n    api: ApiSettings = ApiSettings()"),
    (
        "A resource or settings",
        SERVICE,
        "engine: E = sa.create_async_engine(url)",
        "def engine(): return create_engine()",
    ),
    ("A resource or settings", SERVICE, "client = redis.asyncio.Redis.from_url('x')", "CLIENTS = dict()"),
]

# The same line, and the file in which it is at home.
EXCEPTIONS = [
    ("commit()", THE_COMMIT, "await session.commit()"),
    ("commit()", TEST, "await session.commit()"),
    ("HTTPException", "src/tocsin/controllers/problems.py", "from fastapi import HTTPException"),
    ("HTTPException", SERVICE, "expected = (OSError, http.client.HTTPException)"),
    ("A function of more", "src/tocsin/migrations/versions/0001_x.py", "def upgrade():\n" + "    x = 1\n" * 99),
    ("A sleep in a test", THE_WAITING, "await asyncio.sleep(every)"),
    ("A sleep in a test", SERVICE, "await asyncio.sleep(delay)"),
    ("Our own code patched", SERVICE, "patch('x')"),
    ("SQL outside", "src/tocsin/repositories/inboxes.py", "from sqlalchemy import text\ntext('SELECT 1')"),
    ("A resource or settings", "tests/conftest.py", "settings = Settings()"),
]


def named(start: str) -> Rule:
    (rule,) = (rule for rule in RULES if rule.name.startswith(start))
    return rule


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return project()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_project_keeps(rule: Rule, sources: list[Source]) -> None:
    offences = [offence for source in sources for offence in rule.offences(source)]

    assert not offences, "\n" + "\n".join(offences)


@pytest.mark.parametrize(("start", "path", "bad", "good"), SAMPLES, ids=map(str, range(len(SAMPLES))))
def test_a_rule_catches_what_it_is_there_for_and_no_more(start: str, path: str, bad: str, good: str) -> None:
    rule = named(start)

    offences = rule.offences(Source(path, bad.replace("~", "")))

    assert len(offences) == 1
    assert path in offences[0]
    assert rule.why in offences[0]
    assert rule.instead in offences[0]
    assert rule.offences(Source("src/tocsin/text.py" if not good else path, good)) == []


@pytest.mark.parametrize(("start", "path", "text"), EXCEPTIONS, ids=map(str, range(len(EXCEPTIONS))))
def test_a_rule_leaves_alone_what_is_at_home(start: str, path: str, text: str) -> None:
    assert named(start).offences(Source(path, text)) == []


def test_every_rule_has_a_sample() -> None:
    assert {named(start).name for start, *_ in SAMPLES} == {rule.name for rule in RULES}


def test_the_whole_project_is_looked_at(sources: list[Source]) -> None:
    paths = {source.path for source in sources}

    assert {"src/tocsin/errors.py", "tests/house/rules.py", "tests/unit/test_house_rules.py"} <= paths
