"""For every reader: light and dark, wide and on a phone, in both languages, with eyes and without."""

from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.e2e.up import Up
from tests.e2e.web.reader import Inbox, Library, Reader
from tests.fixtures.processes import paused

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCHEMES: tuple[tuple[Literal["light", "dark"], list[str]], ...] = (
    ("light", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]),
    ("dark", ["color-contrast"]),
)
DRAFTS = (
    {"title": "Payment failed", "text": "Payment of order 4711 failed.", "link": "https://example.com/"},
    {"title": "Careful", "text": "Careful, the disk is nearly full.", "source": "monitoring", "data": {"a": 1}},
    {"title": "Fine", "text": "All is well."},
)
SMALL_TARGETS = """(least) => {
    const root = document.querySelector("tocsin-inbox")?.shadowRoot ?? document;
    return [...root.querySelectorAll("button, a, select, input")]
        .map((element) => [element.name, element.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < least || box.height < least))
        .map(([name, box]) => `${name}: ${box.width} x ${box.height}`);
}"""


async def assert_accessible(reader: Reader) -> None:
    """Look for barriers in the light, and in the dark for what differs there."""
    for scheme, rules in SCHEMES:
        await reader.page.emulate_media(color_scheme=scheme)
        found = await Axe().run(reader.page, options={"runOnly": rules, "resultTypes": ["violations"]})
        violations = [(item["id"], item["nodes"][0]["target"]) for item in found.response["violations"]]
        assert violations == [], scheme


async def fill(inbox: Inbox) -> None:
    await inbox.post_all(*DRAFTS)
    await inbox.judged(3)


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
async def test_a_checker_finds_no_barrier(library: Library, broken: Inbox, screen: dict[str, Any]) -> None:
    await broken.post_all(*DRAFTS)
    await broken.api.all_final(broken.user, 4)
    reader = await library.reader(**screen)

    await reader.open(await broken.token())
    await expect(reader.rows).to_have_count(4)
    if screen is PHONE:
        await assert_accessible(reader)
    await reader.row("Payment failed").click()
    await expect(reader.detail.locator(".title")).to_have_text("Payment failed")
    await reader.button("Ring for critical ones").click()
    await expect(reader.toast).to_be_visible()
    await assert_accessible(reader)
    await reader.page.keyboard.press("?")
    await expect(reader.page.get_by_role("dialog")).to_be_visible()
    await assert_accessible(reader)


async def test_the_ways_in_have_no_barrier_either(library: Library, inbox: Inbox, up: Up) -> None:
    await inbox.post("Hello")
    reader = await library.reader(**WIDE)
    await reader.page.goto(reader.url)
    await reader.page.get_by_label("Service key or inbox token").fill("nonsense")
    await reader.button("Open the inbox").click()
    await expect(reader.page.get_by_role("alert")).to_be_visible()
    await assert_accessible(reader)
    await reader.page.get_by_label("Service key or inbox token").fill(up.status["service_key"])
    await reader.button("Open the inbox").click()
    await expect(reader.page.get_by_role("button", name=inbox.user)).to_be_visible()
    await assert_accessible(reader)


async def test_an_empty_inbox_has_no_barrier_either(reader: Reader, inbox: Inbox) -> None:
    await reader.open(await inbox.token())
    await expect(reader.page.get_by_text("All quiet")).to_be_visible()

    await assert_accessible(reader)


async def test_on_a_phone_the_detail_lies_over_the_list_and_leads_back(library: Library, inbox: Inbox) -> None:
    await fill(inbox)
    reader = await library.reader(**PHONE)
    await reader.open(await inbox.token())
    await expect(reader.detail).not_to_be_visible()
    assert await reader.page.evaluate(SMALL_TARGETS, 32) == []

    await reader.row("Careful").tap()
    await expect(reader.detail.locator(".title")).to_be_in_viewport()
    await expect(reader.detail).to_be_focused()
    await expect(reader.page.locator(".list-pane")).to_have_attribute("inert", "")
    assert await reader.page.evaluate("document.documentElement.scrollWidth") == 390
    await reader.page.go_back()
    await expect(reader.row("Careful")).to_be_focused()
    await reader.row("Fine").tap()
    await reader.button("Close").tap()
    await expect(reader.row("Fine")).to_be_focused()
    await expect(reader.detail).not_to_be_visible()


async def test_targets_are_large_enough_for_a_mouse(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    await reader.open(await inbox.token())
    await reader.row("Careful").click()

    assert await reader.page.evaluate(SMALL_TARGETS, 24) == []


async def test_russian_readers_are_spoken_to_in_russian(library: Library, inbox: Inbox) -> None:
    await inbox.post_all(*({"title": f"Запись {number}", "text": "error"} for number in range(22)))
    await inbox.judged(22)
    reader = await library.reader(locale="ru-RU", **WIDE)

    await reader.page.goto(f"{reader.url}/#token={await inbox.token()}")

    await expect(reader.line).to_have_text("На связи")
    await expect(reader.page.locator(".count")).to_have_text("22 непрочитанных")
    await reader.row("Запись 21").click()
    await expect(reader.page.locator(".count")).to_have_text("21 непрочитанное")
    for text in ("Критично", "уверенность", "Ключевые слова", "Получено", "Оценить заново"):
        await expect(reader.detail).to_contain_text(text)
    await expect(reader.page.locator(".group")).to_have_text("сегодня")
    assert await reader.page.evaluate("document.documentElement.lang") == "ru"
    await assert_accessible(reader)


async def test_what_turns_stands_still_for_who_wants_it_still(library: Library, inbox: Inbox, up: Up) -> None:
    moving = "document.querySelector('tocsin-inbox').shadowRoot.getAnimations().length"
    readers = [await library.reader(reduced_motion=wish, **WIDE) for wish in ("no-preference", "reduce")]

    with paused(up.pids["worker"]):
        await inbox.post("Hello")
        for reader in readers:
            await reader.open(await inbox.token())
            await expect(reader.row("Hello")).to_contain_text("Being judged")
        turning, still = [await reader.page.evaluate(moving) for reader in readers]

    assert turning > still == 0
