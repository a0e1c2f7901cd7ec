"""What a reader does: at once on the screen, and taken back with a word if the service refuses."""

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from tests.e2e.api import Json
from tests.e2e.web.reader import Inbox, Reader
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

UNREAD = re.compile("unread")
FOCUSED = "document.querySelector('tocsin-inbox').shadowRoot.activeElement?.classList[0]"


async def all_of(inbox: Inbox) -> dict[str, Json]:
    return {item["title"]: item for item in await inbox.api.all(inbox.user)}


async def refuse(route: Route) -> None:
    await route.fulfill(status=503, json={"code": "unavailable", "detail": "It cannot be done right now."})


async def test_marking_read_and_unread_again(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Backup")
    await inbox.judged(1)
    await reader.open(await inbox.token())
    row = reader.row("Backup")
    await row.hover()

    await row.get_by_role("button", name="Mark read").click()
    await expect(row).not_to_have_class(UNREAD)
    await expect(reader.chip("All")).to_have_text("All")
    await row.get_by_role("button", name="Mark unread").click()
    await expect(row).to_have_class(UNREAD)
    await expect(reader.chip("All")).to_have_text("All1")

    async def stored() -> bool:
        return (await all_of(inbox))["Backup"]["read_at"] is None

    await eventually(stored)


async def test_what_the_service_refuses_is_taken_back_and_said(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "One"}, {"title": "Two"})
    await inbox.judged(2)
    await reader.open(await inbox.token())
    await reader.page.route(re.compile(r"/notifications/[^/]+(/read)?$"), refuse)

    await reader.row("One").click()
    await expect(reader.toast).to_contain_text("Mark read: that did not work.")
    await expect(reader.toast).to_contain_text("It cannot be done right now.")
    await expect(reader.row("One")).to_have_class(UNREAD)
    await expect(reader.page).to_have_title("(2) Tocsin")
    await reader.page.keyboard.press("d")
    await expect(reader.toast).to_contain_text("Delete: that did not work")
    await reader.shows("Two", "One")
    await expect(reader.page).to_have_title("(2) Tocsin")
    assert not any(item["read_at"] for item in (await all_of(inbox)).values())


async def test_a_deletion_can_be_undone(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "One"}, {"title": "Two"})
    await inbox.judged(2)
    await reader.open(await inbox.token())
    await reader.row("Two").click()
    await expect(reader.detail.locator(".title")).to_have_text("Two")

    await reader.detail.get_by_role("button", name="Delete").click()
    await reader.shows("One")
    await expect(reader.detail.locator(".title")).to_have_count(0)
    await expect(reader.row("One")).to_be_focused()
    await reader.toast.get_by_role("button", name="Undo").click()

    await reader.shows("Two", "One")
    await expect(reader.row("Two")).to_be_focused()
    await expect(reader.toast).to_have_count(0)

    async def restored() -> bool:
        return set(await all_of(inbox)) == {"One", "Two"}

    await eventually(restored)


async def test_marking_all_read_spares_what_was_not_seen(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all(*({"title": f"Seen {number}"} for number in range(30)))
    await inbox.judged(30)
    await reader.open(await inbox.token())
    await reader.row("Seen 25").hover()
    await reader.page.mouse.wheel(0, 400)
    await expect(reader.row("Seen 29")).not_to_be_in_viewport()
    await inbox.post("Unseen")
    await expect(reader.news).to_have_text("1 new")

    await reader.button("Mark all read").click()

    await expect(reader.toast).to_contain_text("30 marked read")
    await expect(reader.page).to_have_title("(1) Tocsin")
    assert [title for title, item in (await all_of(inbox)).items() if not item["read_at"]] == ["Unseen"]


async def test_marking_these_read_keeps_to_the_filter(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "Bad", "text": "error"}, {"title": "Good"})
    await inbox.judged(2)
    await reader.open(await inbox.token(), "?category=critical")
    await reader.shows("Bad")

    await reader.button("Mark these read").click()

    await expect(reader.page).to_have_title("(1) Tocsin")
    items = await all_of(inbox)
    assert items["Bad"]["read_at"]
    assert not items["Good"]["read_at"]


async def test_everything_can_be_done_with_the_keyboard_alone(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "One", "text": "error"}, {"title": "Two"}, {"title": "Three"})
    await inbox.judged(3)
    await reader.open(await inbox.token())
    await reader.shows("Three", "Two", "One")
    press = reader.page.keyboard.press

    await press("j")
    await expect(reader.row("Three")).to_be_focused()
    await press("j")
    await expect(reader.row("Two")).to_be_focused()
    await press("r")
    await expect(reader.row("Two")).not_to_have_class(UNREAD)
    await press("r")
    await expect(reader.row("Two")).to_have_class(UNREAD)
    await press("Enter")
    await expect(reader.detail).to_be_focused()
    await expect(reader.detail.locator(".title")).to_have_text("Two")
    await press("k")
    await expect(reader.detail.locator(".title")).to_have_text("Three")
    await press("Escape")
    await expect(reader.row("Three")).to_be_focused()
    assert "open=" not in reader.address
    await press("d")
    await reader.shows("Two", "One")
    await expect(reader.row("Two")).to_be_focused()
    await press("z")
    await reader.shows("Three", "Two", "One")
    await press("1")
    await reader.shows("One")
    await press("0")
    await reader.shows("Three", "Two", "One")
    await press("s")
    await reader.shows("One", "Three", "Two")
    await press("/")
    await expect(reader.search).to_be_focused()
    await press("Escape")
    await press("?")
    dialog = reader.page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_be_visible()
    assert "" not in await dialog.locator("dd").all_text_contents()
    await press("Enter")
    await expect(dialog).not_to_be_visible()
    await press("Shift+R")
    await expect(reader.page).to_have_title("Tocsin")


async def test_single_keys_can_be_switched_off(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Backup")
    await inbox.judged(1)
    await reader.open(await inbox.token())
    await reader.button("Keyboard shortcuts").click()
    await reader.page.get_by_label("Shortcuts without Ctrl").uncheck()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Close").click()

    await reader.page.keyboard.press("ArrowDown")
    await expect(reader.row("Backup")).to_be_focused()
    await reader.page.keyboard.press("r")
    await reader.page.keyboard.press("Enter")
    await expect(reader.detail).to_be_focused()
    await reader.page.reload()
    await reader.is_live()
    await reader.page.keyboard.press("?")
    await expect(reader.page.get_by_role("dialog")).to_have_count(0)


async def test_keys_are_where_they_are_on_a_cyrillic_keyboard(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Backup")
    await reader.open(await inbox.token())
    await reader.shows("Backup")
    press = """([key, code]) => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key, code, bubbles: true, composed: true, cancelable: true }))"""

    await reader.page.evaluate(press, ["о", "KeyJ"])
    await expect(reader.row("Backup")).to_be_focused()
    await reader.page.evaluate(press, [".", "Slash"])
    await expect(reader.search).to_be_focused()


async def test_the_focus_goes_on_to_what_takes_the_place_of_a_row(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "One"}, {"title": "Two"}, {"title": "Three"})
    one, two, three = reversed([item["id"] for item in await inbox.judged(3)])
    await reader.open(await inbox.token())
    await reader.shows("Three", "Two", "One")
    await reader.page.keyboard.press("j")
    await reader.page.keyboard.press("j")
    await expect(reader.row("Two")).to_be_focused()

    await inbox.api.delete(f"/notifications/{two}")
    await expect(reader.row("One")).to_be_focused()
    await inbox.api.delete(f"/notifications/{one}")
    await expect(reader.row("Three")).to_be_focused()
    await reader.page.keyboard.press("d")
    await expect(reader.page.get_by_text("All quiet")).to_be_visible()
    assert await reader.page.evaluate(FOCUSED) == "inbox"
    await reader.page.keyboard.press("z")
    await expect(reader.row("Three")).to_be_focused()
    assert {item["id"] for item in await inbox.api.all(inbox.user)} <= {three}


async def test_the_focus_stays_in_the_inbox_when_what_was_pressed_is_gone(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("One")
    await inbox.judged(1)
    await reader.open(await inbox.token(), "?category=critical")
    await reader.button("Show all").focus()
    await reader.page.keyboard.press("Enter")
    await reader.shows("One")
    assert await reader.page.evaluate(FOCUSED) == "inbox"

    await reader.button("Mark all read").focus()
    await reader.page.keyboard.press("Enter")
    await expect(reader.toast).to_contain_text("1 marked read")
    await expect(reader.button("Mark all read")).to_be_disabled()
    assert await reader.page.evaluate(FOCUSED)


async def test_marking_all_read_waits_until_there_is_something_to_see(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("One")
    await inbox.judged(1)
    shown = asyncio.Event()

    async def hold(route: Route) -> None:
        await shown.wait()
        await route.continue_()

    await reader.page.route("**/api/v1/notifications?*", hold)
    await reader.open(await inbox.token())
    await reader.page.keyboard.press("Shift+R")
    shown.set()
    await reader.shows("One")

    await reader.page.keyboard.press("Shift+R")

    await expect(reader.toast).to_contain_text("1 marked read")


async def test_a_deletion_undone_before_it_was_done_outlives_what_changes_meanwhile(
    reader: Reader, inbox: Inbox
) -> None:
    await inbox.post_all({"title": "One"}, {"title": "Two"})
    (two, _) = await inbox.judged(2)
    deleted = asyncio.Event()

    async def hold(route: Route) -> None:
        await deleted.wait()
        await route.continue_()

    await reader.open(await inbox.token())
    await reader.page.route(f"**/notifications/{two['id']}", hold)
    await reader.page.keyboard.press("j")
    await reader.page.keyboard.press("d")
    await reader.shows("One")
    await inbox.api.post(f"/notifications/{two['id']}/read")
    await expect(reader.page).to_have_title("(1) Tocsin")
    await reader.page.keyboard.press("z")
    await reader.shows("Two", "One")
    deleted.set()

    async def restored() -> bool:
        items = await all_of(inbox)
        return set(items) == {"One", "Two"} and items["Two"]["version"] > two["version"] + 2

    await eventually(restored)
    await expect(reader.row("Two")).not_to_have_class(UNREAD)
    await expect(reader.page).to_have_title("(1) Tocsin")


async def test_an_undo_leaves_what_is_new_to_be_seen(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all(*({"title": f"Earlier {number}"} for number in range(9)))
    await inbox.judged(9)
    await reader.open(await inbox.token())
    await reader.row("Earlier 7").click()
    await reader.page.keyboard.press("d")
    await expect(reader.row("Earlier 7")).to_have_count(0)
    await inbox.post_all({"title": "First"}, {"title": "Second"}, {"title": "Third"})
    await expect(reader.news).to_have_text("3 new")

    await reader.page.keyboard.press("z")

    await expect(reader.row("Earlier 7")).to_be_focused()
    await expect(reader.news).to_have_text("3 new")
