"""Readers of WebSockets (RFC 6455) that cost little: thousands of them fit into this process.

Only what the servers of a run send is understood: whole frames that are not compressed.
"""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from bench.load import HOST, WrongAnswer

CHANGE: Final = b'{"type":"change"'
"""What the text of a change begins with, and that of all other messages does not."""
_AT_A_TIME: Final = 100
_WITHIN: Final = 60.0
_OTHER_FILES: Final = 500
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)

OnChange = Callable[["Socket", float], None]
"""Is handed a socket that got a change, and when, by `time.perf_counter`."""


def build_handshake(path: str, key: str = "") -> bytes:
    """Return the request that opens a WebSocket."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def allow_sockets(wanted: int) -> int:
    """Return how many of the ``wanted`` sockets the system allows this process, and each that it starts, to open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _OTHER_FILES)


class Socket(asyncio.Protocol):
    """One reader; ``changes`` are how many it got, and ``last`` is the last of them."""

    def __init__(self, handshake: bytes, crowd: "Crowd") -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.changes = 0
        self.last = b""
        self._handshake = handshake
        self._crowd = crowd
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # It is one of uvloop, which is no subclass.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(self._handshake)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.lose(self, "a server closed a connection")

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        at = 0
        if self._handshake:
            at = received.find(b"\r\n\r\n") + 4
            if at < 4:
                self._received = received
                return
            if received[9:12] != b"101":
                self._crowd.lose(self, f"a handshake was refused: {received.decode()[:300]}")
                return
            self._handshake = b""
        while (end := self._read_frame(received, at)) > at:
            at = end
        self._received = received[at:]

    async def connect(self, port: int) -> None:
        """Send the handshake."""
        await asyncio.get_running_loop().create_connection(lambda: self, HOST, port)

    def say(self, text: bytes) -> None:
        """Send a message."""
        self._send(_TEXT, text)

    def close(self) -> None:
        """Break off."""
        if self._transport:
            self._transport.abort()

    def _read_frame(self, received: bytes, at: int) -> int:
        """Take the frame that begins at ``at`` and return where it ends; ``at`` if it is not all there."""
        if len(received) < at + 2:
            return at
        length, start = received[at + 1], at + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            start += size
            if len(received) < start:
                return at
            length = int.from_bytes(received[start - size : start], "big")
        if len(received) < start + length:
            return at
        self._take(received[at] & 0x0F, received[start : start + length])
        return start + length

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._send(_PONG, payload)
        elif opcode == _CLOSE:
            self._crowd.lose(self, f"a server said goodbye: {payload!r}")
        elif payload.startswith(CHANGE):
            self.changes += 1
            self.last = payload
            self._crowd.take(self)
        elif not self.opened.done():
            self.opened.set_result(None)

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        head = bytes([_FINAL | opcode, _MASKED | min(length, 126)])
        if length >= 126:
            head += length.to_bytes(2, "big")
        if self._transport:
            self._transport.write(head + _NO_MASK + payload)


class Crowd:
    """Sockets that are open at once, and how many changes they got together."""

    def __init__(self, on_change: OnChange = lambda socket, now: None) -> None:
        self.sockets: list[Socket] = []
        self.changes = 0
        self._on_change = on_change
        self._closing = False
        self._failure = ""
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None

    async def open(self, port: int, handshakes: Sequence[bytes]) -> None:
        """Open as many more, each of which has got its first message when this returns.

        Raises:
            WrongAnswer: one was refused.
        """
        for start in range(0, len(handshakes), _AT_A_TIME):
            some = [Socket(handshake, self) for handshake in handshakes[start : start + _AT_A_TIME]]
            async with asyncio.timeout(_WITHIN):
                await asyncio.gather(*(socket.connect(port) for socket in some))
                await asyncio.gather(*(socket.opened for socket in some))
            self.sockets += some

    async def until(self, changes: int) -> None:
        """Wait until they got so many in all.

        Raises:
            WrongAnswer: one was closed.
            TimeoutError: they do not get them.
        """
        self._check()
        if self.changes >= changes:
            return
        self._wanted = changes
        self._waiter = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(_WITHIN):
            await self._waiter
        self._check()

    def close(self) -> None:
        """Break all off."""
        self._closing = True
        for socket in self.sockets:
            socket.close()

    def take(self, socket: Socket) -> None:
        """Note that ``socket`` got a change."""
        self.changes += 1
        self._on_change(socket, time.perf_counter())
        if self._waiter and self.changes >= self._wanted:
            self._wake()

    def lose(self, socket: Socket, why: str) -> None:
        """Note that ``socket`` is no more."""
        if self._closing:
            return
        self._failure = self._failure or why
        if not socket.opened.done():
            socket.opened.set_exception(WrongAnswer(why))
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _check(self) -> None:
        if self._failure:
            raise WrongAnswer(self._failure)


@asynccontextmanager
async def open_crowd(
    port: int, handshakes: Sequence[bytes], on_change: OnChange = lambda socket, now: None
) -> AsyncIterator[Crowd]:
    """Have sockets open meanwhile; each has got its first message.

    Raises:
        WrongAnswer: one was refused.
    """
    crowd = Crowd(on_change)
    try:
        await crowd.open(port, handshakes)
        yield crowd
    finally:
        crowd.close()
