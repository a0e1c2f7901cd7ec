"""A tab that is open all day: what it holds does not grow with what came."""

from uuid import UUID

import pytest
from playwright.async_api import expect

from tests.e2e.ledger import Ledger
from tests.e2e.up import Up
from tests.e2e.web.reader import Inbox, Reader
from tocsin.models.notification import new_notification_id

MOST_HELD = 1_800
"""Notifications that a tab keeps for one that is looked at, whatever comes."""

CHUNK = 500

_MORE = """
    WITH inbox AS (
        UPDATE inboxes
        SET version = version + cardinality($2::uuid[]), unread_info = unread_info + cardinality($2::uuid[])
        WHERE user_id = $1
        RETURNING user_id, version - cardinality($2::uuid[]) AS version
    )
    INSERT INTO notifications
        (id, user_id, title, text, created_at, version, category, severity, confidence, keywords, analyzer, analyzed_at,
         processing_status)
    SELECT id, user_id, 'Row ' || ($3::int + n), 'Some words.', now(), version + n, 'info', 0, 0.9, '{words}', 'tests',
           now(), 'completed'
    FROM inbox, unnest($2::uuid[]) WITH ORDINALITY AS new (id, n)
"""
# The stream tells of more than a hundred at once by a reset alone. Here they come one by one.
_CATCH_LINE = """
    WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            window.line = this;
            this.addEventListener("message", (event) => {
                if (JSON.parse(event.data).type === "reset") event.stopImmediatePropagation();
            });
        }
    }
"""
_TELL = """async (messages) => {
    for (const data of messages) {
        window.line.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(data) }));
    }
    await new Promise(requestAnimationFrame);
}"""
_LARGEST = "function () { return Math.max(...this.map((map) => map.size)); }"

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def arrive(reader: Reader, inbox: Inbox, up: Up, count: int) -> None:
    """Have so many in the inbox, past the API, and the tab told of each."""
    state = f"/inboxes/{inbox.user}"
    for begin in range(0, count, CHUNK):
        before = (await inbox.api.send("GET", state)).json()
        ids = [new_notification_id() for _ in range(CHUNK)]
        await Ledger(up.status["database_url"]).rows(_MORE, UUID(inbox.user), ids, begin)
        found = (await inbox.api.send("GET", f"{state}/changes?limit={CHUNK}&since={before['position']}")).json()
        assert len(found["items"]) == CHUNK
        told = {"type": "change", "position": found["position"], "unread": found["unread"]}
        await reader.page.evaluate(_TELL, [told | {"notification": one} for one in found["items"]])


async def largest_map(reader: Reader) -> int:
    """Return the size of the largest map that lives in the page, as its debugger sees it after a collection."""
    debugger = await reader.page.context.new_cdp_session(reader.page)
    prototype = await debugger.send("Runtime.evaluate", {"expression": "Map.prototype"})
    maps = await debugger.send("Runtime.queryObjects", {"prototypeObjectId": prototype["result"]["objectId"]})
    call = {"functionDeclaration": _LARGEST, "objectId": maps["objects"]["objectId"], "returnByValue": True}
    size = await debugger.send("Runtime.callFunctionOn", call)
    await debugger.detach()
    return int(size["result"]["value"])


async def test_thousands_that_come_neither_pile_up_nor_disturb_who_reads(reader: Reader, inbox: Inbox, up: Up) -> None:
    await inbox.post_all(*({"title": f"Earlier {number}"} for number in range(60)))
    await inbox.judged(60)
    await reader.page.add_init_script(_CATCH_LINE)
    await reader.page.clock.install()
    await reader.open(await inbox.token())
    await reader.row("Earlier 57").hover()
    await reader.row("Earlier 57").get_by_role("button", name="Delete").click()
    await reader.row("Earlier 55").click()
    watched = reader.row("Earlier 55")
    before = await watched.bounding_box()

    await arrive(reader, inbox, up, 2_500)

    await expect(reader.news).to_have_text("2,500 new")
    await expect(reader.page).to_have_title("(2,558) Tocsin")
    assert await watched.bounding_box() == before
    assert await largest_map(reader) < MOST_HELD
    await reader.page.keyboard.press("z")
    await expect(reader.row("Earlier 57")).to_be_focused()
    await reader.news.click()
    await expect(reader.titles.first).to_have_text("Row 2500")
    await expect(reader.rows.first).to_be_in_viewport()
    await expect(reader.news).to_have_count(0)
    await expect(reader.detail.locator(".title")).to_have_text("Earlier 55")

    # And while nobody reads.
    await reader.page.keyboard.press("Escape")
    await reader.page.keyboard.press("Escape")
    await reader.page.clock.fast_forward(5_000)
    await arrive(reader, inbox, up, 1_000)
    await reader.page.clock.fast_forward(16_000)
    await expect(reader.titles.first).to_have_text("Row 1000")
    await expect(reader.news).to_have_count(0)
    assert await largest_map(reader) < MOST_HELD
    await expect(reader.page).to_have_title("(3,559) Tocsin")
    await reader.rows.first.hover()
    while not await reader.row("Row 900").count():
        await reader.page.mouse.wheel(0, 2_000)
        await reader.page.evaluate("new Promise(requestAnimationFrame)")
