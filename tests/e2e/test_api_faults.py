"""API servers that are killed and stopped: what was acknowledged is there, and repeats are safe."""

import asyncio
import signal
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.e2e.programs import WITHIN
from tests.e2e.test_worker_faults import SIGTERM_WITHIN
from tests.e2e.up import Up
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)


@dataclass
class Stream:
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
    stream = Stream(api, user)
    writers = [asyncio.create_task(stream.run(f"{kind}-{n}")) for n in range(4) for kind in ("keyed", "plain")]
    await until(lambda: len(stream.acknowledged) >= 50, WITHIN)

    pid = up.kill_part("api")
    await until(lambda: len(stream.unknown) >= len(writers), WITHIN)
    stream.ended = True
    await asyncio.gather(*writers)
    await up.replaces("api", pid)
    await up.is_well(http)
    repeats = [text for text in stream.unknown if text.startswith("keyed")]
    assert all([await stream.create(text) for text in repeats])

    rows = await ledger.rows("SELECT id::text, text FROM notifications WHERE user_id = $1", user)
    stored = {row["text"]: row["id"] for row in rows}
    assert stored.items() >= stream.acknowledged.items()
    assert stored.keys() <= stream.acknowledged.keys() | set(stream.unknown)
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
