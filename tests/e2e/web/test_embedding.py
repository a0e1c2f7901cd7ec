"""The inbox in a page of somebody else, and the page under a sub-path."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Route, expect

from tests.e2e.up import Up
from tests.e2e.web.neighbours import Application, Proxy, listening
from tests.e2e.web.reader import Inbox, Library, Reader
from tests.house.scripts import FOLDER

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(loop_scope="session")
async def application(inbox: Inbox, neighbour: str) -> AsyncIterator[Application]:
    """An application on another origin, of which the service was told."""
    application = Application(inbox)
    async with listening(application.serve, urlsplit(neighbour).port or 0):
        yield application


async def test_an_application_embeds_the_inbox_with_one_line(
    library: Library, application: Application, neighbour: str
) -> None:
    reader = await library.reader(url=neighbour, color_scheme="dark")
    await reader.page.goto(neighbour)
    await reader.is_live()
    style = "getComputedStyle(document.querySelector('tocsin-inbox'))"

    await application.inbox.post("Hello")
    await reader.shows("Hello")
    await expect(reader.page.locator("h1")).to_have_text("My application (1)")
    await reader.row("Hello").click()
    await expect(reader.page.locator("h1")).to_have_text("My application")

    assert (application.tokens, reader.page.url) == (1, f"{neighbour}/"), "the address is the application's own"
    assert await reader.page.evaluate(f"{style}.colorScheme") == "light"
    await reader.page.keyboard.press("Escape")
    await reader.page.locator("h1").click()
    await reader.page.evaluate("document.activeElement.blur()")
    await reader.page.keyboard.press("d")
    await reader.shows("Hello")


async def test_tokens_are_renewed_before_anybody_notices(
    library: Library, application: Application, neighbour: str
) -> None:
    application.ttl = 2
    reader = await library.reader(url=neighbour)
    await reader.page.goto(neighbour)
    await reader.is_live()

    async with reader.page.expect_websocket():
        await application.inbox.post("Before")
        await reader.shows("Before")
    await reader.is_live()
    await application.inbox.post("After")

    await reader.shows("After", "Before")
    assert application.tokens > 1


async def test_who_cannot_get_a_new_token_for_a_while_gets_one_later(
    library: Library, application: Application, neighbour: str
) -> None:
    application.ttl = 2
    reader = await library.reader(url=neighbour)
    await reader.page.goto(neighbour)
    await reader.page.evaluate(
        "document.querySelector('tocsin-inbox').getToken = async () => (await fetch('/my/token')).json()"
    )
    await reader.is_live()

    await reader.page.route("**/my/token", lambda route: route.abort())
    await expect(reader.line).to_have_text("Connecting")
    await application.inbox.post("Meanwhile")
    await reader.page.unroute_all()

    await reader.is_live()
    await reader.shows("Meanwhile")


async def test_the_application_is_told_when_its_user_may_look_no_more(
    library: Library, application: Application, neighbour: str
) -> None:
    application.ttl = 2
    reader = await library.reader(url=neighbour)
    await reader.page.goto(neighbour)
    await reader.is_live()

    application.knows_the_user = False

    await expect(reader.page).to_have_title("/login")


async def test_the_page_works_under_a_sub_path(library: Library, inbox: Inbox, up: Up) -> None:
    proxy = Proxy(up.status["url"], "/alerts/")
    async with listening(proxy.serve) as url:
        reader = await library.reader(url=f"{url}/alerts")
        await reader.open(await inbox.token())

        await inbox.post("Hello")
        await reader.shows("Hello")
        await reader.chip("Info").click()
        await reader.shows("Hello")

        assert reader.page.url == f"{url}/alerts/?category=info"
        assert {path.split("/")[1] for path in proxy.paths} == {"alerts"}
        await reader.page.close()


async def test_the_modules_work_as_they_are_in_the_repository(reader: Reader, inbox: Inbox) -> None:
    async def raw(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        await route.fulfill(body=(FOLDER / name).read_text("utf-8"), content_type="text/javascript")

    loaded: set[str] = set()
    reader.page.on("request", lambda request: loaded.add(request.url.rpartition("/")[2]))
    await reader.page.route("**/web/*.js", raw)

    await reader.open(await inbox.token())

    assert {path.name for path in FOLDER.glob("*.js")} <= loaded
