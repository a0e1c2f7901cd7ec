"""Texts of strangers: shown as they are, and never more than shown."""

import pytest
from playwright.async_api import Route, expect

from tests.e2e.ledger import Ledger
from tests.e2e.up import Up
from tests.e2e.web.reader import Inbox, Reader

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "<script>alert(2)</script>"
BROKEN_OUT = "\"'><svg onload=alert(3)>"
RIGHT_TO_LEFT = "\u202eevil\u202c"


async def test_markup_in_any_field_is_shown_as_text(reader: Reader, inbox: Inbox, up: Up) -> None:
    made = await inbox.post(
        IMAGE,
        f"{SCRIPT} {BROKEN_OUT} {{title}} ${{1}} {RIGHT_TO_LEFT}",
        source=BROKEN_OUT,
        link="https://example.com/?q=%22><script>alert(4)</script>",
        data={IMAGE: SCRIPT, "__proto__": BROKEN_OUT, "deep": {"a": [IMAGE]}},
    )
    await inbox.judged(1)
    await Ledger(up.status["database_url"]).rows(
        """UPDATE notifications SET keywords = $2, analyzer = $3::text, error = $3::text, processing_status = 'failed'
           WHERE id = $1""",
        made["id"],
        [SCRIPT, "<svg", "(", "\\"],
        IMAGE,
    )
    await reader.open(await inbox.token())

    row = reader.rows.first
    for text in (IMAGE, SCRIPT, BROKEN_OUT):
        await expect(row).to_contain_text(text)
    await row.click()
    for text in (IMAGE, SCRIPT, BROKEN_OUT, "__proto__", '{"a":["<img src=x onerror=alert(1)>"]}'):
        await expect(reader.detail).to_contain_text(text)
    await expect(reader.detail.locator("mark").first).to_have_text(SCRIPT)
    await expect(reader.page.locator("img, script:not([src])")).to_have_count(0)
    await expect(reader.detail.get_by_role("link")).to_have_count(1)
    await reader.page.keyboard.press("d")
    await expect(reader.toast).to_be_visible()


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "//x", "file:///"])
async def test_a_link_that_is_no_web_address_is_none(reader: Reader, inbox: Inbox, link: str) -> None:
    """The service takes none; should it one day, the page does not."""
    await inbox.post("Click me", link="https://example.com/")
    await inbox.judged(1)

    async def swap(route: Route) -> None:
        answer = await route.fetch()
        page = await answer.json()
        page["items"] = [item | {"link": link} for item in page["items"]]
        await route.fulfill(response=answer, json=page)

    await reader.page.route("**/api/v1/notifications?*", swap)
    await reader.page.route("**/stream-tokens", lambda route: route.abort())
    await reader.open(await inbox.token(), live=False)
    await reader.row("Click me").click()

    await expect(reader.detail.locator(".title")).to_have_text("Click me")
    await expect(reader.detail.get_by_role("link")).to_have_count(0)
    await reader.page.keyboard.press("l")
    assert len(reader.page.context.pages) == 1


async def test_another_page_cannot_put_the_inbox_into_a_frame(reader: Reader, inbox: Inbox) -> None:
    frame = "<iframe></iframe>"
    await reader.page.route("http://elsewhere.test/", lambda route: route.fulfill(body=frame, content_type="text/html"))
    await reader.page.goto("http://elsewhere.test/")

    await reader.page.evaluate("url => { document.querySelector('iframe').src = url }", f"{reader.url}/")

    await expect(reader.page.frame_locator("iframe").get_by_text("Open the inbox")).to_have_count(0)
    assert [f.url for f in reader.page.frames[1:]] == ["chrome-error://chromewebdata/"]
    reader.page.context.set_default_timeout(1_000)
    await reader.page.close()
