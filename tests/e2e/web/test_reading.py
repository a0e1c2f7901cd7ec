"""What a reader sees: what comes, by itself, and nothing that he reads moves."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.e2e.up import Up
from tests.e2e.web.reader import Inbox, Library, Reader
from tests.fixtures.processes import paused

COUNT_ELEMENTS = "document.querySelector('tocsin-inbox').shadowRoot.querySelectorAll('*').length"
COUNT_SENTENCES = """(aloud) => {
    window.sentences = 0;
    new MutationObserver(() => window.sentences++).observe(aloud, { childList: true });
}"""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_a_notification_appears_by_itself_and_its_verdict_a_moment_later(
    reader: Reader, inbox: Inbox, up: Up
) -> None:
    await reader.open(await inbox.token())
    await expect(reader.page.get_by_text("All quiet")).to_be_visible()
    row = reader.row("Backup")

    with paused(up.pids["worker"]):
        await inbox.post("Backup", "The backup failed: disk full", source="nightly")
        await expect(row).to_contain_text("Being judged")
        await expect(row).to_have_class(re.compile("waiting unread"))
        await expect(reader.page).to_have_title("(1) Tocsin")

    await expect(row).to_contain_text(re.compile(r"Critical\d+% sure"))
    await expect(row).to_contain_text("nightly")
    await expect(row.locator(".card > .icon-critical")).to_be_visible()
    await expect(reader.chip("Critical")).to_contain_text("1")
    await expect(reader.aloud).to_contain_text("Critical: Backup")


async def test_the_detail_shows_everything_and_opening_it_marks_it_read(reader: Reader, inbox: Inbox) -> None:
    link = "https://example.com/orders/4711"
    await inbox.post("Payment", "Payment failed.\n  Twice.", source="billing", link=link, data={"order": 4711})
    await inbox.judged(1)
    await reader.open(await inbox.token())

    await reader.row("Payment").click()

    for text in ("Critical", "billing", "now", "Twice.", "example.com", "order", "4711", "Keywords", "(http)"):
        await expect(reader.detail).to_contain_text(text)
    anchor = reader.detail.get_by_role("link", name="Open link")
    await expect(anchor).to_have_attribute("href", link)
    await expect(anchor).to_have_attribute("rel", "noopener noreferrer")
    await expect(reader.row("Payment")).not_to_have_class(re.compile("unread"))
    await expect(reader.page).to_have_title("Tocsin")
    assert (await inbox.judged(1))[0]["read_at"]


async def test_keywords_are_marked_in_list_and_detail(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Odd words", "c++ (draft) $5")
    (judged,) = await inbox.judged(1)
    await reader.open(await inbox.token())

    in_order = [word for word in ["c++", "(draft)", "$5"] if word in judged["keywords"]]
    await expect(reader.row("Odd words").locator("mark")).to_have_text(in_order)
    await reader.row("Odd words").click()
    await expect(reader.detail.locator(".text mark")).to_have_text(in_order)


async def test_the_worst_come_first_if_asked(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all(
        {"title": "Old error", "text": "error"},
        {"title": "Fine"},
        {"title": "Careful", "text": "careful"},
        {"title": "New error", "text": "error"},
    )
    await inbox.judged(4)
    await reader.open(await inbox.token())
    await reader.shows("New error", "Careful", "Fine", "Old error")

    await reader.page.get_by_label("Order").select_option("Worst first")

    await reader.shows("New error", "Old error", "Careful", "Fine")
    await expect(reader.page.locator(".group")).to_have_text(["Critical", "Warning", "Info"])


async def test_new_ones_are_announced_and_move_nothing_that_is_read(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all(*({"title": f"Earlier {number}"} for number in range(30)))
    await inbox.judged(30)
    await reader.open(await inbox.token())
    watched = reader.row("Earlier 20")
    await reader.row("Earlier 24").hover()
    await reader.page.mouse.wheel(0, 300)
    await expect(watched).to_be_in_viewport()
    await expect(reader.row("Earlier 29")).not_to_be_in_viewport()
    before = await watched.bounding_box()

    await inbox.post_all({"title": "First"}, {"title": "Second"}, {"title": "Third"})
    await expect(reader.news).to_have_text("3 new")
    await expect(reader.aloud).to_contain_text("3 new")
    await inbox.judged(33)

    assert await watched.bounding_box() == before
    await reader.news.click()
    await expect(reader.row("Third")).to_be_in_viewport()
    await expect(reader.row("Third")).to_be_focused()
    await expect(reader.news).to_have_count(0)


async def test_many_that_come_at_once_are_announced_and_move_nothing_that_is_read(reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all(*({"title": f"Earlier {number}"} for number in range(20)))
    await inbox.judged(20)
    await reader.open(await inbox.token())
    await reader.row("Earlier 17").click()
    watched = reader.row("Earlier 16")
    before = await watched.bounding_box()

    # More than a hundred: the stream says only that the list is another one.
    await inbox.post_all(*({"title": f"Later {number}"} for number in range(120)))

    await expect(reader.news).to_have_text("120 new")
    assert await watched.bounding_box() == before
    await reader.news.click()
    await expect(reader.row("Later 119")).to_be_focused()


async def test_a_verdict_does_not_reorder_what_is_on_the_screen(reader: Reader, inbox: Inbox, up: Up) -> None:
    await inbox.post_all({"title": "Known", "text": "careful"}, {"title": "Calm"})
    await inbox.judged(2)
    with paused(up.pids["worker"]):
        await inbox.post("Unknown", "error")
        await reader.open(await inbox.token(), "?order=severity")
        await reader.shows("Known", "Unknown", "Calm")
        # A reader who has the cursor in the list is reading.
        await reader.page.keyboard.press("j")

    await expect(reader.row("Unknown")).to_contain_text("Critical")
    await reader.shows("Known", "Unknown", "Calm")
    await reader.page.keyboard.press("Escape")
    await reader.page.get_by_label("Order").select_option("newest")
    await reader.page.get_by_label("Order").select_option("severity")
    await reader.shows("Unknown", "Known", "Calm")


async def test_a_failed_analysis_says_why_and_can_be_tried_again(reader: Reader, inbox: Inbox, broken: Inbox) -> None:
    await reader.open(await broken.token())
    row = reader.row("Riddle")
    await expect(row).to_contain_text("Not judged")
    await expect(row.locator(".reason")).to_contain_text("does not fit")
    await row.hover()

    await row.get_by_role("button", name="Judge again").click()

    await expect(row).to_contain_text(re.compile("Info"))
    await expect(row.locator(".reason")).to_have_count(0)


async def test_a_hundred_thousand_rows_keep_the_document_small(reader: Reader, inbox: Inbox, many: None) -> None:
    await reader.open(await inbox.token())
    await expect(reader.page).to_have_title("(100,000) Tocsin")
    await reader.rows.first.hover()
    seen: set[str] = set()
    while len(seen) < 500:
        await reader.page.mouse.wheel(0, 2_000)
        await reader.page.evaluate("new Promise(requestAnimationFrame)")
        seen |= set(await reader.titles.all_text_contents())
        assert await reader.rows.count() < 60

    assert await reader.page.evaluate(COUNT_ELEMENTS) < 2_500


async def test_two_tabs_agree(library: Library, reader: Reader, inbox: Inbox) -> None:
    await inbox.post_all({"title": "One"}, {"title": "Two"}, {"title": "Three"})
    await inbox.judged(3)
    await reader.open(await inbox.token())
    other = await library.reader(beside=reader)
    await other.open(await inbox.token())

    await reader.row("One").click()
    await expect(other.row("One")).not_to_have_class(re.compile("unread"))
    await reader.row("Two").hover()
    await reader.row("Two").get_by_role("button", name="Delete").click()
    await other.shows("Three", "One")
    await expect(other.page).to_have_title("(1) Tocsin")
    await reader.page.keyboard.press("z")
    await other.shows("Three", "Two", "One")
    await expect(other.page).to_have_title("(2) Tocsin")


async def test_times_are_true_and_alarms_ring_on_a_machine_whose_clock_is_wrong(reader: Reader, inbox: Inbox) -> None:
    await reader.page.clock.install(time=datetime.now(UTC) + timedelta(hours=3))
    await reader.open(await inbox.token())

    await inbox.post("Fire", "error")

    await expect(reader.row("Fire").locator("time")).to_have_text("now")
    await reader.page.clock.fast_forward(2_000)
    await expect(reader.aloud).to_contain_text("Critical: Fire")


async def test_who_listens_is_not_interrupted_for_each_of_many(reader: Reader, inbox: Inbox) -> None:
    await reader.page.clock.install()
    await reader.open(await inbox.token())
    await reader.aloud.evaluate(COUNT_SENTENCES)

    for number in range(12):
        await inbox.post(f"Item {number}")
        await expect(reader.row(f"Item {number}")).to_be_visible()
        await reader.page.clock.fast_forward(2_000)
    await reader.page.clock.fast_forward(10_000)

    await expect(reader.aloud).to_contain_text("new")
    assert 2 <= await reader.page.evaluate("window.sentences") <= 4
