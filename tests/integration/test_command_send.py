"""``tocsin send`` as a process, against the real service."""

import asyncio
import json
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fixtures.commands import TOCSIN, WITHIN, Terminal, environment, tocsin, within
from tests.fixtures.live import LiveServer
from tests.fixtures.scripted_api import notification, says, scripted

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def here(live_server: LiveServer) -> dict[str, str]:
    """The variables of somebody with a key and an inbox of his own."""
    return {"TOCSIN_URL": live_server.url, "TOCSIN_KEY": live_server.service_key, "TOCSIN_USER": str(uuid4())}


def listed(here: dict[str, str], *options: str) -> list[dict[str, object]]:
    done = within("inbox", "--json", "--order", "oldest", "--limit", 5_000, *options, variables=here)
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_text_is_sent_and_its_id_written(here: dict[str, str]) -> None:
    done = tocsin("send", "Диск полон 🔥", variables=here)

    assert (done.returncode, done.stderr) == (0, "")
    (sent,) = listed(here)
    assert done.stdout == f"{sent['id']}\n"
    assert (sent["title"], sent["text"], sent["user_id"]) == ("Диск полон 🔥", "Диск полон 🔥", here["TOCSIN_USER"])


def test_a_text_comes_from_a_pipe(here: dict[str, str]) -> None:
    long = "Первая строка, " + "очень " * 30 + "длинная\n\nи ещё одна\n"
    done = within("send", "--source", "cron", "--link", "https://example.com/", stdin=long.encode(), variables=here)

    assert done.exit_code == 0
    (sent,) = listed(here)
    assert sent["text"] == long.strip()
    assert str(sent["title"]).startswith("Первая строка, очень")
    assert str(sent["title"]).endswith("…")
    assert (sent["source"], sent["link"]) == ("cron", "https://example.com/")


def test_all_of_a_notification_can_be_said(here: dict[str, str]) -> None:
    options = ("--title", "Order", "--data", '{"order": [1]}', "--idempotency-key", f"order-{here['TOCSIN_USER']}")
    first, again = (within("send", "Paid", *options, "--json", variables=here) for _ in range(2))

    assert json.loads(first.stdout)["data"] == {"order": [1]}
    assert [json.loads(done.stdout)["replayed"] for done in (first, again)] == [False, True]
    assert len(listed(here)) == 1


def test_who_sees_it_is_told_in_words(here: dict[str, str]) -> None:
    with Terminal("send", "hello", variables=here) as terminal:
        assert terminal.ends() == 0

    (sent,) = listed(here)
    assert terminal.lines == [f"Sent: {sent['id']}"]


def test_waiting_for_a_verdict_has_an_end(here: dict[str, str]) -> None:
    done = within("send", "nobody analyses here", "--wait", "--timeout", "0.3", variables=here)

    assert done.exit_code == 6
    assert done.stdout == ""
    assert done.stderr.endswith("was not over after 0.3 seconds\n")
    assert done.stderr.count("\n") == 1


LINK_REFUSED = "link must be an absolute http or https URL, with anything beyond ASCII percent-encoded"


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("".join(line if isinstance(line, str) else f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def test_a_file_is_sent_line_by_line_and_what_is_wrong_is_told(here: dict[str, str], tmp_path: Path) -> None:
    other = str(uuid4())
    path = write_lines(
        tmp_path / "events.jsonl",
        {"text": "one", "data": {"a": 1}, "source": "own"},
        "\n",
        "no JSON\n",
        {"title": "two", "text": "zwei", "user_id": other},
        {"title": " ", "text": "three", "link": "javascript:1"},
        {"text": "four", "colour": "red"},
        {"text": "last"},
    )

    done = within("send", "--file", path, "--source", "given", variables=here)

    assert done.exit_code == 1
    assert done.stdout == ""
    told = done.stderr.splitlines()
    assert sorted(told[:-1]) == [
        f"tocsin: {path}:3: is not JSON",
        f"tocsin: {path}:5: title must not be blank; {LINK_REFUSED}",
        f"tocsin: {path}:6: has the unknown member 'colour'",
    ]
    assert told[-1] == "3 sent, 3 refused"
    assert [(one["title"], one["source"]) for one in listed(here)] == [("one", "own"), ("last", "given")]
    assert [one["text"] for one in listed({**here, "TOCSIN_USER": other})] == ["zwei"]


def test_a_file_that_is_sent_again_makes_nothing_twice(here: dict[str, str], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "events.jsonl", *({"text": f"number {n % 3}"} for n in range(1_100)))
    first = within("send", "-f", path, variables=here)
    write_lines(path, path.read_text(), {"text": "one more"})
    again = within("send", "-f", path, "--json", variables=here)
    anew = within("send", "-f", path, "--id-prefix", f"p-{here['TOCSIN_USER']}", variables=here)
    and_again = within("send", "-f", path, "--id-prefix", f"p-{here['TOCSIN_USER']}", variables=here)

    assert (first.exit_code, first.stderr) == (0, "1100 sent\n")
    assert again.stderr == "1 sent, 1100 had been sent before\n"
    assert [json.loads(line)["replayed"] for line in again.stdout.splitlines()] == [True] * 1_100 + [False]
    assert anew.stderr == "1101 sent\n"
    assert and_again.stderr == "0 sent, 1101 had been sent before\n"
    assert len(listed(here)) == 2_202


def test_what_comes_by_a_pipe_is_sent_as_it_comes(here: dict[str, str]) -> None:
    with subprocess.Popen(
        [TOCSIN, "send", "-f", "-", "--json"], env=environment(here), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as sending:
        assert sending.stdin
        assert sending.stdout
        for text in ("first", "first"):
            sending.stdin.write(json.dumps({"text": text}).encode() + b"\n")
            sending.stdin.flush()
            answer = json.loads(sending.stdout.readline())
            assert (answer["text"], answer["replayed"]) == ("first", False)
        sending.stdin.close()
        assert sending.wait(WITHIN) == 0

    assert len(listed(here)) == 2


def test_who_interrupts_gets_no_traceback_even_while_a_pipe_is_silent(here: dict[str, str]) -> None:
    with Terminal("send", "-f", "-", variables=here) as terminal:
        terminal.press(b'{"text": "hello"}\n')
        terminal.shows("1 sent")
        terminal.press(b"\x03")

        assert terminal.ends() == 130
    assert terminal.lines[-1] == "1 sent"
    assert "Traceback" not in terminal.raw
    assert terminal.raw.rfind("\x1b[?25h") > terminal.raw.rfind("\x1b[?25l"), "the cursor is there again"


def test_a_terminal_shows_how_far_a_file_is(here: dict[str, str], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "events.jsonl", *({"text": f"number {n}"} for n in range(2_100)), "rubbish\n")
    with Terminal("send", "-f", path, variables=here) as terminal:
        assert terminal.ends() == 1

    assert any("━" in line and line.split()[-2:-1] == ["sent"] for line in terminal.lines), terminal.lines
    assert "events.jsonl:2101: is not JSON" in " ".join(terminal.lines)
    assert terminal.lines[-1] == "2100 sent, 1 refused"


async def test_an_analysis_that_failed_is_told_by_the_exit_code() -> None:
    broken = notification(processing_status="failed", error="The AI refused the text.")
    status = {name: broken[name] for name in ("id", "processing_status", "created_at", "analyzed_at", "error")}
    over = says({**status, "tries": 1, "next_try_at": None})
    async with scripted(says(notification(), 201), over, says(broken)) as api:
        variables = {"TOCSIN_URL": api.url, "TOCSIN_KEY": "k", "TOCSIN_USER": str(uuid4())}
        done = await asyncio.to_thread(tocsin, "send", "x", "--wait", variables=variables)

    assert done.returncode == 1
    assert done.stdout.split("\t")[2] == "failed"
