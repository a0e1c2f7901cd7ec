"""Errors that any path may give: unknown paths, wrong methods, and what no answer may leak."""

import re
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, assert_problem, create, draft
from tests.fixtures.product import calling

ID = "018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01"


async def test_unknown_paths_are_problems_too(api: httpx2.AsyncClient) -> None:
    for path in ("/nothing", "/api/v1", "/api/v2/notifications", f"{NOTIFICATIONS}/", f"{NOTIFICATIONS}/{ID}/nothing"):
        assert "/docs" in assert_problem(await api.get(path), 404, "not_found")["detail"]
    for path in ("/docs/assets/nothing.js", "/docs/assets/../../app.py", "/docs/assets/%2e%2e/%2e%2e/app.py"):
        assert_problem(await api.get(path), 404, "not_found")
    assert_problem(await api.post("/nothing", content=b"x", headers={"Content-Type": "text/plain"}), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "wrong", "allow"),
    [
        (NOTIFICATIONS, "PUT", "GET, HEAD, POST"),
        (NOTIFICATIONS, "DELETE", "GET, HEAD, POST"),
        (f"{NOTIFICATIONS}/batch", "GET", "POST"),
        (f"{NOTIFICATIONS}/batch", "DELETE", "POST"),
        (f"{NOTIFICATIONS}/batch", "HEAD", "POST"),
        (f"{NOTIFICATIONS}/read", "GET", "POST"),
        (f"{NOTIFICATIONS}/{ID}", "PATCH", "DELETE, GET, HEAD"),
        (f"{NOTIFICATIONS}/{ID}/read", "GET", "POST"),
        (f"{INBOXES}/{ID}", "OPTIONS", "GET, HEAD"),
        (f"{INBOXES}/{ID}/tokens", "GET", "POST"),
        ("/livez", "POST", "GET, HEAD"),
        ("/docs", "DELETE", "GET, HEAD"),
        ("/openapi.json", "POST", "GET, HEAD"),
        ("/docs/assets/swagger-ui.css", "POST", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    api: httpx2.AsyncClient, path: str, wrong: str, allow: str
) -> None:
    response = await api.request(wrong, path)

    assert response.headers["Allow"] == allow
    if wrong == "HEAD":
        assert (response.status_code, response.content) == (405, b"")
    else:
        assert_problem(response, 405, "method_not_allowed")


async def test_head_is_get_without_the_body(api: httpx2.AsyncClient) -> None:
    notification = await create(api)
    for path in (NOTIFICATIONS, f"{NOTIFICATIONS}/{notification['id']}", f"{INBOXES}/{ID}", "/livez", "/docs", "/"):
        head, get = await api.head(path), await api.get(path)

        assert head.status_code == get.status_code
        assert head.content == b""
        different = {"x-request-id", "ratelimit"}
        assert {k: v for k, v in head.headers.items() if k not in different} == {
            k: v for k, v in get.headers.items() if k not in different
        }


async def test_a_request_id_is_taken_over(api: httpx2.AsyncClient) -> None:
    for status, path in ((200, NOTIFICATIONS), (404, "/nothing"), (405, "/livez/"), (422, f"{NOTIFICATIONS}?limit=0")):
        response = await api.get(path, headers={"X-Request-ID": "deploy-17.retry_2"})

        assert response.headers["X-Request-ID"] == "deploy-17.retry_2", status
        assert response.status_code in {status, 404}


async def test_a_request_without_an_id_gets_one_of_its_own(api: httpx2.AsyncClient) -> None:
    ids = {(await api.get(path)).headers["X-Request-ID"] for path in (NOTIFICATIONS, "/nothing", "/livez", "/livez")}

    assert len(ids) == 4
    assert all(re.fullmatch(r"[0-9a-f]{32}", request_id) for request_id in ids)


async def test_a_hostile_request_id_is_replaced(api: httpx2.AsyncClient) -> None:
    for hostile in (b"a b", b"x" * 129, b"", b"<script>", b'"},{"', b"\xc3\xa9", b"a\tb", b"a/b"):
        response = await api.get("/nothing", headers={b"X-Request-ID": hostile})

        assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"]), hostile
        assert_problem(response, 404)


async def test_a_request_id_follows_the_notification_to_the_worker(app: FastAPI, api: httpx2.AsyncClient) -> None:
    response = await api.post(NOTIFICATIONS, json=draft(), headers={"X-Request-ID": "from-billing"})

    database = app.state.resources.database
    (claimed,) = await database.at_once(lambda uow: uow.jobs.claim([UUID(response.json()["id"])], timedelta(seconds=1)))
    assert claimed.lease.request_id == "from-billing"


async def test_nothing_internal_leaks_from_an_unexpected_error(app: FastAPI, service_key: str) -> None:
    secret = "relation 'secrets' does not exist"

    async def break_off() -> None:
        raise RuntimeError(secret)

    app.add_api_route("/broken", break_off)
    async with calling(app, service_key) as it:
        response = await it.get("/broken")

    problem = assert_problem(response, 500, "internal_error")
    assert secret not in response.text
    assert "RuntimeError" not in response.text
    assert "request id" in problem["detail"]
