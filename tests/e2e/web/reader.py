"""Somebody who reads an inbox in a browser, and what his browser complained of."""

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.e2e.api import Api, Json

expect.set_options(timeout=30_000)

LIVE = "Live"
_REPORT = """
window.policyReports = [];
addEventListener("securitypolicyviolation", (event) =>
  window.policyReports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
# What a browser says of an answer that is an error, whatever the page makes of it.
_EXPECTED = re.compile(r"Failed to load resource|WebSocket connection to .* failed")


class Reader:
    """One tab."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.rows = page.locator("article.row")
        self.titles = page.locator("article.row h4")
        self.detail = page.locator(".detail-pane")
        self.line = page.locator(".connection")
        self.news = page.locator(".news button")
        self.toast = page.locator(".toast")
        self.search = page.get_by_role("searchbox")
        self.aloud = page.get_by_role("status")
        self._said: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._said.append(f"uncaught: {error}"))

    @property
    def address(self) -> str:
        """The part of the address after the path."""
        parts = urlsplit(self.page.url)
        return (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")

    def row(self, title: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_role("heading", name=title, exact=True))

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    def chip(self, name: str) -> Locator:
        return self.page.locator(".chip").filter(has=self.page.get_by_text(name, exact=True))

    async def open(self, token: str, address: str = "", *, live: bool = True) -> "Reader":
        """Follow a link with a token, and wait until the inbox is there and live."""
        await self.page.goto(f"{self.url}/{address}#token={token}")
        if live:
            await self.is_live()
        return self

    async def is_live(self) -> None:
        await expect(self.line).to_have_text(LIVE)

    async def shows(self, *titles: str) -> None:
        """Wait until these are the rows, from top to bottom."""
        await expect(self.titles).to_have_text(list(titles))

    async def complaints(self) -> list[str]:
        """Return what went wrong in the page: errors that nobody caught, talk, and breaches of the policy."""
        reports = [] if self.page.is_closed() else await self.page.evaluate("window.policyReports ?? []")
        return self._said + reports

    def _on_console(self, message: ConsoleMessage) -> None:
        if not _EXPECTED.search(message.text):
            self._said.append(f"{message.type}: {message.text}")


class Library:
    """Opens tabs, each in a context of its own unless it is told otherwise, and closes them all."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self.url = url
        self.readers: list[Reader] = []
        self._contexts: list[BrowserContext] = []

    async def context(self, **options: Any) -> BrowserContext:  # noqa: ANN401 - as the browser takes them
        context = await self._browser.new_context(**({"locale": "en-GB"} | options))
        await context.add_init_script(_REPORT)
        self._contexts.append(context)
        return context

    async def reader(self, *, url: str | None = None, beside: Reader | None = None, **options: Any) -> Reader:  # noqa: ANN401 - as above
        """Open a tab, in the browser of ``beside`` if that is given."""
        context = beside.page.context if beside else await self.context(**options)
        reader = Reader(await context.new_page(), url or self.url)
        self.readers.append(reader)
        return reader

    async def close(self) -> list[str]:
        """Close all; return what any of them complained of."""
        complaints = [complaint for reader in self.readers for complaint in await reader.complaints()]
        for context in self._contexts:
            await context.close()
        return complaints


class Inbox:
    """One inbox from the other side: who writes to it and who lets readers in."""

    def __init__(self, api: Api, user: str) -> None:
        self.api = api
        self.user = user

    async def token(self, ttl: int = 600) -> str:
        answer = await self.api.send("POST", f"/inboxes/{self.user}/tokens", json={"ttl": ttl})
        return str(answer.json()["token"])

    async def post(self, title: str, text: str = "All is well.", **more: object) -> Json:
        """Have a notification accepted."""
        (made,) = await self.post_all({"title": title, "text": text, **more})
        return made

    async def post_all(self, *drafts: Json) -> list[Json]:
        items = [{"user_id": self.user, "text": "All is well.", **draft} for draft in drafts]
        answer = await self.api.send("POST", "/notifications/batch", json={"items": items})
        assert answer.status_code == 201, answer.text
        return list(answer.json()["items"])

    async def judged(self, count: int) -> list[Json]:
        """Wait until there are ``count`` and all are judged."""
        return await self.api.all_completed(self.user, count)
