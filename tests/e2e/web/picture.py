"""``python -m tests.e2e.web.picture``: take the picture of the inbox in the README again.

It starts a Tocsin of its own, whose AI is the rules, so that the picture does not change unless the inbox does.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx2
from playwright.async_api import ViewportSize, async_playwright, expect

from tests.e2e.api import Json
from tests.e2e.ledger import Ledger
from tests.e2e.programs import HASTE
from tests.e2e.up import Up
from tests.e2e.web.chromium import FLAGS, find_chromium
from tests.e2e.web.reader import Inbox, Reader
from tests.house.source import ROOT
from tests.waiting import until
from tocsin.cli.demo_inbox import DEMO_USER_ID

PICTURE = ROOT / "docs" / "inbox.png"
SIZE: ViewportSize = {"width": 1200, "height": 740}
_EARLIER = "UPDATE notifications SET created_at = now() - make_interval(mins => $2) WHERE id = $1"
# What is nearest to the fonts of people's systems, where there is it (Debian: fonts-inter).
USUAL_FONT = """() => {
    document.body.style.fontFamily = "Inter, system-ui";
    document.querySelector("tocsin-inbox").style.setProperty("--tocsin-font", "Inter, system-ui");
}"""
OPENED = "Payments are failing in the checkout"
LINK = "https://example.com/status"


@dataclass(frozen=True)
class Item:
    minutes: int
    read: bool
    source: str
    title: str
    text: str


# Oldest first.
DAY = (
    Item(388, True, "reports", "Weekly report is ready", "1,204 orders, 3.1 % more than the week before."),
    Item(371, True, "backup", "Резервная копия создана", "Ночная резервная копия базы orders: 18,4 ГБ за 4 минуты."),
    Item(
        *(190, False, "certificates", "Certificate expires in nine days"),
        "Attention: the certificate of api.example.com ends on 4 December, and its renewal was put off once.",
    ),
    Item(97, False, "backup", "Backup of db-2 failed", "error 28: no space left on device. The next try is at 03:00."),
    Item(64, True, "deploy", "Release 2026.11.3 is live", "All twelve instances run it; latency is as it was."),
    Item(
        *(18, False, "billing", OPENED),
        "Since 14:02 the bank answers one in five card payments with an error. Orders wait and are tried again, so "
        "nothing is lost yet, but customers see a spinner for half a minute.\n\n"
        "The exception is a timeout in authorize(); the bank says on its status page that it is at work on it. "
        "If it lasts, switch to the second provider in the settings of the shop.",
    ),
    Item(
        *(9, False, "security", "Login from a new device"),
        "Please be careful: somebody signed in from a new device in Lisbon. If it was not you, end the session.",
    ),
    Item(4, False, "monitoring", "Диск почти заполнен", "Warning: /var на web-3 заполнен на 91 %, места на два дня."),
    Item(1, False, "provider", "Maintenance on Sunday", "The provider confirmed the window from 02:00 to 04:00 UTC."),
)


def draft(item: Item) -> Json:
    return {"title": item.title, "text": item.text, "source": item.source, "link": LINK, "data": {"region": "eu-1"}}


async def take(up: Up, http: httpx2.AsyncClient) -> None:
    await until(lambda: up.is_ready, 120)
    inbox = Inbox(up.api(http), DEMO_USER_ID)
    made = await inbox.post_all(*map(draft, DAY))
    await inbox.judged(len(DAY))
    for stored, item in zip(made, DAY, strict=True):
        if item.read:
            await inbox.api.post(f"/notifications/{stored['id']}/read")
        await Ledger(up.status["database_url"]).rows(_EARLIER, stored["id"], item.minutes)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = await browser.new_page(viewport=SIZE, locale="en-GB", color_scheme="light")
        reader = await Reader(page, up.status["url"]).open(await inbox.token())
        await reader.row(OPENED).click()
        await expect(reader.detail.locator(".title")).to_have_text(OPENED)
        await page.evaluate(USUAL_FONT)
        await page.mouse.move(0, 0)
        await page.evaluate("document.activeElement.blur()")
        await page.screenshot(path=PICTURE)
        await browser.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        up = Up(Path(folder) / "data", Path(folder) / "log", HASTE | {"TOCSIN_AI__PROVIDER": "rules"})
        try:
            async with httpx2.AsyncClient(timeout=60) as http:
                await take(up, http)
        finally:
            up.stop()
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    asyncio.run(main())
