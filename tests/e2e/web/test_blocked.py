"""Networks that pass HTTP and not WebSockets, or nothing that stays open."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Request, Route, WebSocketRoute, expect

from tests.e2e.web.reader import Inbox, Reader
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SOCKETS = "**/stream?*"
EVENTS = "**/events?*"
HIDE = """
Object.defineProperty(Document.prototype, "hidden", { get: () => true });
document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
"""


def paths_of(reader: Reader) -> list[str]:
    """Collect the last parts of the paths that a tab asks for from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(urlsplit(request.url).path.rpartition("/")[2])

    reader.page.on("request", note)
    return asked


async def test_where_websockets_are_refused_events_take_their_place(reader: Reader, inbox: Inbox) -> None:
    await reader.page.route_web_socket(SOCKETS, lambda socket: socket.close())
    asked = paths_of(reader)

    await reader.open(await inbox.token())

    assert asked.count("events") == 1
    await inbox.post("Hello", "error")
    await expect(reader.row("Hello")).to_contain_text("Critical")
    # Browsers have six connections for all tabs together: who does not look holds none.
    async with reader.page.expect_event("requestfailed", lambda request: "/events" in request.url):
        await reader.page.evaluate(HIDE)
    await expect(reader.line).not_to_have_text("Live")


async def test_where_websockets_are_swallowed_events_take_their_place(reader: Reader, inbox: Inbox) -> None:
    await reader.page.clock.install()
    await reader.page.route_web_socket(SOCKETS, lambda socket: None)
    await reader.open(await inbox.token(), live=False)
    await expect(reader.line).to_have_text("Connecting")

    async with reader.page.expect_request(EVENTS):
        await reader.page.clock.fast_forward(10_000)

    await reader.is_live()


async def test_where_no_stream_comes_through_the_inbox_is_looked_at_and_says_so(reader: Reader, inbox: Inbox) -> None:
    await reader.page.clock.install()
    await reader.page.route_web_socket(SOCKETS, lambda socket: socket.close())
    await reader.page.route(EVENTS, lambda route: route.abort())
    await inbox.post("Before")
    await reader.open(await inbox.token(), live=False)
    await reader.shows("Before")
    asked = paths_of(reader)

    await inbox.post("Meanwhile", "error")
    await inbox.judged(2)
    await reader.page.clock.fast_forward(15_000)

    await expect(reader.row("Meanwhile")).to_contain_text("Critical")
    await expect(reader.line).to_have_text("Every 15 s")
    await expect(reader.page).to_have_title("(2) Tocsin")
    for _ in range(6):
        await reader.page.clock.fast_forward(15_000)
    assert asked.count("changes") <= 10
    assert asked.count("stream-tokens") <= 16, "with a delay that grows"

    await reader.page.unroute_all()
    await reader.page.clock.fast_forward(30_000)
    await reader.is_live()


async def test_who_looks_for_what_changed_is_told_to_list_anew_after_too_much(reader: Reader, inbox: Inbox) -> None:
    await reader.page.clock.install()
    await reader.page.route_web_socket(SOCKETS, lambda socket: socket.close())
    await reader.page.route(EVENTS, lambda route: route.abort())

    async def reset(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"items": [], "reset": True})

    await reader.page.route("**/changes?*", reset)
    await reader.open(await inbox.token(), live=False)
    await expect(reader.page.get_by_text("All quiet")).to_be_visible()
    await inbox.post("Hello")
    await reader.page.clock.fast_forward(15_000)

    await reader.shows("Hello")


async def test_a_refusal_does_not_make_the_reader_forget_where_he_was(reader: Reader, inbox: Inbox) -> None:
    sockets: list[WebSocketRoute] = []
    refusal = {
        "type": "close",
        "position": None,
        "code": 4002,
        "reason": "unavailable",
        "detail": "",
        "retry_after": 0.1,
    }

    async def pass_refuse_pass(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) == 2:
            await inbox.post("Meanwhile")
            await inbox.judged(2)
            socket.send(json.dumps(refusal))
            await socket.close(code=4002)
        else:
            socket.connect_to_server()

    await reader.page.route_web_socket(SOCKETS, pass_refuse_pass)
    await inbox.post("Before")
    await reader.open(await inbox.token())
    await sockets[0].close(code=4000)

    await until(lambda: len(sockets) == 3)

    await reader.is_live()
    await reader.shows("Meanwhile", "Before")
