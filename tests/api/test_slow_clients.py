"""Clients who take their time, on purpose or not, and connections that are too many."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import NOTIFICATIONS, draft
from tests.fixtures.live import LiveServer, live_settings, serve
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.servers import Servers, made_database
from tests.waiting import elapse, eventually

BIG_FILE = "/docs/assets/swagger-ui-bundle.js"
ROOM = 10


@pytest.fixture(scope="module")
def server(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One that has little patience, and room for few."""
    with made_database(servers) as database_url:
        settings = live_settings(database_url, servers.redis_url)
        patience = dict.fromkeys(
            ("API__HEAD_TIMEOUT", "API__BODY_TIMEOUT", "API__READ_TIMEOUT", "API__KEEP_ALIVE"), "2"
        )
        log = tmp_path_factory.mktemp("impatient") / "log"
        with serve(settings, log, API__MAX_CONNECTIONS=str(ROOM), **patience) as it:
            yield it


class Line:
    """A connection on which bytes are sent and read as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, dict[str, object]]:
        """Return status and body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        assert length, head
        return int(head.split()[1]), json.loads(await self.reader.readexactly(int(length[1])))

    async def ends(self) -> bool:
        """Wait until the server hangs up; return whether it said nothing before."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 30) == b""
        except ConnectionResetError:
            return True

    async def dribble(self, data: bytes) -> None:
        """Send ``data`` a byte at a time, and its last one again and again, until nobody takes it."""
        try:
            while not self.reader.at_eof():
                self.writer.write(data[:1])
                await self.writer.drain()
                data = data[1:] or data
                await elapse(0.05)
        except (ConnectionResetError, BrokenPipeError):
            pass  # that is what it waits for


@asynccontextmanager
async def line(server: LiveServer, **options: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection(server.host, server.port, **options)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def is_served(server: LiveServer) -> bool:
    """Whether somebody who does everything right gets what he wants."""
    async with httpx2.AsyncClient(
        verify=NO_TLS, headers={"Authorization": f"Bearer {server.service_key}"}, timeout=30
    ) as client:
        response = await client.post(f"{server.url}{NOTIFICATIONS}", json=draft())
    return response.status_code == 201


async def cut(server: LiveServer, cause: str) -> float:
    async with httpx2.AsyncClient(verify=NO_TLS, timeout=30) as client:
        metrics = (await client.get(f"{server.url}/metrics")).text
    found = re.search(rf'^tocsin_http_connections_cut_total\{{cause="{cause}"\}} (\S+)', metrics, re.MULTILINE)
    return float(found[1]) if found else 0


def post(server: LiveServer, more: str = "Content-Length: 100\r\n") -> bytes:
    head = f"POST {NOTIFICATIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.service_key}\r\n"
    return f"{head}Content-Type: application/json\r\n{more}\r\n".encode()


@pytest.mark.parametrize(
    "data", [b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 10_000, b"\r\n" * 10_000, b"GET /"]
)
async def test_who_sends_a_head_byte_by_byte_is_answered_408_and_holds_up_nobody(
    server: LiveServer, data: bytes
) -> None:
    async with line(server) as it:
        dribbling = asyncio.create_task(it.dribble(data))
        assert await is_served(server)
        status, problem = await asyncio.wait_for(it.answer(), 30)
        assert await it.ends()
        await dribbling

    assert (status, problem["code"]) == (408, "request_timeout")


async def test_who_sends_a_body_byte_by_byte_is_answered_408_and_holds_up_nobody(server: LiveServer) -> None:
    async with line(server) as it:
        it.writer.write(post(server, "Content-Length: 100000\r\n"))
        dribbling = asyncio.create_task(it.dribble(b"{" + b" " * 100_000))
        assert await is_served(server)
        status, problem = await asyncio.wait_for(it.answer(), 30)
        assert await it.ends()
        await dribbling

    assert (status, problem["code"]) == (408, "request_timeout")
    assert "Traceback" not in server.log.read_text()


async def test_so_is_who_sends_chunks_that_never_end(server: LiveServer) -> None:
    async with line(server) as it:
        it.writer.write(post(server, "Transfer-Encoding: chunked\r\n"))
        dribbling = asyncio.create_task(it.dribble(b"10000\r\n{" + b" " * 10_000))
        status, problem = await asyncio.wait_for(it.answer(), 30)
        await dribbling

    assert (status, problem["code"]) == (408, "request_timeout")


async def test_who_is_refused_early_may_not_go_on_with_his_body_for_ever(server: LiveServer) -> None:
    async with line(server) as it:
        it.writer.write(f"POST {NOTIFICATIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode())
        dribbling = asyncio.create_task(it.dribble(b" " * 100_000))
        status, problem = await it.answer()
        assert (status, problem["code"]) == (401, "unauthenticated")
        await asyncio.wait_for(dribbling, 30)


async def test_who_connects_and_says_nothing_is_hung_up_on_without_a_word(server: LiveServer) -> None:
    async with line(server) as it:
        assert await is_served(server)
        assert await it.ends()


async def test_a_connection_that_is_idle_between_requests_ends(server: LiveServer) -> None:
    async with line(server) as it:
        for _ in range(2):
            it.writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await it.answer())[0] == 200
        assert await it.ends()


async def test_line_ends_do_not_keep_an_idle_connection(server: LiveServer) -> None:
    async with line(server) as it:
        it.writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await it.answer())[0] == 200
        dribbling = asyncio.create_task(it.dribble(b"\r\n" * 10_000))
        assert (await asyncio.wait_for(it.answer(), 30))[0] == 408
        await dribbling


async def test_who_does_not_read_his_answers_is_cut_off_and_holds_up_nobody(server: LiveServer) -> None:
    before = await cut(server, "slow_reader")
    with socket.socket() as it:
        it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        it.connect((server.host, server.port))
        it.sendall(f"GET {BIG_FILE} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 20)
        assert await is_served(server)

        async def is_cut_off() -> bool:
            return await cut(server, "slow_reader") > before

        await eventually(is_cut_off)


async def test_who_reads_at_his_pace_gets_all_of_it(server: LiveServer) -> None:
    request = f"GET {BIG_FILE} HTTP/1.1\r\nHost: x\r\n"
    async with line(server, limit=4096) as it:
        it.writer.write(f"{request}\r\n".encode() * 9 + f"{request}Connection: close\r\n\r\n".encode())
        got = 0
        while part := await it.reader.read(2**17):
            got += len(part)
            await elapse(0.01)

    async with httpx2.AsyncClient(verify=NO_TLS, timeout=30) as client:
        size = len((await client.get(f"{server.url}{BIG_FILE}")).content)
    assert got > 10 * size


async def test_who_only_occupies_connections_loses_them_to_those_who_come_later(server: LiveServer) -> None:
    before = await cut(server, "made_room")
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(line(server)) for _ in range(3 * ROOM)]
        for it in lines[-ROOM:]:
            it.writer.write(b"GET /livez HTTP/1.1\r\n")
        assert await is_served(server)
        assert await lines[0].ends()

    assert await cut(server, "made_room") > before


async def test_where_all_connections_are_at_work_another_one_is_refused(server: LiveServer) -> None:
    headers = {"Authorization": f"Bearer {server.service_key}"}
    async with httpx2.AsyncClient(verify=NO_TLS, headers=headers, timeout=30) as client:
        created = (await client.post(f"{server.url}{NOTIFICATIONS}", json=draft(uuid4()))).json()
    wait = f"GET {NOTIFICATIONS}/{created['id']}/status?wait=30 HTTP/1.1\r\nHost: x\r\n"
    wait += f"Authorization: Bearer {server.service_key}\r\n\r\n"

    async def is_refused() -> tuple[int, dict[str, object]] | None:
        async with line(server) as it:
            it.writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            status, problem = await it.answer()
            assert status == 200 or await it.ends()
            return (status, problem) if status != 200 else None

    async with AsyncExitStack() as stack:
        for _ in range(ROOM):
            it = await stack.enter_async_context(line(server))
            it.writer.write(wait.encode())
        refused = await eventually(is_refused)
        assert refused
        assert (refused[0], refused[1]["code"]) == (503, "overloaded")

    await eventually(lambda: is_served(server))
