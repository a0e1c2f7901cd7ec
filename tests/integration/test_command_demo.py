"""What ``tocsin demo`` says, against a server that plays the service."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fixtures.scripted_api import UNREAD, hangs, played, says
from tests.waiting import until
from tocsin.cli.connection import find_connection
from tocsin.cli.demo_inbox import DEMO_USER_ID
from tocsin.cli.playing import play
from tocsin.client.models import Draft

INBOX = says({"user_id": DEMO_USER_ID, "version": 0, "position": "e.0", "unread": UNREAD})


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (None, "A day of 7 notifications: 0 at once, 7 more within 20 seconds.\n"),
        (0, "A day of 7 notifications at once.\n"),
        (90, "A day of 7 notifications within 90 seconds.\n"),
    ],
)
async def test_a_pipe_is_told_what_comes_before_anything_does(
    capsys: pytest.CaptureFixture[str], over: float | None, said: str
) -> None:
    told: list[str] = []

    def heard() -> str:
        told.append(capsys.readouterr().out)
        return "".join(told)

    async with played(INBOX, hangs) as (_, client):
        playing = asyncio.create_task(play(client, [Draft(DEMO_USER_ID, "a", "b")] * 7, over))
        await until(heard, 10)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)

    assert heard() == said


def test_the_page_of_the_demo_inbox_is_the_link_that_opens_it(tmp_path: Path) -> None:
    link = "http://127.0.0.1:8000/#token=x"
    status = {"url": "http://127.0.0.1:8000", "service_key": "tcs_x", "inbox_url": link}
    (tmp_path / "up.json").write_text(json.dumps(status))

    found = find_connection(None, None, tmp_path)

    assert found.page_of(found.user(None)) == link
    assert found.page_of(uuid4()) == "http://127.0.0.1:8000"
    assert "token" not in repr(found)
