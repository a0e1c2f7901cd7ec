"""Any number of notifications: in batches, each made once, and what is refused is told."""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from uuid import UUID

import pytest
from aiohttp import web

from tests.fixtures.scripted_api import Answer, batch, fails, hangs_up, played, refuses, says
from tocsin.client import TocsinClient
from tocsin.client.batches import Refusal
from tocsin.client.errors import Problem
from tocsin.client.models import Created, Draft
from tocsin.client.retries import RetryPolicy

USER = UUID(int=7)
QUICK = RetryPolicy(deadline=20, attempt=10, first_delay=0.01, longest_delay=0.01)


def drafts(count: int, text: str = "b") -> list[Draft]:
    return [Draft(USER, f"Title {number}", text) for number in range(count)]


def items(body: bytes) -> list[dict[str, object]]:
    sent: list[dict[str, object]] = json.loads(body)["items"]
    return sent


async def made(client: TocsinClient, what: object, **options: object) -> list[Created]:
    return [created async for created in client.create_many(what, **options)]  # type: ignore[arg-type]  # as a test hands it on


async def fill(created: list[Created], client: TocsinClient, what: Iterable[Draft] | AsyncIterable[Draft]) -> None:
    async for one in client.create_many(what):
        created.append(one)  # noqa: PERF401 - what came before an error stays


def finds(*found: tuple[str, str]) -> Answer:
    """Refuse what pointers name."""
    errors = [{"in": "body", "pointer": pointer, "detail": detail} for pointer, detail in found]
    return fails(422, {"code": "invalid_input", "detail": "The input does not fit.", "errors": errors})


async def test_a_thousand_go_at_once_and_the_rest_after_them() -> None:
    async with played(batch(range(1_000)), batch([1_000])) as (api, client):
        created = await made(client, iter(drafts(1_001)), key_prefix="K")

    assert [one.id.int for one in created] == list(range(1_001))
    first, second = map(items, api.bodies)
    assert (len(first), len(second)) == (1_000, 1)
    assert [item["idempotency_key"] for item in (first[0], first[-1], second[0])] == ["K#0", "K#999", "K#1000"]
    assert first[0] == {"user_id": str(USER), "title": "Title 0", "text": "b", "idempotency_key": "K#0"}


async def test_no_batch_is_larger_than_the_service_takes() -> None:
    """10 000 characters of four bytes each: 1 000 of them would be 40 MB."""
    sizes: list[int] = []

    async def count(request: web.Request) -> web.StreamResponse:
        sizes.append(len(await request.read()))
        return await batch(range(len(items(await request.read()))))(request)

    async with played(*[count] * 3) as (_, client):
        assert len(await made(client, drafts(60, "🔥" * 10_000))) == 60

    assert max(sizes) < 2**20
    assert len(sizes) == 3


@pytest.mark.parametrize(
    "too_large",
    [refuses(413, "body_too_large"), finds(("/items", "must not have more items than the limit allows"))],
    ids=["too large", "more than a rate limit allows"],
)
async def test_what_is_too_much_for_this_service_goes_in_halves(too_large: Answer) -> None:
    async with played(too_large, batch([0, 1]), too_large, batch([2]), batch([3])) as (api, client):
        created = await made(client, drafts(4), key_prefix="K")

    assert [one.id.int for one in created] == [0, 1, 2, 3]
    assert [[item["idempotency_key"] for item in items(body)] for body in api.bodies] == [
        ["K#0", "K#1", "K#2", "K#3"],
        ["K#0", "K#1"],
        ["K#2", "K#3"],
        ["K#2"],
        ["K#3"],
    ]


async def test_one_that_is_too_large_by_itself_is_told() -> None:
    async with played(refuses(413, "body_too_large")) as (_, client):
        with pytest.raises(Problem) as met:
            await made(client, drafts(1))

    assert met.value.code == "body_too_large"


async def test_a_batch_is_repeated_word_for_word() -> None:
    async with played(hangs_up, refuses(503, "overloaded"), batch([0, 1]), policy=QUICK) as (api, client):
        assert len(await made(client, drafts(2))) == 2

    assert len(set(api.bodies)) == 1


async def test_what_was_made_before_says_so() -> None:
    async with played(batch([0, 1, 2], replayed=[1])) as (_, client):
        created = await made(client, drafts(3))

    assert [one.replayed for one in created] == [False, True, False]


async def test_the_rest_is_made_without_what_is_refused() -> None:
    refused: list[Refusal] = []
    refusal = finds(("/items/1/title", "must not be blank"), ("/items/1/text", "is required"), ("/items/3", "no"))
    async with played(refusal, finds(("/items/1/link", "no")), batch([0]), batch([4])) as (api, client):
        created = [one async for one in client.create_many(drafts(4), key_prefix="K", on_refused=refused.append)]
        created += await made(client, drafts(1), on_refused=refused.append)

    assert [one.id.int for one in created] == [0, 4]
    assert [(one.index, [(error.pointer, error.detail) for error in one.errors]) for one in refused] == [
        (1, [("/title", "must not be blank"), ("/text", "is required")]),
        (3, [("", "no")]),
        (2, [("/link", "no")]),
    ]
    assert [[item["idempotency_key"] for item in items(body)] for body in api.bodies[:3]] == [
        ["K#0", "K#1", "K#2", "K#3"],
        ["K#0", "K#2"],
        ["K#0"],
    ]


async def test_nothing_is_sent_where_all_was_refused() -> None:
    refused: list[Refusal] = []
    async with played(finds(("/items/0/title", "no"))) as (api, client):
        assert await made(client, drafts(1), on_refused=refused.append) == []

    assert (len(refused), len(api.calls)) == (1, 1)


async def test_what_is_refused_raises_where_nobody_wants_to_be_told() -> None:
    async with played(batch(range(1_000)), finds(("/items/0/title", "must not be blank"))) as (_, client):
        created: list[Created] = []
        with pytest.raises(Problem) as met:
            await fill(created, client, drafts(1_001))

    assert len(created) == 1_000
    assert [error.pointer for error in met.value.errors] == ["/items/1000/title"]


async def test_a_refusal_that_names_no_item_raises() -> None:
    async with played(refuses(422, "invalid_input")) as (_, client):
        with pytest.raises(Problem):
            await made(client, drafts(2), on_refused=lambda _: None)


async def test_what_comes_bit_by_bit_is_sent_as_it_comes() -> None:
    sent = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        count = len(items(await request.read()))
        sent.set()
        return await batch(range(count))(request)

    async def trickle() -> AsyncIterator[Draft]:
        yield drafts(1)[0]
        await sent.wait()
        yield drafts(1)[0]

    async with played(answer, answer) as (api, client):
        assert len(await made(client, trickle())) == 2

    assert [len(items(body)) for body in api.bodies] == [1, 1]


async def test_an_error_of_whoever_makes_the_drafts_comes_through() -> None:
    async def broken() -> AsyncIterator[Draft]:
        yield drafts(1)[0]
        raise OSError("the disk is gone")

    async with played(batch([0])) as (_, client):
        created: list[Created] = []
        with pytest.raises(OSError, match="the disk is gone"):
            await fill(created, client, broken())

    assert len(created) == 1


async def test_no_more_is_read_than_is_sent() -> None:
    read = 0

    def endless() -> Iterator[Draft]:
        nonlocal read
        while True:
            read += 1
            yield Draft(USER, "a", "b")

    async with (
        played(batch(range(1_000)), batch(range(1_000))) as (_, client),
        aclosing(client.create_many(endless())) as stream,
    ):
        for _ in range(1_001):
            await anext(stream)

    assert read == 2_000


async def test_what_comes_without_end_is_left_alone_at_the_end() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[Draft]:
        try:
            while True:
                yield Draft(USER, "a", "b")
        finally:
            ended.set()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await batch(range(len(items(await request.read()))))(request)

    async with played(*[answer] * 3) as (_, client), aclosing(client.create_many(endless())) as stream:
        await anext(stream)

    await asyncio.wait_for(ended.wait(), 10)


async def test_lone_surrogates_reach_the_service_which_names_the_field() -> None:
    async with played(says({"items": [], "replayed": []}, 201)) as (api, client):
        await made(client, [Draft(USER, "\ud800", "b")])

    assert items(api.bodies[0])[0]["title"] == "\ud800"
