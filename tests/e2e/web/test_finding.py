"""Filters, order and search, all in the address."""

import pytest
from playwright.async_api import expect

from tests.e2e.web.reader import Inbox, Reader

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def fill(inbox: Inbox) -> None:
    await inbox.post_all(
        {"title": "Disk", "text": "Careful, the disk of the database is nearly full."},
        {"title": "Payment", "text": "Payment failed."},
        {"title": "Report", "text": "The report is ready."},
    )
    await inbox.judged(3)


async def test_filters_go_into_the_address_and_back(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    await reader.open(await inbox.token())
    await reader.shows("Report", "Payment", "Disk")

    await reader.chip("Warning").click()
    await reader.shows("Disk")
    assert reader.address == "?category=warning"
    await expect(reader.chip("Warning")).to_have_attribute("aria-pressed", "true")
    await reader.chip("All").click()
    await reader.row("Payment").click()
    await reader.page.keyboard.press("Escape")
    await reader.chip("Unread").click()
    await reader.shows("Report", "Disk")
    assert reader.address == "?unread=1"
    await reader.page.go_back()
    await reader.shows("Report", "Payment", "Disk")
    await reader.page.go_forward()
    await reader.shows("Report", "Disk")
    await reader.page.reload()
    await reader.shows("Report", "Disk")


async def test_what_no_longer_fits_the_filter_stays_while_it_is_read(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    await reader.open(await inbox.token(), "?unread=1")
    await reader.row("Payment").click()
    await expect(reader.page).to_have_title("(2) Tocsin")

    await reader.shows("Report", "Payment", "Disk")
    await reader.page.reload()
    await reader.shows("Report", "Disk")


async def test_an_opened_notification_is_in_the_address_even_if_it_is_not_in_the_list(
    reader: Reader, inbox: Inbox
) -> None:
    await fill(inbox)
    disk = (await inbox.judged(3))[-1]

    await reader.open(await inbox.token(), f"?category=critical&open={disk['id']}")

    await reader.shows("Payment")
    await expect(reader.detail.locator(".title")).to_have_text("Disk")


async def test_nothing_matching_says_so_and_offers_everything(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    await reader.open(await inbox.token(), "?category=failed&unread=1")
    await expect(reader.page.get_by_text("Nothing matches")).to_be_visible()

    await reader.button("Show all").click()

    await reader.shows("Report", "Payment", "Disk")
    assert reader.address == ""


async def test_nonsense_in_the_address_is_passed_over(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)

    await reader.open(await inbox.token(), "?category=worst&unread=maybe&order=best&open=..%2F..&x=1")

    await reader.shows("Report", "Payment", "Disk")


async def test_search_finds_as_one_types_in_both_languages(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    await inbox.post("Резервная копия", "Резервные копии баз созданы.")
    await inbox.judged(4)
    await reader.open(await inbox.token())

    await reader.search.press_sequentially("databases")
    await reader.shows("Disk")
    assert reader.address == "?q=databases"
    await expect(reader.page.get_by_label("Order")).to_have_value("relevance")
    await expect(reader.button("Mark all read")).to_have_count(0)
    await reader.search.fill("копию")
    await reader.shows("Резервная копия")
    await reader.search.press("Escape")
    await reader.shows("Резервная копия", "Report", "Payment", "Disk")
    assert reader.address == ""


async def test_the_words_that_were_found_are_marked_in_any_form_and_apart_from_keywords(
    reader: Reader, inbox: Inbox
) -> None:
    await inbox.post("Payments & <b>cards</b>", "A payment, or two: paid by cardholder_7. Error in a database.")
    await inbox.post("Платёж отклонён", "Банк отклонил платежи: сервер (БАНКА) не отвечает. Оплата возможна.")
    await inbox.judged(2)
    await reader.open(await inbox.token(), "?q=databases+or+payment+card")
    await reader.shows("Payments & <b>cards</b>")
    row, text = reader.rows.first, reader.detail.locator(".text")

    await expect(row.locator(".title .found")).to_have_text(["Payments", "cards"])
    await expect(row.locator(".text .found")).to_have_text(["payment", "cardholder", "database"])
    await row.click()
    await expect(text.locator(".found")).to_have_text(["payment", "cardholder", "database"])
    await expect(reader.detail.locator(".title .found")).to_have_text(["Payments", "cards"])
    grounds = "(marks) => marks.map((mark) => getComputedStyle(mark).backgroundColor)"
    marks = set(await text.locator("mark:not(.found)").evaluate_all(grounds))
    assert marks
    assert marks.isdisjoint(await text.locator(".found").evaluate_all(grounds))
    await reader.search.fill("платежами банк")
    await reader.shows("Платёж отклонён")
    await expect(reader.rows.locator(".found")).to_have_text(["Платёж", "Банк", "платежи", "БАНКА"])
    await expect(text.locator(".found")).to_have_count(0)
    await reader.search.press("Escape")
    await expect(reader.rows).to_have_count(2)
    await expect(reader.page.locator(".found")).to_have_count(0)


async def test_going_back_takes_back_what_stands_in_the_search(reader: Reader, inbox: Inbox) -> None:
    await fill(inbox)
    await reader.open(await inbox.token())
    await reader.chip("Warning").click()
    await reader.shows("Disk")
    await reader.search.fill("nothing like it")
    await expect(reader.page.get_by_text("Nothing matches")).to_be_visible()

    await reader.page.go_back()

    await reader.shows("Report", "Payment", "Disk")
    await expect(reader.search).to_have_value("")
