"""Bodies that are refused: each with a clear 4xx that names the field, and nothing is changed."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import httpx2

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Stored, assert_problem, create, draft, pointers
from tocsin.settings import Settings

JSON = {"Content-Type": "application/json"}
BATCH = f"{NOTIFICATIONS}/batch"
READ = f"{NOTIFICATIONS}/read"

FIELDS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "no user": ({"user_id": None}, "/user_id", "must be a UUID"),
    "a user that is no UUID": ({"user_id": "me"}, "/user_id", "must be a UUID"),
    "a user that is a number": ({"user_id": 7}, "/user_id", "must be a UUID"),
    "an empty title": ({"title": ""}, "/title", "must not be empty"),
    "a blank title": ({"title": " \t\n\u2003"}, "/title", "must not be blank"),
    "a title that only looks blank": ({"title": "\ufeff\x1f\x85"}, "/title", "must not be blank"),
    "a title that is too long": ({"title": "x" * 201}, "/title", "must have at most 200 characters"),
    "a title that is a number": ({"title": 5}, "/title", "must be a string"),
    "a title that is an array": ({"title": ["x"]}, "/title", "must be a string"),
    "an empty text": ({"text": ""}, "/text", "must not be empty"),
    "a blank text": ({"text": "\u00a0\u3000"}, "/text", "must not be blank"),
    "10 001 characters": ({"text": "x" * 10_001}, "/text", "at most 10000 characters"),
    "10 001 characters beyond the plane": ({"text": "🔔" * 10_001}, "/text", "at most 10000 characters"),
    "NUL in the title": ({"title": "a\0b"}, "/title", "NUL"),
    "NUL in the text": ({"text": "a\0"}, "/text", "NUL"),
    "a lone surrogate in the title": ({"title": "a\ud800"}, "/title", "lone surrogates"),
    "a lone surrogate in the text": ({"text": "\udfff a"}, "/text", "lone surrogates"),
    "a blank source": ({"source": " "}, "/source", "must not be blank"),
    "a source that is too long": ({"source": "x" * 201}, "/source", "must have at most 200 characters"),
    "a link that is a script": ({"link": "javascript:alert(1)"}, "/link", "http or https"),
    "a link without a host": ({"link": "https://"}, "/link", "http or https"),
    "a link with a space": ({"link": "https://example.com/a b"}, "/link", "http or https"),
    "a link with a line break": ({"link": "https://example.com/\n"}, "/link", "http or https"),
    "a link that is too long": ({"link": "https://example.com/" + "x" * 2_000}, "/link", "at most 2000 characters"),
    "data that is an array": ({"data": [1]}, "/data", "JSON object"),
    "data that is a string": ({"data": "x"}, "/data", "JSON object"),
    "data of more than 4 KB": ({"data": {"a": "x" * 4_096}}, "/data", "at most 4096 bytes"),
    "data of more than 4 KB in another script": ({"data": {"a": "я" * 2_048}}, "/data", "at most 4096 bytes"),
    "data that is too deep": ({"data": {"a": json.loads("[" * 40 + "]" * 40)}}, "/data", "at most 32 deep"),
    "NUL in data": ({"data": {"a": ["\0"]}}, "/data", "NUL"),
    "NUL in a name in data": ({"data": {"a": {"\0": 1}}}, "/data", "NUL"),
    "a lone surrogate in data": ({"data": {"a": ["\ud800"]}}, "/data", "lone surrogates"),
    "a lone surrogate in a name in data": ({"data": {"\ud800": 1}}, "/data", "lone surrogates"),
    "NaN in data": ({"data": {"a": float("nan")}}, "/data", "NaN"),
    "Infinity in data": ({"data": {"a": [float("-inf")]}}, "/data", "NaN"),
    "an unknown field": ({"prio": 1}, "/prio", "not a known field"),
    "a field that only the service sets": ({"category": "info"}, "/category", "not a known field"),
    "an unknown field with a slash": ({"a/b~c": 1}, "/a~1b~0c", "not a known field"),
    "an unknown field with a lone surrogate": ({"\ud800": 1}, "", "lone surrogates"),
    "a key in the body of a single create": ({"idempotency_key": "k"}, "/idempotency_key", "not a known field"),
}

RAW: Mapping[str, tuple[bytes, int, str]] = {
    "no body": (b"", 422, "is required"),
    "null": (b"null", 422, "must be a JSON object"),
    "an array": (b"[]", 422, "must be a JSON object"),
    "a string": (b'"hello"', 422, "must be a JSON object"),
    "a number": (b"12", 422, "must be a JSON object"),
    "half an object": (b'{"title": "x"', 400, "Expecting ',' delimiter (at character 13)"),
    "no JSON at all": (b"title=x", 400, "Expecting value"),
    "two values": (b"{} {}", 400, "Extra data"),
    "bytes that are not UTF-8": (b'{"title": "\xff"}', 400, "not encoded as UTF-8"),
    "a number of 10 000 digits": (b'{"data": {"a": ' + b"9" * 10_000 + b"}}", 400, "too many digits"),
    "JSON nested 100 000 deep": (b"[" * 100_000 + b"]" * 100_000, 400, "nested too deeply"),
    "1e999": (json.dumps(draft(data={"a": 0})).replace("0}", "1e999}").encode(), 422, "NaN or infinite"),
}


async def send(api: httpx2.AsyncClient, body: object, path: str = NOTIFICATIONS) -> httpx2.Response:
    """Post what Python's JSON writes, NaN and lone surrogates included."""
    return await api.post(path, content=json.dumps(body).encode(), headers=JSON)


async def test_each_field_of_a_create_says_what_is_wrong_with_it(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    for name, (changes, pointer, message) in FIELDS.items():
        response = await send(api, draft() | changes)

        assert response.status_code == 422, f"{name}: {response.text}"
        problem = assert_problem(response, 422, "invalid_input")
        assert pointers(problem) == [f"body:{pointer}"], name
        assert message in problem["errors"][0]["detail"], name
        assert pointer.removeprefix("/") in problem["detail"], name
    assert await stored() == before


async def test_missing_fields_are_all_named_at_once(api: httpx2.AsyncClient) -> None:
    problem = assert_problem(await send(api, {"titel": "x"}), 422)

    assert pointers(problem) == ["body:/user_id", "body:/title", "body:/text", "body:/titel"]
    assert problem["detail"] == "The input does not fit: user_id, title, text, titel."


async def test_bodies_that_are_no_object_are_refused(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    for name, (body, status, message) in RAW.items():
        response = await api.post(NOTIFICATIONS, content=body, headers=JSON)

        assert response.status_code == status, f"{name}: {response.text}"
        problem = assert_problem(response, status, "malformed_json" if status == 400 else "invalid_input")
        said = [problem["detail"], *(error["detail"] for error in problem.get("errors", []))]
        assert any(message in text for text in said), f"{name}: {said}"
    assert await stored() == before


async def test_a_content_type_other_than_json_is_refused(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    body = json.dumps(draft()).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "json", "*/*", ""):
        response = await api.post(NOTIFICATIONS, content=body, headers={"Content-Type": content_type})

        assert "Content-Type: application/json" in assert_problem(response, 415, "unsupported_media_type")["detail"]
    assert await stored() == before


async def test_json_under_any_of_its_names_is_taken(api: httpx2.AsyncClient) -> None:
    body = json.dumps(draft()).encode()
    for content_type in ("application/json", "Application/JSON; charset=utf-8", "application/vnd.tocsin+json"):
        response = await api.post(NOTIFICATIONS, content=body, headers={"Content-Type": content_type})

        assert response.status_code == 201, content_type


async def test_a_body_that_nobody_asked_for_is_let_pass(api: httpx2.AsyncClient) -> None:
    notification = await create(api)
    path = f"{NOTIFICATIONS}/{notification['id']}"

    assert (await api.post(f"{path}/read", content=b"x", headers={"Content-Type": "text/plain"})).status_code == 200
    assert (await api.request("GET", path, content=b"{")).status_code == 200


async def test_a_hostile_body_gets_a_small_answer(api: httpx2.AsyncClient) -> None:
    unknown = {f"field{number}": 1 for number in range(10_000)}
    for path, body in (
        (NOTIFICATIONS, unknown),
        (NOTIFICATIONS, {"x" * 200_000: 1}),
        (READ, unknown),
        (f"{INBOXES}/{uuid4()}/tokens", unknown),
        (BATCH, unknown),
        (BATCH, {"items": [{}] * 1_000}),
        (BATCH, {"items": [unknown] * 20}),
        (BATCH, {"items": [draft(data={"a": [0] * 1_000_000})]}),
    ):
        response = await send(api, body, path)

        assert_problem(response, 422, "invalid_input")
        assert len(response.content) < 20_000


async def test_too_many_unknown_fields_are_one_error(api: httpx2.AsyncClient) -> None:
    unknown = {f"field{number}": 1 for number in range(1_000)}

    one = assert_problem(await send(api, draft() | unknown), 422, "invalid_input")
    two = assert_problem(await send(api, {"items": [draft(), unknown, unknown]}, BATCH), 422, "invalid_input")

    assert pointers(one) == ["body:"]
    assert "at most" in one["errors"][0]["detail"]
    assert pointers(two) == ["body:/items/1", "body:/items/2"]


async def test_data_may_have_more_members_than_any_other_object(api: httpx2.AsyncClient) -> None:
    data = {f"field{number}": number for number in range(200)}

    assert (await create(api, data=data))["data"] == data


async def test_all_but_a_batch_has_to_be_short(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    user = uuid4()
    for path, body in (
        (NOTIFICATIONS, draft()),
        (READ, {"user_id": str(user)}),
        (f"{INBOXES}/{user}/tokens", {}),
    ):
        long = json.dumps(body).encode().ljust(2**18 + 1)

        async def parts(long: bytes = long) -> AsyncIterator[bytes]:
            yield long

        for content in (long, parts()):
            response = await api.post(path, content=content, headers=JSON)
            assert f" {2**18} bytes" in assert_problem(response, 413, "body_too_large")["detail"]
        # Too long is told before what is wrong with it.
        assert_problem(await api.post(path, content=b"{" * (2**18 + 1), headers=JSON), 413, "body_too_large")
    assert await stored() == before


async def test_a_batch_may_be_as_long_as_the_service_is_set_to(api: httpx2.AsyncClient, settings: Settings) -> None:
    body = json.dumps({"items": [draft()]}).encode()
    greatest = settings.api.max_body_bytes

    assert (await api.post(BATCH, content=body.ljust(greatest), headers=JSON)).status_code == 201
    response = await api.post(BATCH, content=body.ljust(greatest + 1), headers=JSON)
    assert f" {greatest} bytes" in assert_problem(response, 413, "body_too_large")["detail"]


async def test_a_batch_names_the_item_that_is_wrong(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    cases: Mapping[str, tuple[object, list[str]]] = {
        "no items": ({}, ["body:/items"]),
        "empty": ({"items": []}, ["body:/items"]),
        "too many": ({"items": [draft()] * 1_001}, ["body:/items"]),
        "an object": ({"items": {}}, ["body:/items"]),
        "unknown": ({"items": [draft()], "atomic": True}, ["body:/atomic"]),
        "third": ({"items": [draft(), draft(), draft(title=" ")]}, ["body:/items/2/title"]),
        "two": ({"items": [draft(text=""), draft(), draft(x=1)]}, ["body:/items/0/text", "body:/items/2/x"]),
        "null": ({"items": [draft(), None]}, ["body:/items/1"]),
        "key": ({"items": [draft(idempotency_key="a b")]}, ["body:/items/0/idempotency_key"]),
        "long key": ({"items": [draft(idempotency_key="k" * 201)]}, ["body:/items/0/idempotency_key"]),
    }
    for name, (body, expected) in cases.items():
        problem = assert_problem(await send(api, body, BATCH), 422, "invalid_input")
        assert pointers(problem) == expected, name
        assert all(re.match("must |is ", error["detail"]) for error in problem["errors"]), name
    assert await stored() == before


async def test_the_other_bodies_are_as_strict(api: httpx2.AsyncClient, stored: Stored) -> None:
    user = str(uuid4())
    before = await stored()
    cases: list[tuple[str, object, str]] = [
        (READ, {}, "/user_id"),
        (READ, {"user_id": user, "read": False}, "/read"),
        (READ, {"user_id": user, "category": "bad"}, "/category"),
        (READ, {"user_id": user, "status": "done"}, "/status"),
        (READ, {"user_id": user, "min_confidence": 1.5}, "/min_confidence"),
        (READ, {"user_id": user, "min_confidence": "0.5"}, "/min_confidence"),
        (READ, {"user_id": user, "min_confidence": True}, "/min_confidence"),
        (READ, {"user_id": user, "min_confidence": float("nan")}, "/min_confidence"),
        (READ, {"user_id": user, "created_after": 1_700_000_000}, "/created_after"),
        (READ, {"user_id": user, "created_after": "2026-01-01T00:00:00"}, "/created_after"),
        (READ, {"user_id": user, "created_before": "yesterday"}, "/created_before"),
        (READ, {"user_id": user, "up_to": 5}, "/up_to"),
        (f"{INBOXES}/{user}/tokens", {"ttl": 0}, "/ttl"),
        (f"{INBOXES}/{user}/tokens", {"ttl": 86_401}, "/ttl"),
        (f"{INBOXES}/{user}/tokens", {"ttl": 10**30}, "/ttl"),
        (f"{INBOXES}/{user}/tokens", {"ttl": "60"}, "/ttl"),
        (f"{INBOXES}/{user}/tokens", {"ttl": True}, "/ttl"),
        (f"{INBOXES}/{user}/tokens", {"ttl": 60.5}, "/ttl"),
        (f"{INBOXES}/{user}/tokens", {"scope": "all"}, "/scope"),
        (f"{INBOXES}/{user}/tokens", [], ""),
    ]
    for path, body, pointer in cases:
        problem = assert_problem(await send(api, body, path), 422, "invalid_input")
        assert pointers(problem) == [f"body:{pointer}"], f"{path} {body}"
    assert await stored() == before


async def test_a_position_that_is_not_ours_is_refused(api: httpx2.AsyncClient) -> None:
    user = str(uuid4())
    for position in (
        "",
        "1",
        "x.1",
        f"{uuid4()}.1",
        f"{uuid4().hex}.-1",
        f"{uuid4().hex}.01",
        f"{uuid4().hex}.{2**63}",
    ):
        assert_problem(await send(api, {"user_id": user, "up_to": position}, READ), 400, "invalid_position")
    foreign = f"{uuid4().hex}.1"
    problem = assert_problem(await send(api, {"user_id": user, "up_to": foreign}, READ), 400, "invalid_position")
    assert "epoch" in problem["detail"]


async def test_data_comes_back_as_it_was_sent(api: httpx2.AsyncClient) -> None:
    data = {
        "numbers": [0, -1, 10**30, -0.0, 1e300, 5e-324, 0.1, 1.0],
        "texts": ["", " ", "я", "🔔", "\x01\x1f\u2028\ufffe", 'quote " and \\'],
        "rest": [None, True, False, {}, [], {"": {"z": 1, "a": 2}}],
    }

    created = await api.post(NOTIFICATIONS, json=draft(data=data))

    got = await api.get(created.headers["Location"])
    assert created.json()["data"] == got.json()["data"] == data
    assert repr(got.json()["data"]["numbers"]) == repr(data["numbers"])


async def test_texts_of_the_greatest_length_come_back_whole(api: httpx2.AsyncClient) -> None:
    body = draft(title="🔔" * 200, text="я" * 10_000, source="x" * 200, link="https://example.com/" + "x" * 1_980)

    created = await create(api, **{k: v for k, v in body.items() if k != "user_id"})

    assert created.items() >= {k: v for k, v in body.items() if k != "user_id"}.items()
