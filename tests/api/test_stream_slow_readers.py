"""Readers who do not read, or vanish: they are given up, and hold up nobody."""

import asyncio
import contextlib
from uuid import uuid4

from tests.fixtures.calls import INBOXES
from tests.fixtures.live_app import LiveApp
from tests.fixtures.posting import CALLER
from tests.fixtures.streams import HANDSHAKE
from tests.waiting import until
from tocsin.services.intake import NotificationDraft
from tocsin.telemetry import STREAMS_ENDED


async def test_who_does_not_read_is_given_up_and_learns_it_if_he_ever_reads_again(
    live: LiveApp, service_key: str
) -> None:
    user = uuid4()
    reader, writer = await shake_hands(live, user, service_key)
    await until(lambda: live.listeners == 1)

    def too_slow() -> float:
        return float(STREAMS_ENDED.labels("websocket", "too_slow")._value.get())

    before = too_slow()
    while live.listeners:
        drafts = [NotificationDraft(user, "Title", "x" * 9_000) for _ in range(90)]
        await live.resources.intake.accept_all(CALLER, drafts)
        await asyncio.sleep(0)

    assert too_slow() == before + 1
    said = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert said.endswith(b"\x88\x0a" + (4001).to_bytes(2, "big") + b"too_slow")


async def test_who_does_not_read_events_is_cut_off(live: LiveApp, service_key: str) -> None:
    user = uuid4()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(live), limit=2**10)
    writer.write(
        f"GET {INBOXES}/{user}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service_key}\r\n\r\n".encode()
    )
    await until(lambda: live.listeners == 1)

    while live.listeners:
        drafts = [NotificationDraft(user, "Title", "x" * 9_000) for _ in range(90)]
        await live.resources.intake.accept_all(CALLER, drafts)
        await asyncio.sleep(0)

    with contextlib.suppress(ConnectionResetError):
        while await asyncio.wait_for(reader.read(2**20), 30):
            pass
    writer.close()


async def test_who_vanishes_without_a_word_is_forgotten(live: LiveApp, service_key: str) -> None:
    for path in ("stream", "events"):
        _, writer = await shake_hands(live, uuid4(), service_key, path)
        await until(lambda: live.listeners == 1)
        writer.transport.abort()
        await until(lambda: live.listeners == 0)


async def shake_hands(
    live: LiveApp, user: object, key: str, path: str = "stream"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream and read nothing of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(live), limit=2**10)
    head = f"GET {INBOXES}/{user}/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    writer.write(f"{head}{HANDSHAKE if path == 'stream' else ''}\r\n".encode())
    return reader, writer


def port_of(live: LiveApp) -> int:
    return int(live.url.rpartition(":")[2])
