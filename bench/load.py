"""A client that keeps a number of HTTP/1.1 connections busy and costs little itself.

Requests are bytes made beforehand, and of an answer only the status and the length are read. Each connection sends
its next request when it has the answer to the last. One wrong status ends everything: what wrong answers cost is
nobody's question.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

HOST = "127.0.0.1"
_GRACE = 30.0


class WrongAnswer(Exception):
    """The server did not answer as it should."""


@dataclass(slots=True)
class Sample:
    """What one stretch of load saw; times are seconds."""

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    last_body: bytes = b""


def build_request(method: str, path: str, key: str = "", body: object = None) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    payload = b"" if body is None else json.dumps(body).encode()
    if payload:
        lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


async def drive(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float,
    status: int = 200,
) -> Sample:
    """Send ``requests`` for so long, or until there are no more.

    Raises:
        WrongAnswer: an answer had another status, or a connection was closed.
    """
    run = _Run(requests, status, seconds)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds + _GRACE):
        opened = [await loop.create_connection(lambda: _Connection(run), HOST, port) for _ in range(connections)]
        run.begin([connection for _, connection in opened])
        try:
            await run.done
        finally:
            for transport, _ in opened:
                transport.abort()
    return run.sample


async def ask(port: int, request: bytes, status: int = 200) -> bytes:
    """Send one request and return the body of its answer."""
    return (await drive(port, iter((request,)), connections=1, seconds=_GRACE, status=status)).last_body


class Caller:
    """One connection, on which calls are made one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, request: bytes, status: int = 200) -> bytes:
        """Send a request and return the body of its answer.

        Raises:
            WrongAnswer: it had another status.
        """
        self._writer.write(request)
        async with asyncio.timeout(_GRACE):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await self._reader.readexactly(length)
        if head[9:12] != str(status).encode():
            raise WrongAnswer(f"The answer should have been {status}: {(head + body).decode()[:500]}")
        return body


@asynccontextmanager
async def open_caller(port: int) -> AsyncIterator[Caller]:
    """Keep a connection meanwhile."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


class _Run:
    def __init__(self, requests: Iterator[bytes], status: int, seconds: float) -> None:
        self.sample = Sample()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = str(status).encode()
        self._requests = requests
        self._seconds = seconds
        self._began = 0.0
        self._busy = 0

    def begin(self, connections: "list[_Connection]") -> None:
        self._busy = len(connections)
        self._began = time.perf_counter()
        for connection in connections:
            connection.send_next(self._began)

    def next_request(self, now: float) -> bytes | None:
        if now - self._began < self._seconds and (request := next(self._requests, None)) is not None:
            return request
        self._busy -= 1
        if self._busy == 0 and not self.done.done():
            self.sample.seconds = now - self._began
            self.done.set_result(None)
        return None

    def fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswer(why))


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._whole = 0
        self._body_at = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # It is one of uvloop, which is no subclass.
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.fail("The server closed a connection.")

    def send_next(self, now: float) -> None:
        request = self._run.next_request(now)
        if request is not None and self._transport is not None:
            self._sent = now
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        if not self._whole and not self._read_head(received):
            return
        if len(received) < self._whole:
            return
        now = time.perf_counter()
        sample = self._run.sample
        sample.latencies.append(now - self._sent)
        sample.last_body = received[self._body_at :]
        self._received, self._whole = b"", 0
        self.send_next(now)

    def _read_head(self, received: bytes) -> bool:
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return False
        if received[9:12] != self._run.status:
            self._run.fail(f"The answer should have been {self._run.status.decode()}: {received.decode()[:500]}")
            return False
        self._body_at = self._whole = end + 4
        head = received[:end].lower()
        if (at := head.find(b"content-length:")) >= 0:
            self._whole += int(head[at + 15 :].split(b"\r\n", 1)[0])
        return True
