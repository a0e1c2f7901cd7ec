"""Programs around the service: an application that embeds the inbox, and a proxy that serves all under a sub-path."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType, web

from tests.e2e.web.reader import Inbox
from tests.house.source import ROOT

EXAMPLE = ROOT / "docs" / "embedding-example.html"
_HOP_BY_HOP = {"connection", "content-encoding", "content-length", "transfer-encoding", "keep-alive"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    """Serve everything by one handler; yield the URL."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Application:
    """Somebody's own application: the example of the documentation, and the token that it asks for."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.ttl = 600
        self.tokens = 0
        self.knows_the_user = True

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/my/token":
            return await self._token(request)
        if request.path != "/":
            return web.Response(text=f"<title>{request.path}</title>", content_type="text/html")
        page = EXAMPLE.read_text("utf-8").replace("https://tocsin.example", self.inbox.api.url)
        response = web.Response(text=page, content_type="text/html")
        response.set_cookie("session", "the user's")
        return response

    async def _token(self, request: web.Request) -> web.Response:
        if not self.knows_the_user or request.cookies.get("session") != "the user's":
            return web.Response(status=401)
        self.tokens += 1
        answer = await self.inbox.api.send("POST", f"/inboxes/{self.inbox.user}/tokens", json={"ttl": self.ttl})
        return web.json_response(answer.json())


class Proxy:
    """A reverse proxy that takes a prefix off and passes everything on, WebSockets too."""

    def __init__(self, upstream: str, prefix: str) -> None:
        self._upstream = upstream
        self._prefix = prefix
        self.paths: list[str] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if not request.path.startswith(self._prefix):
            raise web.HTTPNotFound
        url = self._upstream + request.path_qs.removeprefix(self._prefix.rstrip("/"))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with ClientSession() as session:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await _join(request, session, url)
            body = await request.read()
            async with session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)


async def _join(request: web.Request, session: ClientSession, url: str) -> web.WebSocketResponse:
    passed_on = {name: request.headers[name] for name in ("Host", "Origin")}
    near = web.WebSocketResponse()
    await near.prepare(request)
    async with session.ws_connect(url, headers=passed_on) as far:
        sides = [asyncio.create_task(_pump(near, far)), asyncio.create_task(_pump(far, near))]
        await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        for side in sides:
            side.cancel()
    return near


async def _pump(
    source: web.WebSocketResponse | ClientWebSocketResponse, sink: web.WebSocketResponse | ClientWebSocketResponse
) -> None:
    message: WSMessage
    async for message in source:
        if message.type == WSMsgType.TEXT:
            await sink.send_str(message.data)
    await sink.close(code=source.close_code or 1000)
