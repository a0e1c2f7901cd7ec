"""The client of `tocsin.client` against the real processes, and through their deaths."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.e2e.api import new_user
from tests.e2e.documents import programs, with_settings, write
from tests.e2e.ledger import Ledger
from tests.e2e.programs import WITHIN
from tests.e2e.up import Up
from tests.waiting import until
from tocsin.client import TocsinClient
from tocsin.client.models import Category, Change, Draft, Hello
from tocsin.client.retries import RetryPolicy

pytestmark = pytest.mark.timeout(180)

PATIENT = RetryPolicy(deadline=60, attempt=10)


async def test_a_verdict_is_waited_for(up: Up) -> None:
    async with TocsinClient(up.status["url"], up.status["service_key"]) as client:
        created = await client.create(new_user(), "Backup", "The backup failed: disk full")
        judged = await client.wait(created.id)

    assert judged.category is Category.CRITICAL
    assert judged.confidence is not None
    assert judged.keywords
    assert judged.is_final


async def test_many_are_made_once_though_the_api_is_killed_in_the_middle(up: Up) -> None:
    user, ledger = new_user(), Ledger(up.status["database_url"])
    drafts = [Draft(user, f"{number}", "all is well") for number in range(4_000)]
    made: list[str] = []

    async def send() -> None:
        async with TocsinClient(up.status["url"], up.status["service_key"], policy=PATIENT) as client:
            made.extend([created.title async for created in client.create_many(counted(drafts))])

    sent = 0

    def counted(all_of_them: list[Draft]) -> Iterator[Draft]:
        nonlocal sent
        for sent, draft in enumerate(all_of_them, 1):  # noqa: B007 - it is looked at from outside
            yield draft

    sending = asyncio.create_task(send())
    # So many are taken from the list when the call with the first thousand was answered, and the next is under way.
    await until(lambda: sent >= 2_000, WITHIN)
    up.kill_part("api")
    await sending

    assert made == [draft.title for draft in drafts]
    rows = await ledger.rows("SELECT title FROM notifications WHERE user_id = $1", user)
    assert sorted(row["title"] for row in rows) == sorted(made)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "critical 0."), (1, "2500 made; 2500 unread\n"), (2, "info\n")],
    ids=["one", "many", "without an event loop"],
)
async def test_the_programs_of_the_manual_do_what_they_say(up: Up, tmp_path: Path, number: int, said: str) -> None:
    (one, many, _, blocking) = programs("docs/client.md")
    program = with_settings(
        (one, many, blocking)[number], URL=up.status["url"], KEY=up.status["service_key"], USER=new_user()
    )

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(write(program, tmp_path))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaints = (text.decode() for text in await process.communicate())

    assert (process.returncode, complaints) == (0, "")
    assert output.startswith(said)


async def test_the_program_that_follows_an_inbox_follows_it(up: Up, tmp_path: Path) -> None:
    url, key, user = up.status["url"], up.status["service_key"], new_user()
    (_, _, following, _) = programs("docs/client.md")
    program = write(with_settings(following, URL=url, KEY=key, USER=user), tmp_path)
    process = await asyncio.create_subprocess_exec(sys.executable, str(program), stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    try:
        assert await process.stdout.readline() == b"0 notifications\n"
        async with TocsinClient(url, key) as client:
            created = await client.create(user, "a", "b")
            assert await process.stdout.readline() == b"1 notifications\n"
            await client.wait(created.id)
            await client.delete(created.id)
        while await process.stdout.readline() != b"0 notifications\n":
            pass
    finally:
        process.kill()
        await process.communicate()


async def test_a_stream_goes_on_where_it_was_when_the_api_died(up: Up) -> None:
    user = new_user()
    seen: dict[str, int] = {}

    async def follow(client: TocsinClient) -> None:
        async with aclosing(client.stream(user)) as messages:
            async for message in messages:
                if isinstance(message, Change):
                    assert message.notification.version > seen.get(message.notification.title, 0)
                    seen[message.notification.title] = message.notification.version
                    began.set()
                elif isinstance(message, Hello):
                    began.set()

    began = asyncio.Event()
    async with TocsinClient(up.status["url"], up.status["service_key"], policy=PATIENT) as client:
        following = asyncio.create_task(follow(client))
        await began.wait()
        drafts = [Draft(user, f"{number}", "all is well") for number in range(30)]
        for number, draft in enumerate(drafts):
            await client.create(user, draft.title, draft.text)
            if number == 10:
                up.kill_part("api")
        stored = {item.title: item async for item in client.notifications(user_id=user)}
        for item in stored.values():
            await client.wait(item.id)
        final = {item.title: item.version async for item in client.notifications(user_id=user)}
        await until(lambda: seen == final, WITHIN)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    assert len(final) == 30
