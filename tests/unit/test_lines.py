"""Lines of JSON that become notifications."""

import io
import json
from uuid import UUID

import pytest

from tocsin.cli.demo_day import load_day
from tocsin.cli.lines import MAX_LINE, BadLine, Line, Lines, parse
from tocsin.cli.sending import Template
from tocsin.models.keyword_rules import rule_for
from tocsin.models.verdict import Category

USER = UUID(int=7)
TEMPLATE = Template(USER, source="cron")


def read(text: bytes, *, id_prefix: str | None = None, named: bool = True) -> tuple[list[Line], list[tuple[int, str]]]:
    bad: list[tuple[int, str]] = []
    lines = Lines(
        io.BytesIO(text), TEMPLATE, id_prefix, named=named, on_bad=lambda number, why: bad.append((number, why))
    )
    return list(lines), bad


def test_a_line_says_all_of_a_notification() -> None:
    other = str(UUID(int=8))
    members = {"user_id": other, "title": "t", "text": "x", "source": "s", "link": "l", "data": {"a": 1}}

    line = parse(json.dumps({**members, "idempotency_key": "k"}).encode(), TEMPLATE, 3)

    assert line == Line(other, "t", "x", "s", "l", {"a": 1}, "k", number=3)


def test_what_a_line_lacks_comes_from_the_options_or_its_text() -> None:
    assert parse(b'{"text": "Disk full\\nmore", "title": null}', TEMPLATE, 1) == Line(
        USER, "Disk full", "Disk full\nmore", "cron", number=1
    )
    assert parse(b'{"text": "x"}', Template(USER, title="t", data={"b": 2}), 1).data == {"b": 2}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"text": "\xff"}', "is not UTF-8"),
        (b'"text"', "is not a JSON object"),
        (b"{}", "has no 'text'"),
        (b'{"text": ""}', "has no 'text'"),
        (b'{"text": 1}', "has a 'text' that is not a string"),
        (b'{"text": "x", "data": []}', "has a 'data' that is not an object"),
        (b'{"text": "x", "user_id": "me"}', "has a 'user_id' that is no UUID"),
        (b'{"text": "x", "colour": 1}', "has the unknown member 'colour'"),
    ],
)
def test_a_line_that_is_no_notification_says_why(line: bytes, why: str) -> None:
    with pytest.raises(BadLine) as met:
        parse(line, TEMPLATE, 1)

    assert str(met.value) == why


def test_lines_are_counted_and_bad_ones_passed_over() -> None:
    lines, bad = read(b'\xef\xbb\xbf{"text": "1"}\r\n\n  \nnope\n{"text": "5"}')

    assert [(line.number, line.text) for line in lines] == [(1, "1"), (5, "5")]
    assert bad == [(4, "is not JSON")]


def test_a_line_that_is_too_long_is_passed_over_without_being_held() -> None:
    long = b'{"text": "' + b"x" * (3 * MAX_LINE) + b'"}\n'
    lines, bad = read(long + b'{"text": "2"}\n' + b"y" * (MAX_LINE + 1))

    assert [line.number for line in lines] == [2]
    assert [number for number, _ in bad] == [1, 3]
    assert bad[0][1] == f"is longer than {MAX_LINE} bytes"


def test_names_are_made_of_what_a_line_says_and_of_its_place() -> None:
    text = b'{"text": "a"}\n{"text": "a"}\n{"text": "b"}\n{"text": "a", "idempotency_key": "own"}\n'
    (first, *_), _ = read(text)
    again, _ = read(text)
    changed, _ = read(text.replace(b'"b"', b'"c"'))

    names = [line.idempotency_key for line in again]
    assert names[0] == first.idempotency_key
    assert names[3] == "own"
    assert len(set(names)) == 4
    assert [line.idempotency_key == name for line, name in zip(changed, names, strict=True)] == [
        True,
        True,
        False,
        True,
    ]


def test_a_prefix_names_lines_by_their_place_alone() -> None:
    lines, _ = read(b'\n{"text": "a"}\n', id_prefix="P")

    assert [line.idempotency_key for line in lines] == ["P#2"]


def test_what_comes_by_a_pipe_has_no_name_unless_it_is_given_one() -> None:
    lines, _ = read(b'{"text": "a"}\n', named=False)

    assert [line.idempotency_key for line in lines] == [None]


def test_the_day_of_the_demo_is_believable() -> None:
    day = load_day(USER)
    kinds = [rule_for(draft.text).category for draft in day]
    russian = [draft for draft in day if any("а" <= char <= "я" for char in draft.text)]

    assert 50 <= len(day) <= 80
    assert 0.4 < len(russian) / len(day) < 0.6
    assert 3 <= kinds.count(Category.CRITICAL) <= 6
    assert 8 <= kinds.count(Category.WARNING) <= 15
    assert all(draft.source and draft.user_id == USER for draft in day)
    assert len({draft.text for draft in day}) == len(day)
    lengths = [len(draft.text) for draft in day]
    assert (min(lengths) < 100, max(lengths) > 400) == (True, True)
    assert all(draft.link is None or draft.link.startswith("https://example.com/") for draft in day)
