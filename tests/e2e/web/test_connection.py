"""A reader who loses the connection comes back and has missed nothing."""

import re

import pytest
from playwright.async_api import Route, expect

from tests.e2e.up import Up
from tests.e2e.web.reader import Inbox, Reader

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def without_date(route: Route) -> None:
    """Answer as a service whose clock slept along would."""
    answer = await route.fetch()
    await route.fulfill(
        response=answer, headers={name: text for name, text in answer.headers.items() if name != "date"}
    )


async def test_who_was_offline_is_told_so_and_misses_nothing(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "Before"}, {"title": "Read meanwhile"})
    await inbox.judged(2)
    await reader.open(await inbox.token())

    await reader.page.context.set_offline(offline=True)
    await expect(reader.line).to_have_text("Offline")
    await reader.row("Before").hover()
    await reader.row("Before").get_by_role("button", name="Mark read").click()
    await expect(reader.toast).to_contain_text("The service cannot be reached")
    await expect(reader.row("Before")).to_have_class(re.compile("unread"))
    newest = (await inbox.judged(2))[0]
    await inbox.api.post(f"/notifications/{newest['id']}/read")
    await inbox.post("Meanwhile", "error")
    await inbox.judged(3)
    await reader.page.context.set_offline(offline=False)

    await reader.is_live()
    await expect(reader.row("Meanwhile")).to_contain_text("Critical")
    await expect(reader.row("Read meanwhile")).not_to_have_class(re.compile("unread"))
    await expect(reader.page).to_have_title("(2) Tocsin")


async def test_the_server_may_be_restarted(reader: Reader, inbox: Inbox, up: Up) -> None:
    await inbox.post("Before")
    await inbox.judged(1)
    await reader.open(await inbox.token())

    pid = up.kill_part("api")
    await expect(reader.line).to_have_text("Connecting")
    await up.replaces("api", pid)

    await reader.is_live()
    await inbox.post("After")
    await reader.shows("After", "Before")


async def test_a_laptop_that_slept_connects_anew_at_once(reader: Reader, inbox: Inbox) -> None:
    await reader.page.clock.install()
    await reader.page.route("**/api/v1/**", without_date)
    await inbox.post("Before")
    await reader.open(await inbox.token())
    await reader.shows("Before")

    async with reader.page.expect_websocket():
        await reader.page.clock.fast_forward(130_000)

    await expect(reader.row("Before")).to_contain_text("2 min ago")
    await reader.is_live()
    await inbox.post("After")
    await reader.shows("After", "Before")


@pytest.mark.parametrize("how", ["refused", "broken off"])
async def test_a_list_that_failed_while_all_else_is_live_comes_by_itself(
    reader: Reader, inbox: Inbox, how: str
) -> None:
    async def fail(route: Route) -> None:
        await (route.abort() if how == "refused" else route.fulfill(status=200, body='{"items": ['))

    await reader.page.clock.install()
    await reader.page.route("**/api/v1/notifications?*", fail)
    await inbox.post("Before")
    await reader.open(await inbox.token())
    await expect(reader.button("Try again")).to_be_visible()

    await reader.page.unroute_all()
    await reader.page.clock.fast_forward(15_000)

    await reader.shows("Before")


async def test_more_than_can_be_told_is_listed_anew(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("First")
    await inbox.judged(1)
    await reader.open(await inbox.token())
    await reader.page.context.set_offline(offline=True)
    await expect(reader.line).to_have_text("Offline")
    for batch in range(2):
        await inbox.post_all(*({"title": f"Item {batch * 600 + number}"} for number in range(600)))
    await reader.page.context.set_offline(offline=False)

    await expect(reader.row("Item 1199")).to_be_visible()
    await expect(reader.page).to_have_title("(1,201) Tocsin")


async def test_an_inbox_that_cannot_be_loaded_says_so_and_comes_when_it_can(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Hello")
    token = await inbox.token()
    await reader.page.goto(reader.url)
    await reader.page.evaluate("token => sessionStorage.setItem('tocsin-token', token)", token)
    await reader.page.route("**/api/v1/**", lambda route: route.abort())
    await reader.page.reload()
    await expect(reader.page.get_by_text("The inbox cannot be shown")).to_be_visible()
    await expect(reader.page.get_by_text("The service cannot be reached")).to_be_visible()

    await reader.page.unroute_all()
    await reader.button("Try again").click()

    await reader.shows("Hello")
    await reader.is_live()


async def test_a_list_that_could_not_be_loaded_comes_with_the_connection(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Before")
    await reader.page.route("**/api/v1/notifications?*", lambda route: route.abort())
    await reader.open(await inbox.token())
    await expect(reader.page.get_by_text("The inbox cannot be shown")).to_be_visible()
    await reader.page.unroute_all()

    await reader.page.context.set_offline(offline=True)
    await reader.page.context.set_offline(offline=False)

    await reader.shows("Before")


async def test_only_an_unseen_critical_in_a_hidden_tab_rings_and_only_if_asked(reader: Reader, inbox: Inbox) -> None:
    await reader.page.context.grant_permissions(["notifications"])
    await reader.page.add_init_script(
        """
        window.rung = [];
        window.isHidden = false;
        Object.defineProperty(Document.prototype, "hidden", { get: () => window.isHidden });
        window.Notification = class {
            static permission = "granted";
            static async requestPermission() { return "granted"; }
            constructor(title, options) { window.rung.push(`${title}: ${options.body}`); }
        };
        """
    )
    await reader.open(await inbox.token())
    await inbox.post("Not asked for", "error")
    await expect(reader.row("Not asked for")).to_contain_text("Critical")
    await reader.button("Ring for critical ones").click()
    await inbox.post("Seen", "error")
    await expect(reader.row("Seen")).to_contain_text("Critical")
    await reader.page.evaluate("window.isHidden = true")

    await inbox.post_all({"title": "Harmless"}, {"title": "Fire", "text": "error: it burns"})

    await expect(reader.row("Fire")).to_contain_text("Critical")
    assert await reader.page.evaluate("window.rung") == ["Fire: error: it burns"]
