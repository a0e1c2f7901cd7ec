"""What can be seen on small screens, with enlarged pages, with a keyboard, and in colours that the system forces."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.web.reader import Inbox, Library, Reader

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SMALL: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
ARABIC = "مرحبا بالعالم"
# Elements that begin or end outside of the screen, but for the filters, which are a strip that scrolls.
STICKING_OUT = """() => [...document.querySelector("tocsin-inbox").shadowRoot.querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && !element.closest(".chips, mark, svg"))
    .map((element) => [element.tagName, element.className, element.getBoundingClientRect()])
    .filter(([, , { left, right }]) => left < -0.5 || right > innerWidth + 0.5)
    .map(([tag, name, { left, right }]) => `${tag} ${name} ${left} ${right}`)"""
RIGHT_EDGES = """(element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return Math.round(element.getBoundingClientRect().right - range.getBoundingClientRect().right);
}"""
COLOURS = """(element) => {
    const { color, backgroundColor, outlineStyle } = getComputedStyle(element);
    return { color, background: backgroundColor, outline: outlineStyle };
}"""
# What has the focus, and where that can be seen.
STOP = """() => {
    let { activeElement } = document;
    while (activeElement.shadowRoot?.activeElement) activeElement = activeElement.shadowRoot.activeElement;
    if (activeElement === document.body) return null;
    activeElement.scrollIntoView({ block: "nearest" });
    const { left, top, right, bottom } = activeElement.getBoundingClientRect();
    const x = Math.max(0, left - 4), y = Math.max(0, top - 4);
    const box = { x, y, width: Math.min(innerWidth, right + 4) - x, height: Math.min(innerHeight, bottom + 4) - y };
    const { tagName, name, className, textContent } = activeElement;
    return { box, name: [tagName, name, className, textContent].join(" ") };
}"""
WITHOUT_OUTLINES = """() => {
    window.bare ??= new CSSStyleSheet();
    window.bare.replaceSync("* { outline: none !important; caret-color: transparent; }");
    const root = document.querySelector("tocsin-inbox").shadowRoot;
    if (!root.adoptedStyleSheets.includes(window.bare)) root.adoptedStyleSheets.push(window.bare);
    document.adoptedStyleSheets = [window.bare];
}"""
WITH_OUTLINES = """() => window.bare.replaceSync("* { caret-color: transparent; }")"""
DRAFTS = (
    {"title": "Careful", "text": "Careful, the disk is nearly full.", "link": "https://example.com/"},
    {"title": "Fine", "text": "All is well."},
)


async def fill(inbox: Inbox) -> None:
    await inbox.post_all(*DRAFTS)
    await inbox.judged(2)


async def test_nothing_sticks_out_of_a_small_screen_whatever_was_written(library: Library, inbox: Inbox) -> None:
    await inbox.post_all(
        {
            "title": "W" * 200,
            "text": "error " + "W" * 3_000,
            "source": "s" * 60,
            "link": f"https://{'sub.' * 12}example.com/",
        },
        {"title": ARABIC, "text": f"{ARABIC} error", "data": {"name": "v" * 600}},
    )
    await inbox.judged(2)
    reader = await library.reader(locale="ru-RU", **SMALL)
    await reader.page.goto(f"{reader.url}/#token={await inbox.token()}")
    await expect(reader.rows).to_have_count(2)

    assert await reader.page.evaluate(STICKING_OUT) == []
    assert await reader.titles.nth(0).evaluate(RIGHT_EDGES) == 0, "Arabic begins on the right"
    for row in (0, 1):
        await reader.rows.nth(row).tap()
        await expect(reader.detail.locator("dl")).to_be_visible()
        assert await reader.page.evaluate(STICKING_OUT) == []
        await reader.page.keyboard.press("Escape")


async def test_the_list_can_be_reached_at_four_hundred_percent(library: Library, inbox: Inbox) -> None:
    await fill(inbox)
    reader = await library.reader(viewport={"width": 320, "height": 256})
    await reader.open(await inbox.token())
    await reader.page.mouse.move(160, 40)
    await reader.page.mouse.wheel(0, 600)

    await expect(reader.row("Fine")).to_be_in_viewport(ratio=1)
    assert await reader.page.evaluate(STICKING_OUT) == []


async def test_wherever_the_keyboard_goes_it_can_be_seen(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    careful = (await inbox.judged(2))[1]["id"]
    await reader.open(await inbox.token(), f"?open={careful}")
    await expect(reader.detail.locator(".title")).to_have_text("Careful")
    stops: dict[str, bool] = {}

    while (stop := await _next_stop(reader)) and stop["name"] not in stops:
        seen = await reader.page.screenshot(clip=stop["box"])
        await reader.page.evaluate(WITHOUT_OUTLINES)
        stops[stop["name"]] = seen != await reader.page.screenshot(clip=stop["box"])
        await reader.page.evaluate(WITH_OUTLINES)

    assert len(stops) > 15, stops
    assert [name for name, is_visible in stops.items() if not is_visible] == []


async def _next_stop(reader: Reader) -> dict[str, Any] | None:
    await reader.page.keyboard.press("Tab")
    stop: dict[str, Any] | None = await reader.page.evaluate(STOP)
    return stop


async def test_forced_colours_leave_keywords_and_choices_visible(library: Library, inbox: Inbox) -> None:
    await fill(inbox)
    reader = await library.reader(forced_colors="active", color_scheme="dark", viewport={"width": 1280, "height": 800})
    await reader.open(await inbox.token(), "?unread=1")

    mark = await reader.row("Fine").locator("mark").first.evaluate(COLOURS)
    pressed = [await reader.chip(name).evaluate(COLOURS) for name in ("Unread", "Info")]

    assert mark["color"] != mark["background"] != "rgba(0, 0, 0, 0)"
    assert [look["outline"] for look in pressed] == ["solid", "none"]
