"""``tocsin watch`` and ``tocsin inbox`` on a terminal and in a pipe, against a service that plays its part."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from tests.fixtures.commands import TOCSIN, Terminal, environment
from tests.fixtures.scripted_api import (
    UNREAD,
    Answer,
    change,
    close,
    closes,
    hello,
    notification,
    says,
    scripted,
    sends,
    talks,
    waits_for,
)

pytestmark = pytest.mark.timeout(120)

INBOX = says({"user_id": str(UUID(int=0)), "version": 1, "position": "e.1", "unread": UNREAD})
NEVER = asyncio.Event


def page(*items: dict[str, object]) -> Answer:
    return says({"items": list(items), "next_cursor": None})


def verdict(number: int, category: str = "critical", **changes: object) -> dict[str, object]:
    judged = {"processing_status": "completed", "category": category, "confidence": 0.9, "keywords": ["x"]}
    return {**notification(number), **judged, "analyzer": "http", "analyzed_at": "2026-11-23T12:53:07Z", **changes}


def verdicts(*numbers: int) -> list[dict[str, object]]:
    return [{**change(f"e.{number}"), "notification": verdict(number)} for number in numbers]


@asynccontextmanager
async def watched(*script: Answer, options: tuple[str, ...] = ()) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Watch on a terminal a service that answers so, and return what waits until that shows a text."""
    async with scripted(*script) as api:
        variables = {"TOCSIN_URL": api.url, "TOCSIN_KEY": "k", "TOCSIN_USER": str(UUID(int=0))}
        terminal = await asyncio.to_thread(Terminal, "watch", *options, variables=variables)
        with terminal:
            yield lambda text: asyncio.to_thread(terminal.shows, text)
            terminal.press(b"\x03")
            assert await asyncio.to_thread(terminal.ends) == 130
            assert "Traceback" not in terminal.raw


async def test_what_is_there_comes_first_and_verdicts_follow() -> None:
    waiting = {**change("e.2", 9), "notification": notification(9, title="Waits")}
    talk = talks(sends(hello("e.1", recovered=False), waiting, *verdicts(9)), waits_for(NEVER()))
    known = page(verdict(2, "info", title="Newer"), verdict(1, "warning", title="Older"))

    async with watched(INBOX, talk, known, page(), page()) as shows:
        await shows("◆ warning   90%")
        await shows("● info      90%")
        await shows("1 being judged")
        await shows("▲ critical  90%")
        await shows("● live  1 unread: 1 not judged")


async def test_a_connection_that_is_gone_is_told_and_made_again() -> None:
    stopping = sends(hello("e.1"), close("e.1", 4000, "server_stopping", retry_after=0.05))
    again = talks(sends(hello("e.1"), *verdicts(7)), waits_for(NEVER()))

    async with watched(INBOX, talks(stopping, closes(4000)), again, options=("--since", "e.1")) as shows:
        await shows("○ disconnected  Because of server_stopping; trying again in 1 s")
        await shows("Title 7")


async def test_what_cannot_be_told_one_by_one_is_looked_up() -> None:
    resetting = {"type": "reset", "position": "e.900", "unread": UNREAD}
    talk = talks(sends(hello("e.1"), *verdicts(3), resetting), waits_for(NEVER()))
    found = page(verdict(8, title="Missed"), verdict(3))

    async with watched(INBOX, talk, found, options=("--since", "e.1")) as shows:
        await shows("Title 3")
        await shows("Missed")


async def test_only_one_category_is_shown_if_so_wanted() -> None:
    info = {**change("e.4", 4), "notification": verdict(4, "info", title="Harmless")}
    talk = talks(sends(hello("e.1"), info, *verdicts(5)), waits_for(NEVER()))

    async with scripted(INBOX, talk) as api:
        variables = {"TOCSIN_URL": api.url, "TOCSIN_KEY": "k", "TOCSIN_USER": str(UUID(int=0))}
        with Terminal("watch", "--category", "critical", "--since", "e.1", variables=variables) as terminal:
            await asyncio.to_thread(terminal.shows, "Title 5")
            assert not any("Harmless" in line for line in terminal.lines)


@pytest.mark.parametrize(
    ("colours", "variables"),
    [(True, {}), (False, {"NO_COLOR": "1"}), (False, {"TERM": "dumb"})],
    ids=["colours", "NO_COLOR", "dumb"],
)
async def test_colours_are_for_terminals_that_have_and_want_them(colours: bool, variables: dict[str, str]) -> None:
    async with scripted(INBOX, page(verdict(1))) as api:
        mine = {"TOCSIN_URL": api.url, "TOCSIN_KEY": "k", "TOCSIN_USER": str(UUID(int=0)), **variables}
        with Terminal("inbox", variables=mine) as terminal:
            assert await asyncio.to_thread(terminal.ends) == 0

    assert ("\x1b[1;31m" in terminal.raw) is colours
    assert terminal.lines[0].startswith("1 unread: 1 not judged")
    assert "▲ critical  90%" in terminal.lines[1]


@asynccontextmanager
async def piped(*script: Answer, options: tuple[str, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    async with scripted(*script) as api:
        variables = {"TOCSIN_URL": api.url, "TOCSIN_KEY": "k", "TOCSIN_USER": str(UUID(int=0))}
        process = await asyncio.create_subprocess_exec(
            *(TOCSIN, "watch", *options),
            env=environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_other_programs_get_every_message() -> None:
    talk = talks(sends(hello("e.1"), change("e.2"), *verdicts(3)), closes(4500, "unauthenticated"))
    async with piped(INBOX, talk, options=("--json",)) as process:
        output, complaints = await process.communicate()

    messages = [json.loads(line) for line in output.splitlines()]
    assert [(message["type"], message["position"]) for message in messages] == [
        ("hello", "e.1"),
        ("change", "e.2"),
        ("change", "e.3"),
    ]
    assert messages[2]["notification"]["category"] == "critical"
    assert process.returncode == 3
    assert complaints == b"tocsin: The stream was refused: unauthenticated.\n"


async def test_a_pipe_gets_plain_lines_as_they_come() -> None:
    go = asyncio.Event()
    first = talks(sends(hello("e.1"), *verdicts(2)), waits_for(go), closes(1001, "away"))
    second = talks(sends(hello("e.2"), *verdicts(3)), waits_for(NEVER()))
    async with piped(INBOX, first, second, options=("--since", "e.1")) as process:
        assert process.stdout
        assert process.stderr
        assert (await process.stdout.readline()).decode().split("\t")[2:7] == [
            "critical",
            "0.90",
            "unread",
            "",
            "Title 2",
        ]
        go.set()
        assert b"tocsin: disconnected: away; trying again in 1 s" in await process.stderr.readline()
        assert b"Title 3" in await process.stdout.readline()
        assert await process.stderr.readline() == b"tocsin: connected again\n"
