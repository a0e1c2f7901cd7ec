"""API servers that are killed and stopped: what was acknowledged is there, and repeats are safe."""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.conftest import Site
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.e2e.programs import WITHIN
from tests.e2e.test_worker_faults import SIGTERM_WITHIN
from tests.e2e.up import Up
from tests.fixtures.streams import HANDSHAKE, Stream, open_events, open_socket
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)


@dataclass
class Writer:
    """Creates without end until told otherwise, some with an idempotency key, and remembers what was acknowledged."""

    api: Api
    user: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    """The ids by the text, which is also the key where there is one."""
    unknown: list[str] = field(default_factory=list)
    """Texts whose create got no answer."""
    ended: bool = False

    async def run(self, name: str) -> None:
        number = 0
        while not self.ended:
            number += 1
            await self.create(f"{name}-{number}")

    async def create(self, text: str) -> bool:
        key = text if text.startswith("keyed") else None
        try:
            answer = await self.api.try_create(self.user, text, key)
        except httpx2.TransportError:
            self.unknown.append(text)
            return False
        assert answer.status_code == 201, answer.text
        self.acknowledged[text] = answer.json()["id"]
        return True


async def test_no_acknowledged_create_is_lost_when_the_api_is_killed(up: Up, http: httpx2.AsyncClient) -> None:
    api, user, ledger = up.api(http), new_user(), Ledger(up.status["database_url"])
    writer = Writer(api, user)
    writers = [asyncio.create_task(writer.run(f"{kind}-{n}")) for n in range(4) for kind in ("keyed", "plain")]
    await until(lambda: len(writer.acknowledged) >= 50, WITHIN)

    pid = up.kill_part("api")
    await until(lambda: len(writer.unknown) >= len(writers), WITHIN)
    writer.ended = True
    await asyncio.gather(*writers)
    await up.replaces("api", pid)
    await up.is_well(http)
    repeats = [text for text in writer.unknown if text.startswith("keyed")]
    assert all([await writer.create(text) for text in repeats])

    rows = await ledger.rows("SELECT id::text, text FROM notifications WHERE user_id = $1", user)
    stored = {row["text"]: row["id"] for row in rows}
    assert stored.items() >= writer.acknowledged.items()
    assert stored.keys() <= writer.acknowledged.keys() | set(writer.unknown)
    assert len(rows) == len(stored), "a repeat made a second one"
    await api.all_completed(user, len(stored))
    await ledger.audit(api, user)


async def test_the_api_lets_those_go_who_wait_when_it_is_told_to_stop(
    crew: Crew, api: Api, http: httpx2.AsyncClient
) -> None:
    server, url = await crew.api()
    api = api.at(url)
    notification = await api.create(new_user())
    waiting = asyncio.create_task(api.get(f"/notifications/{notification['id']}/status", wait=30))
    await asyncio.wait({waiting}, timeout=1)
    # Whoever connects later is answered later: by now the one that waits has been heard.
    assert (await api.get(f"/notifications/{notification['id']}/status"))["processing_status"] == "pending"

    server.send(signal.SIGTERM)

    assert await server.ends(SIGTERM_WITHIN) == 0
    assert (await waiting)["processing_status"] == "pending"


async def test_all_who_listen_are_told_when_to_come_back_when_the_api_is_told_to_stop(crew: Crew, site: Site) -> None:
    server, url = await crew.api()
    users = [new_user() for _ in range(3)]
    async with AsyncExitStack() as stack:
        enter, key = stack.enter_async_context, site.key
        sockets = await asyncio.gather(*(enter(open_socket(url, users[n % 3], key)) for n in range(270)))
        events = await asyncio.gather(*(enter(open_events(url, users[n % 3], key)) for n in range(6)))
        streams: list[Stream] = [*sockets, *events]
        assert {(await stream.next())["type"] for stream in streams} == {"hello"}
        # One who neither reads nor answers.
        _, mute = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        stack.callback(mute.close)
        path = f"/api/v1/inboxes/{users[0]}/stream"
        mute.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.key}\r\n{HANDSHAKE}\r\n".encode())

        server.send(signal.SIGTERM)
        rests = await asyncio.gather(*(stream.rest() for stream in streams))
        assert await server.ends(SIGTERM_WITHIN) == 0

    closes = [messages[-1] for messages in rests]
    assert {(close["type"], close["code"], close["reason"]) for close in closes} == {("close", 4000, "server_stopping")}
    assert {(stream.code, stream.reason) for stream in sockets} == {(4000, "server_stopping")}
    after = sorted(close["retry_after"] for close in closes)
    assert 0 <= after[0] < 1
    assert 4 < after[-1] <= 5
    assert len(set(after)) > 25, "they do not come back all at once"
