"""Query parameters, paths and headers that are refused, and odd ones that are not."""

import re
from collections.abc import Mapping
from uuid import uuid4

import httpx2

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Stored, assert_problem, create, pointers

USER = str(uuid4())

LIST: Mapping[str, tuple[str, str]] = {
    "limit=-1": ("/limit", "must be at least 1"),
    "limit=0": ("/limit", "must be at least 1"),
    "limit=101": ("/limit", "must be at most 100"),
    "limit=1000000000": ("/limit", "must be at most 100"),
    f"limit={10**30}": ("/limit", "must be at most 100"),
    "limit=ten": ("/limit", "must be a whole number"),
    "limit=1.5": ("/limit", "must be a whole number"),
    "limit=": ("/limit", "must be a whole number"),
    "limit=1&limit=2": ("/limit", "must be given once"),
    "user_id=me": ("/user_id", "must be a UUID"),
    "user_id=": ("/user_id", "must be a UUID"),
    f"user_id={USER}&user_id={USER}": ("/user_id", "must be given once"),
    "category=bad": ("/category", "must be 'info', 'warning' or 'critical'"),
    "category=": ("/category", "must be 'info', 'warning' or 'critical'"),
    "status=done": ("/status", "must be 'pending', 'processing', 'completed' or 'failed'"),
    "read=maybe": ("/read", "true or false"),
    "min_confidence=7": ("/min_confidence", "must be at most 1"),
    "min_confidence=-0.1": ("/min_confidence", "must be at least 0"),
    "min_confidence=nan": ("/min_confidence", "must be a finite number"),
    "min_confidence=inf": ("/min_confidence", "must be a finite number"),
    "min_confidence=1e999": ("/min_confidence", "must be a finite number"),
    "created_after=yesterday": ("/created_after", "RFC 3339"),
    "created_after=2026-01-01": ("/created_after", "RFC 3339"),
    "created_after=2026-01-01T00:00:00": ("/created_after", "RFC 3339"),
    "created_after=1700000000": ("/created_after", "RFC 3339"),
    "created_after=2026-02-30T00:00:00Z": ("/created_after", "no such"),
    "created_after=2026-01-01T00:00:00%2B25:00": ("/created_after", "no such"),
    "created_after=0001-01-01T00:00:00%2B14:00": ("/created_after", "years 1 to 9999"),
    "created_before=9999-12-31T23:59:59-12:00": ("/created_before", "years 1 to 9999"),
    "created_before=0000-01-01T00:00:00Z": ("/created_before", "no such"),
    "order=best": ("/order", "must be 'newest', 'oldest', 'severity' or 'relevance'"),
    "q=": ("/q", "must not be blank"),
    "q=%20%09%C2%A0": ("/q", "must not be blank"),
    "q=" + "x" * 201: ("/q", "at most 200 characters; this has 201"),
    "q=a%00b": ("/q", "NUL"),
    "q=a&q=b": ("/q", "must be given once"),
    "sort=newest": ("/sort", "not a known parameter"),
    "Limit=5": ("/Limit", "not a known parameter"),
    "limit%00=5": ("/limit\0", "not a known parameter"),
    "cursor=" + "x" * 201: ("/cursor", "must have at most 200 characters"),
}

FINE = (
    "",
    "limit=1",
    "limit=100",
    "min_confidence=0",
    "min_confidence=-0.0",
    "min_confidence=1",
    "read=true",
    "read=false",
    "created_after=0001-01-01T00:00:00Z",
    "created_after=0001-01-01T00:00:00-14:00",
    "created_after=9999-12-31T23:59:59.999999Z",
    "created_before=9999-12-31T23:59:59%2B14:00",
    "created_before=1969-12-31T23:59:59Z",
    "created_after=2026-01-01t00:00:00.123456789z",
    "created_after=2026-01-01T00:00:00%2B05:45&created_before=2026-01-01T00:00:00Z",
    "order=severity&status=failed&category=critical",
    "q=%ED%A0%80",
    "q=%ff",
    "q=%27%20%26%20%7C%20!%20(%20:*%20%5C",
    "q=a&order=relevance",
)


async def test_each_parameter_of_the_list_says_what_is_wrong_with_it(api: httpx2.AsyncClient) -> None:
    for query, (pointer, message) in LIST.items():
        response = await api.get(f"{NOTIFICATIONS}?{query}")

        assert response.status_code == 422, f"{query}: {response.text}"
        problem = assert_problem(response, 422, "invalid_input")
        assert pointers(problem) == [f"query:{pointer}"], query
        assert message in problem["errors"][0]["detail"], query
        assert re.match("must|is not", problem["errors"][0]["detail"]), query
        assert problem["detail"] == f"The input does not fit: {pointer[1:]}.", query


async def test_what_is_odd_but_clear_is_taken(api: httpx2.AsyncClient) -> None:
    for query in FINE:
        response = await api.get(f"{NOTIFICATIONS}?{query}")

        assert response.status_code == 200, f"{query}: {response.text}"


async def test_ids_that_are_no_uuids_are_named(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    for name in ("x", "1", "%00", "..%2Fadmin", "018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e0", "%F0%9F%94%94", "%ff"):
        for method, path, field in (
            ("GET", f"{NOTIFICATIONS}/{name}", "notification_id"),
            ("DELETE", f"{NOTIFICATIONS}/{name}", "notification_id"),
            ("POST", f"{NOTIFICATIONS}/{name}/read", "notification_id"),
            ("GET", f"{INBOXES}/{name}", "user_id"),
            ("POST", f"{INBOXES}/{name}/tokens", "user_id"),
        ):
            response = await api.request(method, path)
            if "%2F" in name:
                assert response.status_code == 404
                continue
            problem = assert_problem(response, 422, "invalid_input")
            assert problem["errors"] == [{"in": "path", "pointer": f"/{field}", "detail": "must be a UUID"}]
    assert await stored() == before


async def test_every_call_refuses_parameters_that_it_does_not_know(api: httpx2.AsyncClient, stored: Stored) -> None:
    notification = await create(api)
    before = await stored()
    path = f"{NOTIFICATIONS}/{notification['id']}"
    for method, url in (
        ("POST", NOTIFICATIONS),
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/read"),
        ("POST", f"{path}/restore"),
        ("GET", f"{path}/status"),
        ("GET", f"{INBOXES}/{USER}"),
        ("GET", f"{INBOXES}/{USER}/changes"),
        ("POST", f"{INBOXES}/{USER}/tokens"),
    ):
        problem = assert_problem(await api.request(method, url, params={"verbose": 1}), 422, "invalid_input")
        assert pointers(problem) == ["query:/verbose"], f"{method} {url}"
    assert await stored() == before


async def test_waiting_and_paging_have_limits(api: httpx2.AsyncClient) -> None:
    notification = await create(api)
    status = f"{NOTIFICATIONS}/{notification['id']}/status"
    for url, query, pointer in (
        (status, "wait=31", "/wait"),
        (status, "wait=-1", "/wait"),
        (status, "wait=nan", "/wait"),
        (status, "wait=inf", "/wait"),
        (status, "wait=1&wait=1", "/wait"),
        (f"{INBOXES}/{USER}/changes", "limit=1001", "/limit"),
        (f"{INBOXES}/{USER}/changes", "limit=0", "/limit"),
        (f"{INBOXES}/{USER}/changes", "since=" + "x" * 201, "/since"),
    ):
        problem = assert_problem(await api.get(f"{url}?{query}"), 422, "invalid_input")
        assert pointers(problem) == [f"query:{pointer}"], query
    assert_problem(await api.get(f"{INBOXES}/{USER}/changes?since=x"), 400, "invalid_position")


async def test_an_idempotency_key_must_be_visible_ascii(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    body = {"user_id": USER, "title": "a", "text": "b"}
    for key in (b"", b"a b", b"\xff", b"k" * 201, "ключ".encode()):
        response = await api.post(NOTIFICATIONS, json=body, headers={b"Idempotency-Key": key})
        assert pointers(assert_problem(response, 422, "invalid_input")) == ["header:/Idempotency-Key"], key
    response = await api.post(f"{NOTIFICATIONS}/batch", json={"items": [body]}, headers={"Idempotency-Key": "k" * 197})
    assert pointers(assert_problem(response, 422, "invalid_input")) == ["header:/Idempotency-Key"]
    assert await stored() == before
