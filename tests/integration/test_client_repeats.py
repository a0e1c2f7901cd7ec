"""What the client does with answers that do not come, or are not what it hoped for."""

import asyncio
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fixtures.scripted_api import (
    Answer,
    fails,
    hangs,
    hangs_up,
    notification,
    played,
    refuses,
    says,
    scripted,
    speaks_of_something_else,
)
from tocsin.client import TocsinClient
from tocsin.client.errors import ClientError, Problem, Unreachable
from tocsin.client.retries import RetryPolicy
from tocsin.embedded.ports import find_free_port

QUICK = RetryPolicy(deadline=20, attempt=10, first_delay=0.01, longest_delay=0.01)
HASTY = RetryPolicy(deadline=0.3, attempt=0.2, first_delay=0.01, longest_delay=0.01)
USER = UUID(int=7)
CREATED = says(notification(), 201)


@pytest.mark.parametrize(
    "bad_day",
    [
        hangs_up,
        refuses(503, "unavailable"),
        refuses(429, "too_many_requests"),
        refuses(500, "internal_error"),
        speaks_of_something_else(502),
    ],
    ids=["broken off", "503", "429", "500", "502"],
)
async def test_a_create_is_repeated_word_for_word_under_one_key(bad_day: Answer) -> None:
    met: list[ClientError] = []
    async with played(bad_day, bad_day, CREATED, policy=QUICK, on_retry=lambda error, _: met.append(error)) as (
        api,
        client,
    ):
        created = await client.create(USER, "Title 1", "The backup is done.")

    assert created.title == "Title 1"
    assert len(met) == 2
    assert len({call.headers["Idempotency-Key"] for call in api.calls}) == 1
    assert len(api.bodies) == 3
    assert len(set(api.bodies)) == 1


async def test_two_creates_have_two_keys() -> None:
    async with played(CREATED, CREATED) as (api, client):
        for _ in range(2):
            await client.create(USER, "a", "b")

    assert len({call.headers["Idempotency-Key"] for call in api.calls}) == 2


async def test_what_does_not_answer_in_time_is_asked_again() -> None:
    policy = RetryPolicy(deadline=20, attempt=0.1, first_delay=0.01, longest_delay=0.01)
    async with played(hangs, CREATED, policy=policy) as (api, client):
        await client.create(USER, "a", "b")

    assert len(api.calls) == 2


async def test_who_is_not_there_yet_is_asked_again() -> None:
    port = find_free_port("127.0.0.1")
    tried = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await CREATED(request)

    app = web.Application()
    app.router.add_post("/api/v1/notifications", answer)
    async with TocsinClient(f"http://127.0.0.1:{port}", "k", policy=QUICK, on_retry=lambda *_: tried.set()) as client:
        creating = asyncio.create_task(client.create(USER, "a", "b"))
        await tried.wait()
        async with TestServer(app, port=port):
            assert (await creating).title == "Title 1"


async def test_the_service_says_when_to_come_back() -> None:
    delays: list[float] = []
    async with played(
        refuses(429, "too_many_requests", Retry_After="1"),
        CREATED,
        policy=QUICK,
        on_retry=lambda _, delay: delays.append(delay),
    ) as (_, client):
        await client.create(USER, "a", "b")

    assert 1 <= delays[0] < 1.1


async def test_what_would_come_too_late_is_not_waited_for() -> None:
    async with played(refuses(503, "unavailable", Retry_After="3600"), policy=QUICK) as (_, client):
        with pytest.raises(Problem) as met:
            await client.create(USER, "a", "b")

    assert (met.value.status, met.value.retry_after) == (503, 3600)


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (404, "not_found"), (501, "error")])
async def test_what_would_go_the_same_way_again_is_not_repeated(status: int, code: str) -> None:
    async with played(refuses(status, code, "Say please.")) as (api, client):
        with pytest.raises(Problem) as met:
            await client.get(UUID(int=1))

    problem = met.value
    assert (problem.status, problem.code, problem.detail, problem.request_id) == (status, code, "Say please.", "r-1")
    assert not problem.retryable
    assert len(api.calls) == 1


async def test_a_problem_names_what_is_wrong_with_the_input() -> None:
    document = {
        "code": "invalid_input",
        "detail": "The input does not fit: title.",
        "errors": [{"in": "body", "pointer": "/title", "detail": "must not be blank"}],
    }
    async with played(fails(422, document)) as (_, client):
        with pytest.raises(Problem) as met:
            await client.create(USER, " ", "b")

    assert [(error.location, error.pointer, error.detail) for error in met.value.errors] == [
        ("body", "/title", "must not be blank")
    ]
    assert str(met.value) == "The input does not fit: title. (/title must not be blank)"


NO_PROBLEMS = [["no", "object"], {"errors": "none"}, {"errors": ["x"], "code": None}, None]


@pytest.mark.parametrize("document", NO_PROBLEMS, ids=repr)
async def test_a_problem_that_is_none_is_still_a_problem(document: object) -> None:
    async with played(fails(400, document)) as (_, client):
        with pytest.raises(Problem) as met:
            await client.inbox(USER)

    assert (met.value.status, met.value.code, met.value.errors) == (400, "error", ())
    assert "HTTP status 400" in met.value.detail


async def test_the_last_failure_is_told_when_time_is_over() -> None:
    async with played(*[refuses(503, "database_unavailable", "No database.")] * 100, policy=HASTY) as (api, client):
        with pytest.raises(Problem, match="No database"):
            await client.inbox(USER)
    assert len(api.calls) > 1


async def test_no_answer_at_all_is_told_as_such() -> None:
    async with played(*[hangs] * 10, policy=HASTY) as (_, client):
        with pytest.raises(Unreachable, match="did not answer in time"):
            await client.inbox(USER)


async def test_nobody_there_is_told_with_the_address() -> None:
    port = find_free_port("127.0.0.1")
    async with TocsinClient(f"http://127.0.0.1:{port}", "k", policy=HASTY) as client:
        with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port} cannot be reached: Connection refused$"):
            await client.inbox(USER)


async def test_a_name_that_does_not_exist_is_told() -> None:
    told: asyncio.Queue[ClientError] = asyncio.Queue()
    async with TocsinClient(
        "http://no-such-host.invalid", "k", policy=QUICK, on_retry=lambda error, _: told.put_nowait(error)
    ) as client:
        asking = asyncio.create_task(client.inbox(USER))
        assert "its name does not resolve" in (await told.get()).detail
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_what_is_no_tocsin_is_told_without_repeats() -> None:
    async with played(speaks_of_something_else()) as (_, client):
        with pytest.raises(Unreachable, match=r"does not answer as Tocsin does: '<h1>Welcome"):
            await client.inbox(USER)


async def test_a_redirect_is_told_and_the_key_not_carried_there() -> None:
    async with played(says({}, 301, Location="https://elsewhere.example/api")) as (_, client):
        with pytest.raises(Problem, match=r"redirect to https://elsewhere\.example/api"):
            await client.inbox(USER)


async def test_what_speaks_no_http_is_told() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with TocsinClient(f"http://127.0.0.1:{port}", "k", policy=HASTY) as client:
            with pytest.raises(Unreachable, match="does not speak HTTP"):
                await client.inbox(USER)


async def test_a_secure_address_of_an_insecure_server_is_told_without_repeats() -> None:
    async with scripted() as api, TocsinClient(api.url.replace("http:", "https:"), "k") as client:
        with pytest.raises(Unreachable, match="no secure connection") as met:
            await client.inbox(USER)

    assert not met.value.retryable


async def test_it_works_below_a_path() -> None:
    async with scripted(CREATED) as api, TocsinClient(f"{api.url}/tocsin/", "k") as client:
        await client.create(USER, "a", "b")

    assert api.calls[0].path == "/tocsin/api/v1/notifications"
    assert api.calls[0].headers["Authorization"] == "Bearer k"


@pytest.mark.parametrize(
    "url", ["", "tocsin.example.com", "ftp://example.com", "http://", "http://u:p@example.com", "http://x/?key=1"]
)
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL must look like https"):
        TocsinClient(url, "k")


@pytest.mark.parametrize("key", ["", "two words", "line\nfeed", "ключ"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="key must be") as met:
        TocsinClient("http://example.com", key)

    assert not key or key not in str(met.value)


async def test_fields_of_a_newer_service_are_kept() -> None:
    async with played(says(notification(mood="good"))) as (_, client):
        got = await client.get(UUID(int=1))

    assert '"mood":"good"' in got.model_dump_json()


def test_it_must_be_opened() -> None:
    client = TocsinClient("http://example.com", "k")

    with pytest.raises(RuntimeError, match="async with TocsinClient"):
        asyncio.run(client.get(UUID(int=1)))
