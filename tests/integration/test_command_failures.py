"""How commands for people end: with one line that helps, and an exit code that scripts can tell apart."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
import typer

from tests.fixtures.commands import TOCSIN, WITHIN, environment, within
from tests.fixtures.live import LiveServer
from tocsin.cli import calling
from tocsin.cli.connection import Connection
from tocsin.client import TocsinClient
from tocsin.client.errors import ClientError, Problem, StreamRefused, Unreachable
from tocsin.client.retries import RetryPolicy

pytestmark = pytest.mark.timeout(120)
HASTY = RetryPolicy(deadline=0.2, attempt=0.2, first_delay=0.01, longest_delay=0.01)
NOWHERE = Connection("http://127.0.0.1:9", "k", here=False)


@pytest.fixture
def here(live_server: LiveServer) -> dict[str, str]:
    """The variables of somebody with a key and an inbox of his own."""
    return {"TOCSIN_URL": live_server.url, "TOCSIN_KEY": live_server.service_key, "TOCSIN_USER": str(uuid4())}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("send ''", 2, "there is nothing to send"),
        ("send -", 2, "there is nothing to send"),
        ("send x --data [1]", 2, "--data must be a JSON object"),
        ("send x --link ftp://x", 2, "/link must be an absolute http or https URL"),
        ("send x --file y", 2, "with --file there is no TEXT"),
        ("send --file no-such-file", 2, "cannot read no-such-file: No such file or directory"),
        ("send --file /", 2, "cannot read /: Is a directory"),
        ("send x --id-prefix y", 2, "--id-prefix is for --file"),
        ("send x --key tcs_wrong", 3, "This service key is not known"),
        ("send x --key ключ", 2, "The key must be"),
        ("send x --url nowhere", 2, "The URL must look like"),
        ("inbox --order relevance", 2, "--order relevance is for what --search finds"),
        ("inbox --key tcs_wrong", 3, "This service key is not known"),
        ("watch --key tcs_wrong", 3, "This service key is not known"),
        ("demo --key tcs_wrong", 3, "This service key is not known"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(here: dict[str, str], arguments: str, code: int, words: str) -> None:
    done = within(*("" if word == "''" else word for word in arguments.split()), variables=here)

    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "tcs_wrong" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("send x --user me", "'--user' (env var: 'TOCSIN_USER'): 'me' is no UUID such as"),
        ("inbox --category bad", "'--category': 'bad' is not one of"),
        ("inbox --limit 0", "'--limit'"),
        ("inbox --after yesterday", "'--after': 'yesterday' is no time such as"),
        ("demo --over -1", "'--over'"),
    ],
)
def test_what_is_mistyped_is_explained_in_one_line(here: dict[str, str], arguments: str, words: str) -> None:
    done = within(*arguments.split(), variables=here)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tocsin: Invalid value for {words}")
    assert done.stderr.count("\n") == 1


def test_a_token_reads_one_inbox_and_no_other(live_server: LiveServer, here: dict[str, str]) -> None:
    async def mint() -> str:
        async with TocsinClient(live_server.url, live_server.service_key) as client:
            return (await client.mint_token(here["TOCSIN_USER"])).token

    token = asyncio.run(mint())

    assert within("inbox", variables={**here, "TOCSIN_KEY": token}).exit_code == 0
    assert within("inbox", variables={**here, "TOCSIN_KEY": token, "TOCSIN_USER": str(uuid4())}).exit_code == 4
    assert within("send", "x", variables={**here, "TOCSIN_KEY": token}).exit_code == 3


def test_nobody_there_is_told_at_once_and_again_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        calling.run(NOWHERE, HASTY, lambda client: client.inbox(uuid4()))

    first, last = capsys.readouterr().err.splitlines()
    assert ended.value.exit_code == 5
    assert first == f"{last}; trying again"
    assert last.startswith("tocsin: http://127.0.0.1:9 cannot be reached: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Problem(401, "unauthenticated", "x"), 3),
        (Problem(403, "forbidden", "x"), 3),
        (Problem(404, "not_found", "x"), 4),
        (Problem(409, "undo_expired", "x"), 2),
        (Problem(422, "invalid_input", "x"), 2),
        (Problem(429, "too_many_requests", "x"), 5),
        (Problem(503, "unavailable", "x"), 5),
        (Unreachable("x"), 5),
        (StreamRefused(4500, "unauthenticated", "x"), 3),
        (StreamRefused(4003, "token_expired", "x"), 3),
        (StreamRefused(4502, "forbidden", "x"), 3),
        (StreamRefused(4501, "not_found", "x"), 4),
        (StreamRefused(4504, "invalid_input", "x"), 2),
        (StreamRefused(404, "handshake", "x"), 4),
        (TimeoutError("x"), 6),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'code', '')}" if isinstance(value, Exception) else None,
)
def test_each_kind_of_failure_has_its_exit_code(
    error: ClientError | TimeoutError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(_: TocsinClient) -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        calling.run(NOWHERE, HASTY, fail)

    assert (ended.value.exit_code, capsys.readouterr().err) == (code, "tocsin: x\n")


def test_an_error_of_ours_is_not_hidden() -> None:
    async def fail(_: TocsinClient) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        calling.run(NOWHERE, HASTY, fail)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_quietly(here: dict[str, str], number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [TOCSIN, "send", "-f", "-", "--json"],
        env=environment(here),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as sending:
        assert sending.stdin
        assert sending.stdout
        assert sending.stderr
        sending.stdin.write(b'{"text": "x"}\n')
        sending.stdin.flush()
        assert json.loads(sending.stdout.readline())["text"] == "x"
        sending.send_signal(number)

        assert sending.wait(WITHIN) == code
        assert sending.stderr.read() == b"1 sent\n"


def test_a_reader_that_goes_away_ends_it_quietly(here: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({"text": "x" * 5_000}) + "\n" for _ in range(100)))
    assert within("send", "-f", path, variables=here).exit_code == 0
    with subprocess.Popen(
        [TOCSIN, "inbox", "--limit", "100"], env=environment(here), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as listing:
        assert listing.stdout
        assert listing.stderr
        assert os.read(listing.stdout.fileno(), 100)
        listing.stdout.close()

        assert listing.stderr.read() == b""
        assert listing.wait(WITHIN) == 141


def write_status(folder: Path, **status: object) -> Path:
    folder.mkdir()
    (folder / "up.json").write_text(json.dumps(status))
    return folder


def test_what_runs_here_is_found_with_its_key_and_its_demo_inbox(live_server: LiveServer, tmp_path: Path) -> None:
    folder = write_status(tmp_path / ".data", url=live_server.url, service_key=live_server.service_key)
    done = subprocess.run(
        [TOCSIN, "send", "found", "--json"], cwd=tmp_path, env=environment({}), capture_output=True, check=True
    )

    assert json.loads(done.stdout)["user_id"] == "018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01"
    assert within("inbox", "--data-dir", folder, variables={}).stdout.splitlines()[0].split("\t")[6] == "found"


def test_a_key_that_was_found_goes_nowhere_else(live_server: LiveServer, tmp_path: Path) -> None:
    folder = write_status(tmp_path / "data", url=live_server.url, service_key=live_server.service_key)

    elsewhere = within("inbox", "--data-dir", folder, "--url", "http://elsewhere.example", variables={})
    own = within("inbox", "--data-dir", folder, variables={"TOCSIN_KEY": "tcs_wrong"})

    assert (elsewhere.exit_code, own.exit_code) == (2, 3)
    assert "a key is missing" in elsewhere.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "no Tocsin runs here"), ("{", "is not what 'tocsin up' writes"), ("[]", "is not what 'tocsin up' writes")],
    ids=["none", "broken", "other"],
)
def test_without_anything_to_talk_to_it_says_how_to_get_it(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "up.json").write_text(text)

    done = within("send", "x", "--data-dir", tmp_path, variables={})

    assert done.exit_code == 2
    assert words in done.stderr
    assert "TOCSIN_KEY" in done.stderr


def test_elsewhere_there_is_no_demo_inbox(live_server: LiveServer) -> None:
    done = within("demo", variables={"TOCSIN_URL": live_server.url, "TOCSIN_KEY": live_server.service_key})

    assert done.exit_code == 2
    assert "say whose inbox is meant" in done.stderr


def test_what_cannot_be_written_is_told(here: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [TOCSIN, "send", "x"],
            env=environment(here),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=WITHIN,
            check=False,
        )

    assert done.returncode == 5
    assert done.stderr == b"tocsin: cannot write to standard output: No space left on device\n"


def test_a_key_is_shown_by_no_help() -> None:
    done = within("send", "--help", variables={"TOCSIN_KEY": "tcs_secret"})

    assert done.exit_code == 0
    assert "TOCSIN_KEY" in done.stdout
    assert "tcs_secret" not in done.stdout
