"""One browser for all tests of a process, and a context of its own for each.

A browser belongs to an event loop, so these tests share one: each says so by its `pytestmark`.
"""

import secrets
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from pydantic import SecretStr

from tests.e2e.api import new_user
from tests.e2e.ledger import Ledger
from tests.e2e.mock_ai import WELL
from tests.e2e.up import Up
from tests.e2e.web.chromium import FLAGS, find_chromium
from tests.e2e.web.reader import Inbox, Library, Reader
from tests.fixtures.no_tls import NO_TLS
from tocsin.bootstrap import build_access, open_database
from tocsin.models.api_key import Scope
from tocsin.settings import DatabaseSettings, RedisSettings, Settings

_MANY = """
    WITH inbox AS (
        INSERT INTO inboxes (user_id, version, unread_info) VALUES ($1, 100000, 100000) RETURNING user_id
    )
    INSERT INTO notifications
        (id, user_id, title, text, created_at, version, category, severity, confidence, keywords, analyzer, analyzed_at,
         processing_status)
    SELECT ('019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, user_id, 'Row ' || n,
           repeat('Some words of a text. ', 1 + n % 9), now(), n, 'info', 0, 0.9, '{words}', 'tests', now(), 'completed'
    FROM inbox, generate_series(1, 100000) AS n
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    try:
        path = find_chromium()
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(verify=NO_TLS, timeout=60) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def up(shared_up: Up, http: httpx2.AsyncClient) -> Up:
    """A `tocsin up` in which all is well, whatever the test before did to it."""
    await shared_up.is_well(http)
    await shared_up.ai(http).turn(delay_min=0.05, delay_max=0.1, **WELL)
    return shared_up


@pytest.fixture
def inbox(up: Up, http: httpx2.AsyncClient) -> Inbox:
    """An inbox that nobody has written to."""
    return Inbox(up.api(http), new_user())


@pytest_asyncio.fixture(loop_scope="session")
async def library(browser: Browser, up: Up) -> AsyncIterator[Library]:
    """Where tabs are opened; what any of them complained of fails the test."""
    library = Library(browser, up.status["url"])
    yield library
    assert await library.close() == []


@pytest_asyncio.fixture(loop_scope="session")
async def reader(library: Library) -> Reader:
    """A tab on a wide screen."""
    return await library.reader(viewport={"width": 1280, "height": 800})


@pytest_asyncio.fixture(loop_scope="session")
async def broken(inbox: Inbox, up: Up, http: httpx2.AsyncClient) -> Inbox:
    """An inbox with a notification that the AI had no sense to say of, and will have next time."""
    await up.ai(http).turn(garbage_rate=1)
    await inbox.post("Riddle", "What is it?")
    await inbox.api.all_final(inbox.user, 1)
    await up.ai(http).turn(**WELL)
    return inbox


@pytest_asyncio.fixture(loop_scope="session")
async def many(inbox: Inbox, up: Up) -> None:
    """A hundred thousand in the inbox, put there past the API."""
    await Ledger(up.status["database_url"]).rows(_MANY, UUID(inbox.user))


@pytest_asyncio.fixture(loop_scope="session")
async def write_only_key(up: Up) -> str:
    """A service key that may create and change, but not read."""
    settings = Settings(
        secret=SecretStr(secrets.token_hex(32)),
        database=DatabaseSettings(url=SecretStr(up.status["database_url"])),
        redis=RedisSettings(broker_url=SecretStr(up.status["redis_url"])),
    )
    async with open_database(settings, "tests") as database:
        return (await build_access(settings, database).create_key("tests", [Scope.WRITE]))[1]
