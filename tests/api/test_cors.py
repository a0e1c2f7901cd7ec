"""Pages of other origins: those that the settings name may call, and read what they are answered, errors too."""

import itertools
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, assert_problem, create, draft
from tests.fixtures.live_app import LiveApp
from tests.fixtures.no_tls import NO_TLS
from tocsin.settings import ApiSettings, LimitSettings, Settings

ALLOWED, OTHERS = "https://app.example.com", "https://evil.example.com"
SENT = ("authorization", "content-type", "if-none-match", "idempotency-key", "last-event-id", "x-request-id")
READ = {
    "Date",
    "ETag",
    "X-Request-ID",
    "Retry-After",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
}
METHODS = ("GET", "HEAD", "POST", "DELETE")
SHARED = "Access-Control-Allow-Origin"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Lets the pages of one other origin in; and one repeated analysis."""
    api, limits = ApiSettings(cors_origins=(ALLOWED,)), LimitSettings(key_analysis=1)
    return settings.model_copy(update={"api": api, "limits": limits})


@pytest.fixture
async def page(live: LiveApp, service_key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A page of the origin that may, with a credential."""
    headers = {"Origin": ALLOWED, "Authorization": f"Bearer {service_key}"}
    async with httpx2.AsyncClient(verify=NO_TLS, base_url=live.url, headers=headers, timeout=30) as client:
        yield client


def assert_shared(answer: httpx2.Response) -> None:
    """See that the page may read the answer, with the headers that it needs, and that no cache gives it to others."""
    assert answer.headers[SHARED] == ALLOWED
    assert "Origin" in answer.headers["Vary"]
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) == READ
    assert "Access-Control-Allow-Credentials" not in answer.headers


def assert_not_shared(answer: httpx2.Response) -> None:
    assert not [name for name in answer.headers if name.lower().startswith("access-control-allow-")]


async def test_a_page_that_may_reads_every_answer_errors_too(page: httpx2.AsyncClient) -> None:
    notification = await create(page)
    again = f"{NOTIFICATIONS}/{notification['id']}/analysis"
    assert_shared(await page.get(NOTIFICATIONS))
    assert_shared(await page.head(NOTIFICATIONS))
    assert_shared(await page.post(NOTIFICATIONS, json=draft()))
    assert (await page.post(again)).status_code == 202
    errors = {
        401: await page.get(NOTIFICATIONS, headers={"Authorization": "Bearer nobody"}),
        404: await page.get(f"{NOTIFICATIONS}/{uuid4()}"),
        405: await page.put(NOTIFICATIONS),
        413: await page.post(
            NOTIFICATIONS, content=b'"' + b"x" * 300_000, headers={"Content-Type": "application/json"}
        ),
        415: await page.post(NOTIFICATIONS, content=b"x"),
        422: await page.post(NOTIFICATIONS, json={}),
        429: await page.post(again),
    }
    for status, answer in errors.items():
        assert_problem(answer, status)
        assert_shared(answer)
    assert errors[429].headers["Retry-After"]


async def test_a_page_that_may_listens_to_events_and_reads_why_it_may_not(page: httpx2.AsyncClient) -> None:
    events = f"{INBOXES}/{uuid4()}/events"
    async with page.stream("GET", events) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert_shared(answer)
        assert (await anext(answer.aiter_lines())).startswith("data: ")
    for status, headers, query in (
        (401, {"Authorization": "Bearer nobody"}, {}),
        (422, {}, {"until": "tomorrow"}),
        (422, {}, {"token": "beside the header"}),
    ):
        answer = await page.get(events, headers=headers, params=query)
        assert_problem(answer, status)
        assert_shared(answer)


async def test_a_page_that_may_is_told_so_before_it_calls(page: httpx2.AsyncClient) -> None:
    del page.headers["Authorization"]
    inbox = f"{INBOXES}/{uuid4()}"
    for method, path in itertools.product(METHODS, (NOTIFICATIONS, f"{inbox}/events", f"{inbox}/stream-tokens")):
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ", ".join(SENT)}

        answer = await page.options(path, headers=asked)

        assert answer.status_code == 200, answer.text
        assert answer.headers[SHARED] == ALLOWED
        assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert {*SENT} <= {name.lower() for name in answer.headers["Access-Control-Allow-Headers"].split(", ")}
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_what_a_page_may_not_is_refused_before_it_calls(page: httpx2.AsyncClient) -> None:
    for origin, method, headers in (
        (OTHERS, "POST", "authorization"),
        (f"{ALLOWED}.evil.example", "GET", "authorization"),
        (f"{ALLOWED}:8443", "GET", "authorization"),
        ("http://app.example.com", "GET", "authorization"),
        ("null", "GET", "authorization"),
        (ALLOWED, "PUT", "authorization"),
        (ALLOWED, "POST", "x-forwarded-for"),
    ):
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}

        answer = await page.options(NOTIFICATIONS, headers={"Origin": origin, **asked})

        assert_problem(answer, 400, "cors_refused")
        assert SHARED not in answer.headers, origin


async def test_a_page_of_another_origin_reads_nothing(page: httpx2.AsyncClient) -> None:
    page.headers["Origin"] = OTHERS
    events = f"{INBOXES}/{uuid4()}/events"
    async with page.stream("GET", events) as answer:
        assert answer.status_code == 200
        assert_not_shared(answer)
    for answer in (
        await page.get(NOTIFICATIONS),
        await page.post(NOTIFICATIONS, json={}),
        await page.get(events, headers={"Authorization": "Bearer nobody"}),
        await page.get(f"{NOTIFICATIONS}/{uuid4()}"),
    ):
        assert_not_shared(answer)
