"""What people and their pipes see of a notification."""

import io
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.fixtures.notifications import NOON, failed, judged, made
from tocsin.cli.listing import make_table
from tocsin.cli.looks import badge, clean, clean_json, counts, headline, look, row, when
from tocsin.cli.sending import make_title
from tocsin.client.models import Unread


def table(*notifications: object, width: int = 80, colours: bool = False) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colours, color_system="standard" if colours else None)
    console.print(make_table(console, notifications))  # type: ignore[arg-type]  # notifications they are
    return stream.getvalue().splitlines()


def test_every_state_has_a_shape_and_a_word_of_its_own() -> None:
    states = [judged(1, "critical"), judged(1, "warning"), judged(1, "info"), failed(1), made(1)]

    assert [look(state).word for state in states] == ["critical", "warning", "info", "failed", "pending"]
    assert len({look(state).mark for state in states}) == 5
    assert len({cell_len(badge(state).plain) for state in states}) == 1


def test_a_verdict_counts_while_a_new_one_is_awaited() -> None:
    assert look(judged(1, "critical", processing_status="pending")).word == "critical"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize(
    "text", ["Заказ оплачен " * 20, "漢字のタイトル" * 20, "🔥👩‍👩‍👧‍👦 " * 40, "العربية " * 30, "short"]
)
def test_no_line_is_wider_than_the_terminal(text: str, width: int) -> None:
    lines = table(judged(1, title=text, text=text[::-1], source=text), judged(2, title="a", text="b"), width=width)

    assert len(lines) == 2
    assert {cell_len(line) for line in lines} == {width}


def test_lines_tell_time_title_text_and_source() -> None:
    (line,) = table(judged(1, "critical", title="Backup", text="Disk full.", source="cron", read_at=NOON.isoformat()))

    assert line.startswith("  ▲ critical  87%  ")
    assert "  Backup  Disk full. " in line
    assert line.endswith("            cron")


def test_a_failed_analysis_tells_why() -> None:
    assert headline(failed(1, "The AI refused the text.")).plain == "Title 1  The AI refused the text."


def test_a_text_that_begins_with_its_title_is_not_shown_twice() -> None:
    assert headline(judged(1, title="Disk full", text="Disk full: 3 KB left")).plain == "Disk full  3 KB left"
    assert headline(judged(1, title="Disk full", text="Disk full")).plain == "Disk full"


@settings(deadline=None)
@given(st.text())
def test_no_text_can_move_the_cursor_or_turn_the_writing_around(text: str) -> None:
    shown = clean(text)

    assert not set(shown) & set(map(chr, (*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E, 0x2066)))


def test_what_is_dangerous_is_seen_to_be_missing() -> None:
    assert clean("a\x1b[31mb\n\tc\x9b2J \u202egpj.exe ") == "a�[31mb c�2J �gpj.exe"


@settings(deadline=None)
@given(st.text())
def test_clean_json_is_the_same_json(text: str) -> None:
    line = json.dumps({"text": text}, ensure_ascii=False)

    assert json.loads(clean_json(line)) == {"text": text}
    assert not set(clean_json(line)) & set(map(chr, (*range(32), *range(127, 160), 0x202E)))


def test_markup_in_a_text_is_text() -> None:
    (line,) = table(judged(1, title="[red]x[/red] :warning:", text="[/]"))

    assert "[red]x[/red] :warning:  [/]" in line


def test_a_line_for_programs_is_whole_and_has_eight_columns() -> None:
    line = row(judged(1, title="a\tb", text="c\nd " * 100, source=None))

    id_, created, word, confidence, read, source, title, text = line.split("\t")
    assert (id_, created) == ("00000000-0000-0000-0000-000000000001", "2026-11-23T12:00:01.000Z")
    assert (word, confidence, read, source, title) == ("info", "0.87", "unread", "", "a b")
    assert len(text) == 399


def test_times_of_another_day_have_a_date() -> None:
    assert len(when(NOON, NOON)) == len("12:00:00")
    assert len(when(NOON - timedelta(days=2), NOON)) == len("2026-11-21 12:00")


def test_counts_leave_out_what_there_is_none_of() -> None:
    assert counts(Unread(total=0, critical=0, warning=0, info=0, unjudged=0)).plain == "0 unread"
    assert counts(Unread(total=3, critical=1, warning=0, info=0, unjudged=2)).plain == (
        "3 unread: 1 critical, 2 not judged"
    )


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Disk full", "Disk full"),
        ("  Disk full\nmore", "Disk full"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("漢" * 41, "漢" * 39 + "…"),
        ("tab\tand \x07bell", "tab and �bell"),
        ("\n", ""),
    ],
)
def test_a_title_is_how_a_text_begins(text: str, title: str) -> None:
    assert make_title(text) == title
    assert cell_len(make_title(text)) <= 80
