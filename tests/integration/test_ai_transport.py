"""What the failures of an AI over HTTP are called."""

import asyncio
import socket
import struct
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer, unused_port
from pydantic import SecretStr
from yarl import URL

from tests.waiting import elapse
from tocsin.errors import (
    AnalyzerBrokeOff,
    AnalyzerBusy,
    AnalyzerError,
    AnalyzerFailing,
    AnalyzerRefused,
    AnalyzerTimeout,
    AnalyzerUnintelligible,
    AnalyzerUnreachable,
)
from tocsin.integrations.ai_transport import MAX_ANSWER_BYTES, AiEndpoint
from tocsin.models.verdict import Category, Verdict

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE, IMPATIENCE = 10.0, 0.2
VERDICT = Verdict(Category.INFO, 0.5, (), "test")


@asynccontextmanager
async def http_server(handler: Handler) -> AsyncIterator[URL]:
    application = web.Application()
    application.router.add_post("/analyze", handler)
    async with TestServer(application) as server:
        yield server.make_url("/analyze")


@asynccontextmanager
async def tcp_server(peer: Peer) -> AsyncIterator[URL]:
    """Reads the head of each request, leaves the rest to ``peer``, and is gone when all connections are."""
    connections: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await peer(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.create_task(answer(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield URL(f"http://127.0.0.1:{port}/analyze")
        await asyncio.gather(*connections)


async def ask(url: URL, patience: float = PATIENCE, connector: aiohttp.BaseConnector | None = None) -> list[bytes]:
    """Ask with a reader that finds everything fit, and return what it was given."""
    answers: list[bytes] = []

    def read(payload: bytes) -> Verdict:
        answers.append(payload)
        return VERDICT

    async with aiohttp.ClientSession(connector=connector) as session:
        assert await AiEndpoint(session, url, None, patience).ask({"text": "x"}, read) is VERDICT
    return answers


def answering(status: int, headers: dict[str, str] | None = None, body: str = "remote words") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text=body)

    return handler


@pytest.mark.parametrize("status", [200, 201, 206])
async def test_hands_over_the_answer(status: int) -> None:
    async with http_server(answering(status, body="the answer")) as url:
        assert await ask(url) == [b"the answer"]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (500, AnalyzerFailing, "The AI answered with a server error (HTTP 500)."),
        (408, AnalyzerFailing, "The AI answered with a server error (HTTP 408)."),
        (429, AnalyzerBusy, "The AI asked to be called less often (HTTP 429)."),
        (400, AnalyzerRefused, "The AI refused the call (HTTP 400)."),
        (401, AnalyzerRefused, "The AI refused the call (HTTP 401)."),
        (418, AnalyzerRefused, "The AI refused the call (HTTP 418)."),
        (304, AnalyzerRefused, "The AI answered with a redirect (HTTP 304), which is not followed."),
    ],
)
async def test_statuses(status: int, error: type[AnalyzerError], words: str) -> None:
    async with http_server(answering(status)) as url:
        with pytest.raises(AnalyzerError) as caught:
            await ask(url)

    assert type(caught.value) is error
    assert caught.value.detail == words
    assert caught.value.retry_after is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("-1", 0.0), ("99999", 3600.0), ("soon", None)])
async def test_retry_after_is_handed_on(status: int, header: str, seconds: float | None) -> None:
    async with http_server(answering(status, {"Retry-After": header})) as url:
        with pytest.raises(AnalyzerError) as caught:
            await ask(url)

    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="{}")

    async with http_server(elsewhere) as target, http_server(answering(status, {"Location": str(target)})) as url:
        with pytest.raises(AnalyzerRefused):
            await ask(url)

    assert asked == []


async def test_no_answer_is_a_timeout() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with http_server(hang) as url:
        with pytest.raises(AnalyzerTimeout) as caught:
            await ask(url, IMPATIENCE)

    assert caught.value.detail == "The AI did not answer within 0.2 seconds."


async def test_an_answer_that_drips_is_a_timeout() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await elapse(IMPATIENCE / 10)

    async with http_server(drip) as url:
        with pytest.raises(AnalyzerTimeout):
            await ask(url, IMPATIENCE)


async def test_the_deadline_of_the_session_does_not_apply() -> None:
    async def slow(request: web.Request) -> web.Response:
        await elapse(IMPATIENCE)
        return web.Response(text="late")

    async with (
        http_server(slow) as url,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=IMPATIENCE / 10)) as session,
    ):
        assert await AiEndpoint(session, url, None, PATIENCE).ask({}, lambda payload: VERDICT) is VERDICT


async def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(AnalyzerUnreachable) as caught:
        await ask(URL(f"http://127.0.0.1:{unused_port()}/analyze"))

    assert caught.value.detail == "The AI could not be reached: no connection."


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    class NoSuchName(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
            raise OSError(None, "Name or service not known")

        async def close(self) -> None:
            return

    with pytest.raises(AnalyzerUnreachable) as caught:
        await ask(URL("http://ai.example/analyze"), connector=aiohttp.TCPConnector(resolver=NoSuchName()))

    assert caught.value.detail == "The AI could not be reached: its name does not resolve."


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example"])
async def test_a_name_that_cannot_be_looked_up_is_unreachable(host: str) -> None:
    with pytest.raises(AnalyzerUnreachable):
        await ask(URL(f"http://{host}/analyze"))


async def test_tls_with_a_server_that_has_none_is_unreachable() -> None:
    async with http_server(answering(200)) as url:
        with pytest.raises(AnalyzerUnreachable) as caught:
            await ask(url.with_scheme("https"))

    assert caught.value.detail == "The AI could not be reached: no secure connection."


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"category": "info", "conf',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nabcde",
    ],
)
@pytest.mark.parametrize("resets", [True, False])
async def test_a_connection_that_breaks_is_told_apart_from_none(sent: bytes, resets: bool) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        if resets:
            # Lingering for no time makes the kernel send RST instead of FIN.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with tcp_server(peer) as url:
        with pytest.raises(AnalyzerBrokeOff):
            await ask(url)


@pytest.mark.parametrize("form", ["plain", "chunked", "gzip"])
@pytest.mark.parametrize(("size", "fits"), [(MAX_ANSWER_BYTES, True), (MAX_ANSWER_BYTES + 1, False), (2**22, False)])
async def test_answers_are_bounded_by_what_they_unpack_to(size: int, fits: bool, form: str) -> None:
    asked = 0

    async def big(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        response = web.Response(body=b"x" * size)
        if form == "chunked":
            response.enable_chunked_encoding()
        if form == "gzip":
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async with http_server(big) as url:
        if fits:
            assert await ask(url) == [b"x" * size]
            return
        with pytest.raises(AnalyzerUnintelligible) as caught:
            await ask(url)

    assert caught.value.detail == "The AI gave an answer that does not fit: it is larger than 64 KiB."
    assert asked == 2


async def test_cancelling_ends_the_call() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()
        left.set()

    async with tcp_server(peer) as url:
        call = asyncio.create_task(ask(url))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(PATIENCE):
            await left.wait()


@pytest.mark.parametrize("status", [None, 200, 302, 401, 429, 500])
async def test_no_error_tells_credentials_or_remote_words(status: int | None) -> None:
    def refuse(payload: bytes) -> Verdict:
        raise AnalyzerUnintelligible

    async with (
        http_server(answering(status or 200, {"Retry-After": "s3cret"}, "s3cret")) as url,
        aiohttp.ClientSession() as session,
    ):
        asked = url if status else url.with_port(unused_port())
        by_key = AiEndpoint(session, asked, SecretStr("s3cret"), PATIENCE)
        by_url = AiEndpoint(session, asked.with_user("s3cret").with_password("s3cret"), None, PATIENCE)
        for endpoint in (by_key, by_url):
            with pytest.raises(AnalyzerError) as caught:
                await endpoint.ask({}, refuse)
            assert "s3cret" not in "".join(traceback.format_exception(caught.value))
            assert "s3cret" not in repr(endpoint)
