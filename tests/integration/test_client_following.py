"""The manual's program that follows an inbox, against a server that plays the stream."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e.documents import programs, with_settings, write
from tests.fixtures.scripted_api import hello, notification, played, reset, says, sends, talks, waits_for

pytestmark = pytest.mark.timeout(60)


async def test_all_of_a_large_inbox_is_loaded_and_after_a_reset_only_what_is_there_then(tmp_path: Path) -> None:
    over = asyncio.Event()
    script = (
        talks(sends(hello("e.1200", recovered=False), reset("e.3000")), waits_for(over)),
        says({"items": [notification(number) for number in range(600)], "next_cursor": "more"}),
        says({"items": [notification(number) for number in range(600, 1_200)], "next_cursor": None}),
        says({"items": [notification(7, version=3_000)], "next_cursor": None}),
    )
    async with played(*script) as (api, _):
        (_, _, following, _) = programs("docs/client.md")
        program = write(with_settings(following, URL=api.url, KEY="k", USER=str(UUID(int=0))), tmp_path)
        process = await asyncio.create_subprocess_exec(sys.executable, str(program), stdout=asyncio.subprocess.PIPE)
        assert process.stdout
        try:
            said = [await process.stdout.readline() for _ in range(2)]
        finally:
            over.set()
            process.kill()
            await process.communicate()

    assert said == [b"1200 notifications\n", b"1 notifications\n"]
