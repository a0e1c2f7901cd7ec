"""The client's side of the stream protocol, against a server that plays it, and its bad days."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.scripted_api import (
    Answer,
    change,
    close,
    closes,
    drops,
    hangs_up,
    hello,
    ping,
    pings_without_a_word,
    played,
    refuses,
    reset,
    sends,
    talks,
    waits_for,
)
from tocsin.client import TocsinClient
from tocsin.client.errors import StreamRefused
from tocsin.client.models import Change, Disconnected, Hello, Message, Reset
from tocsin.client.retries import Backoff

USER = UUID(int=7)


def seen(message: Message) -> str:
    """Return what kind of message it is, and from where one would go on after it."""
    return f"{message.type} {message.position}"


async def first(count: int, messages: AsyncIterator[Message]) -> list[Message]:
    return [message async for _, message in _counted(count, messages)]


async def _counted(count: int, messages: AsyncIterator[Message]) -> AsyncIterator[tuple[int, Message]]:
    for number in range(count):
        yield number, await anext(messages)


async def heard(client: TocsinClient, count: int, since: str | None = None, stale_after: float = 30) -> list[Message]:
    async with aclosing(client.stream(USER, since, stale_after=stale_after)) as messages:
        return await first(count, messages)


async def test_messages_come_as_they_are_sent() -> None:
    talk = talks(sends(hello("e.1", recovered=False), change("e.2"), reset("e.9"), ping("e.9")))
    async with played(talk) as (api, client):
        greeting, changed, anew, alive = await heard(client, 4)

    assert isinstance(greeting, Hello)
    assert (greeting.recovered, greeting.unread.unjudged) == (False, 1)
    assert isinstance(changed, Change)
    assert (changed.notification.title, changed.position) == ("Title 1", "e.2")
    assert isinstance(anew, Reset)
    assert alive.position == "e.9"
    assert api.calls[0].path == f"/api/v1/inboxes/{USER}/stream"
    assert "since" not in api.calls[0].query
    assert api.calls[0].headers["Authorization"] == "Bearer k"


async def test_it_begins_where_it_is_told_to() -> None:
    async with played(talks(sends(hello("e.4")))) as (api, client):
        await heard(client, 1, since="e.4")

    assert api.calls[0].query["since"] == "e.4"


@pytest.mark.parametrize(
    ("last", "position"),
    [(hello("e.1"), "e.1"), (change("e.2"), "e.2"), (reset("e.3"), "e.3"), (ping("e.4"), "e.4")],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)
async def test_it_comes_back_with_the_position_of_the_last_message(last: dict[str, object], position: str) -> None:
    async with played(talks(sends(hello("e.1"), last), drops), talks(sends(hello(position)))) as (api, client):
        messages = await heard(client, 4)

    assert [seen(message) for message in messages][2:] == [f"disconnected {position}", f"hello {position}"]
    assert api.calls[1].query["since"] == position


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (talks(sends(hello("e.1")), drops), "the connection broke"),
        (talks(sends(hello("e.1")), closes(1000)), "the connection broke"),
        (talks(sends(hello("e.1")), closes(1001, "going away")), "going away"),
        (talks(sends(hello("e.1")), closes(4001)), "this program read too slowly"),
        (talks(sends(hello("e.1")), closes(4499, "later")), "later"),
        (talks(sends(hello("e.1"), {"type": "hello"})), "what came is no message of the protocol"),
        (talks(sends(hello("e.1")), pings_without_a_word), "nothing came for 0.2 seconds"),
    ],
    ids=["broken", "normal", "away", "too slow", "unknown", "garbled", "dead"],
)
async def test_it_comes_back_after_any_end_that_is_not_for_good(end: Answer, reason: str) -> None:
    async with played(end, talks(sends(hello("e.1")))) as (api, client):
        _, gone, again = await heard(client, 3, stale_after=0.2)

    assert isinstance(gone, Disconnected)
    assert gone.reason == reason
    assert 0 <= gone.retry_in <= 1
    assert isinstance(again, Hello)
    assert api.calls[1].query["since"] == "e.1"


async def test_it_comes_back_when_it_was_told_to() -> None:
    stopping = close("e.2", 4000, "server_stopping", retry_after=0.05)
    async with played(
        talks(sends(hello("e.1"), stopping), closes(4000, "server_stopping")), talks(sends(hello("e.2")))
    ) as (_, client):
        _, gone, again = await heard(client, 3)

    assert isinstance(gone, Disconnected)
    assert (gone.retry_in, gone.reason) == (0.05, "Because of server_stopping.")
    assert again.position == "e.2"


@pytest.mark.parametrize(
    "bad_days",
    # aiohttp repeats a GET once by itself if the connection breaks.
    [(hangs_up, hangs_up), (refuses(503, "unavailable"),), (refuses(429, "busy", Retry_After="0"),)],
    ids=["gone", "503", "429"],
)
async def test_it_tries_again_while_it_cannot_connect(bad_days: tuple[Answer, ...]) -> None:
    async with played(*bad_days, talks(sends(hello("e.1")))) as (api, client):
        gone, greeting = await heard(client, 2, since="e.1")

    assert isinstance(gone, Disconnected)
    assert gone.position == "e.1"
    assert isinstance(greeting, Hello)
    assert {call.query["since"] for call in api.calls} == {"e.1"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [(4003, "token_expired"), (4500, "unauthenticated"), (4501, "not_found"), (4504, "invalid_input"), (4999, "new")],
)
@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
async def test_it_gives_up_where_it_would_go_the_same_way_again(code: int, reason: str, told: bool) -> None:
    words = [close("e.1", code, reason, retry_after=None)] if told else []
    async with played(talks(sends(*words), closes(code, reason))) as (api, client):
        with pytest.raises(StreamRefused) as met:
            await heard(client, 1)

    assert (met.value.code, met.value.reason) == (code, reason)
    assert reason in met.value.detail
    assert len(api.calls) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_it_gives_up_where_the_handshake_is_refused(status: int) -> None:
    async with played(refuses(status, "no")) as (_, client):
        with pytest.raises(StreamRefused, match=f"HTTP status {status}") as met:
            await heard(client, 1)

    assert met.value.code == status


async def test_what_it_does_not_know_is_passed_over() -> None:
    unknown = ({"type": "weather", "position": "e.7"}, "no JSON", "[1]", {"position": "e.8"})
    extended = {**change("e.2"), "mood": "good"}
    async with played(talks(sends(*unknown, hello("e.1"), *unknown, extended))) as (_, client):
        messages = await heard(client, 2)

    assert [seen(message) for message in messages] == ["hello e.1", "change e.2"]


async def test_whoever_stops_listening_leaves_at_once() -> None:
    left = asyncio.Event()

    async def note_the_end(socket: object) -> None:
        async for _ in socket:  # type: ignore[attr-defined]  # a WebSocketResponse
            pass
        left.set()

    async with played(talks(sends(hello("e.1")), note_the_end)) as (_, client):
        await heard(client, 1)
        await asyncio.wait_for(left.wait(), 10)


async def test_two_streams_of_one_client_do_not_mix() -> None:
    go = asyncio.Event()
    one = talks(sends(hello("a.1")), waits_for(go), sends(change("a.2")))
    other = talks(sends(hello("b.1")), waits_for(go), sends(change("b.2")))
    async with (
        played(one, other) as (_, client),
        aclosing(client.stream(USER)) as first_stream,
        aclosing(client.stream(USER)) as second_stream,
    ):
        await anext(first_stream)
        await anext(second_stream)
        go.set()

        assert seen(await anext(first_stream)) == "change a.2"
        assert seen(await anext(second_stream)) == "change b.2"


@settings(deadline=None)
@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_delays_are_random_within_a_bound_that_doubles(draws: list[float]) -> None:
    backoff = Backoff(1, 30, iter(draws).__next__)

    for number, draw in enumerate(draws):
        assert backoff.next() == draw * min(2**number, 30)
    again = Backoff(1, 30, lambda: 0.5)
    again.next()
    again.reset()
    assert again.next() == 0.5
