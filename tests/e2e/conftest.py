"""The real processes: one `tocsin up` for all tests that leave it as it was, and a crew for those who choose."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest

from tests.e2e.api import Api
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.e2e.mock_ai import WELL
from tests.e2e.programs import HASTE, Program
from tests.e2e.up import Up
from tests.e2e.watched import Addresses, Watched, watching
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.servers import Servers, made_database
from tests.waiting import until_blocking
from tocsin.embedded.ports import find_free_port

_SHOWN_LINES = 150


@dataclass(frozen=True)
class Site:
    """What a crew works on: a database and a queue that no other test uses, and one API server."""

    environment: dict[str, str]
    database_url: str
    crew: Crew
    url: str
    key: str


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(verify=NO_TLS, timeout=60, limits=httpx2.Limits(max_connections=100)) as client:
        yield client


@pytest.fixture(scope="session")
def neighbour() -> str:
    """The origin of an application whose pages may call the shared `tocsin up`."""
    return f"http://127.0.0.1:{find_free_port('127.0.0.1')}"


@pytest.fixture(scope="session")
def shared_up(tmp_path_factory: pytest.TempPathFactory, neighbour: str) -> Iterator[Up]:
    home = tmp_path_factory.mktemp("up")
    # It runs to the end, mostly with nothing to do.
    calm = {"TOCSIN_WORKER__MAINTAIN_EVERY": "2", "TOCSIN_API__CORS_ORIGINS": neighbour}
    up = Up(home / "data", home / "up.log", HASTE | calm)
    try:
        until_blocking(lambda: up.is_ready, 120)
        yield up
    finally:
        up.stop()


@pytest.fixture
async def up(shared_up: Up, http: httpx2.AsyncClient) -> Up:
    """A `tocsin up` in which all is well, whatever the test before did to it."""
    await shared_up.is_well(http)
    await shared_up.ai(http).turn(delay_min=0.05, delay_max=0.1, **WELL)
    return shared_up


@pytest.fixture(scope="session")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An API server without a worker."""
    with made_database(servers) as database_url:
        environment = {
            "TOCSIN_SECRET": secrets.token_hex(32),
            "TOCSIN_DATABASE__URL": database_url,
            # A queue of its own.
            "TOCSIN_REDIS__BROKER_URL": urlunsplit(urlsplit(servers.redis_url)._replace(path="/7")),
        }
        crew = Crew(tmp_path_factory.mktemp("site"), environment)
        try:
            keys = crew.start("keys", "create", "tests")
            _, url = asyncio.run(crew.api())
            until_blocking(lambda: not keys.is_running, 60)
            yield Site(environment, database_url, crew, url, keys.output.split()[0])
        finally:
            crew.close()


@pytest.fixture
def idle_site(site: Site) -> Site:
    """The site, on which nothing is left to do for workers that the test starts."""
    asyncio.run(Ledger(site.database_url).clear())
    return site


@pytest.fixture
def crew(idle_site: Site, tmp_path: Path) -> Iterator[Crew]:
    """Whom the test starts on the site; they are gone at its end."""
    crew = Crew(tmp_path, idle_site.environment)
    yield crew
    crew.close()


@pytest.fixture
def api(site: Site, http: httpx2.AsyncClient) -> Api:
    """The API of the site."""
    return Api(http, site.url, site.key)


@pytest.fixture
def ledger(site: Site) -> Ledger:
    """The database of the site."""
    return Ledger(site.database_url)


@pytest.fixture(scope="session")
def watched_addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    with watching(tmp_path_factory.mktemp("watched")) as addresses:
        yield addresses


@pytest.fixture
async def watched(watched_addresses: Addresses, http: httpx2.AsyncClient) -> AsyncIterator[Watched]:
    """A Tocsin that is well, under watch, with traffic on it."""
    it = watched_addresses.reached_by(http)
    await it.is_well(http)
    async with it.traffic():
        yield it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said beside a failure."""
    report = yield
    if report.failed:
        for program in _programs_of(item):
            tail = "\n".join(program.output.splitlines()[-_SHOWN_LINES:])
            report.sections.append((f"{report.when}: what {program.name} said", tail))
    return report


def _programs_of(item: pytest.Item) -> Iterator[Program]:
    for value in getattr(item, "funcargs", {}).values():
        match value:
            case Program():
                yield value
            case Watched(up=program):
                yield program
            case Crew(programs=programs) | Site(crew=Crew(programs=programs)):
                yield from programs
