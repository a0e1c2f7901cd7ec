"""Creating with an idempotency key: whatever is repeated, wherever and whenever, is made once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Judge, Stored, assert_problem, draft, pointers
from tests.fixtures.product import MakeKey, calling, serving
from tocsin.models.api_key import Scope
from tocsin.settings import Settings

KEY = {"Idempotency-Key": "order-4711"}
BATCH = f"{NOTIFICATIONS}/batch"


@pytest.fixture
async def elsewhere(settings: Settings, service_key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls another process of the API on the same database, with the same key."""
    async with serving(settings) as app, calling(app, service_key) as it:
        yield it


async def versions(api: httpx2.AsyncClient, user_id: str) -> tuple[int, int]:
    inbox = (await api.get(f"{INBOXES}/{user_id}")).json()
    return inbox["version"], inbox["unread"]["total"]


async def test_a_repeated_create_answers_with_the_first(api: httpx2.AsyncClient) -> None:
    body = draft(data={"b": 1, "a": [2]})
    first = await api.post(NOTIFICATIONS, json=body, headers=KEY)
    again = await api.post(NOTIFICATIONS, json=body | {"data": {"a": [2], "b": 1}}, headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await versions(api, body["user_id"]) == (1, 1)


async def test_without_a_key_a_repeat_is_another_notification(api: httpx2.AsyncClient) -> None:
    body = draft()
    ids = {(await api.post(NOTIFICATIONS, json=body)).json()["id"] for _ in range(2)}

    assert len(ids) == 2


async def test_two_keys_are_refused(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    for path, body in ((NOTIFICATIONS, draft()), (BATCH, {"items": [draft()]})):
        problem = assert_problem(await api.post(path, json=body, headers=headers), 400, "malformed_request")
        assert "'Idempotency-Key' once" in problem["detail"]
    assert await stored() == before


async def test_twins_of_one_moment_are_one(api: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient) -> None:
    body = draft()
    others = [draft(), draft()]

    twins = await asyncio.gather(
        *((api if number % 2 else elsewhere).post(NOTIFICATIONS, json=body, headers=KEY) for number in range(30)),
        *(api.post(NOTIFICATIONS, json=other) for other in others),
    )

    assert {response.status_code for response in twins} == {201}
    assert len({response.json()["id"] for response in twins[:30]}) == 1
    assert Counter("Idempotency-Replayed" in response.headers for response in twins[:30]) == {True: 29, False: 1}
    assert await versions(api, body["user_id"]) == (1, 1)


async def test_twins_with_different_bodies_of_one_moment_leave_one(
    api: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient
) -> None:
    bodies = [draft(title=f"Title {number}") for number in range(10)]

    answers = await asyncio.gather(
        *(
            (api if number % 2 else elsewhere).post(NOTIFICATIONS, json=body, headers=KEY)
            for number, body in enumerate(bodies)
        )
    )

    assert Counter(response.status_code for response in answers) == {201: 1, 422: 9}
    assert len((await api.get(NOTIFICATIONS)).json()["items"]) == 1


async def test_a_key_with_another_body_is_refused(api: httpx2.AsyncClient, stored: Stored) -> None:
    body = draft()
    await api.post(NOTIFICATIONS, json=body, headers=KEY)
    before = await stored()
    others: list[dict[str, object]] = [{name: "x"} for name in ("title", "text", "source")]
    others += [{"user_id": str(uuid4())}, {"data": {}}]
    for changes in others:
        response = await api.post(NOTIFICATIONS, json=body | changes, headers=KEY)

        problem = assert_problem(response, 422, "idempotency_key_reused")
        assert pointers(problem) == ["header:/Idempotency-Key"]
        assert "new key" in problem["detail"]
    assert await stored() == before


async def test_a_replay_shows_the_notification_as_it_is_now(api: httpx2.AsyncClient, judge: Judge) -> None:
    body = draft()
    created = (await api.post(NOTIFICATIONS, json=body, headers=KEY)).json()
    path = f"{NOTIFICATIONS}/{created['id']}"

    await judge(created["id"])
    await api.post(f"{path}/read")
    read = (await api.post(NOTIFICATIONS, json=body, headers=KEY)).json()
    assert read == (await api.get(path)).json()
    assert read["processing_status"] == "completed"
    assert read["read_at"] is not None

    await api.delete(path)
    deleted = (await api.post(NOTIFICATIONS, json=body, headers=KEY)).json()
    assert deleted["id"] == created["id"]
    assert deleted["deleted_at"] is not None
    assert deleted["text"] == ""


async def test_the_same_key_of_another_service_is_another_one(
    app: FastAPI, api: httpx2.AsyncClient, keys: MakeKey
) -> None:
    async with calling(app, await keys(Scope.WRITE)) as other:
        mine = await api.post(NOTIFICATIONS, json=draft(), headers=KEY)
        theirs = await other.post(NOTIFICATIONS, json=draft(), headers=KEY)

    assert theirs.status_code == 201
    assert "Idempotency-Replayed" not in theirs.headers
    assert theirs.json()["id"] != mine.json()["id"]


async def test_another_process_knows_the_key(api: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient) -> None:
    body = draft()
    first = await api.post(NOTIFICATIONS, json=body, headers=KEY)

    again = await elsewhere.post(NOTIFICATIONS, json=body, headers=KEY)
    other = await elsewhere.post(NOTIFICATIONS, json=draft(), headers=KEY)

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert_problem(other, 422, "idempotency_key_reused")


async def test_a_batch_keeps_its_order_and_takes_a_version_each(api: httpx2.AsyncClient) -> None:
    user, other = uuid4(), uuid4()
    items = [draft(user_id, title=f"Title {number}") for number, user_id in enumerate((user, other, user))]

    made = (await api.post(BATCH, json={"items": items})).json()["items"]

    assert [item["title"] for item in made] == ["Title 0", "Title 1", "Title 2"]
    assert [item["version"] for item in made] == [1, 1, 2]
    assert [(await api.get(f"{NOTIFICATIONS}/{item['id']}")).json() for item in made] == made


async def test_a_thousand_at_once_are_taken(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    made = await api.post(BATCH, json={"items": [draft(user)] * 1_000}, headers=KEY)
    again = await api.post(BATCH, json={"items": [draft(user)] * 1_000}, headers=KEY)

    assert (made.status_code, again.status_code) == (201, 201)
    assert len({item["id"] for item in made.json()["items"]}) == 1_000
    assert again.json()["items"] == made.json()["items"]
    assert (made.json()["replayed"], again.json()["replayed"]) == ([], list(range(1_000)))
    assert await versions(api, str(user)) == (1_000, 1_000)


async def test_the_key_of_a_batch_stands_for_one_key_an_item(api: httpx2.AsyncClient) -> None:
    items = [draft(), draft(), draft(idempotency_key="own")]
    made = (await api.post(BATCH, json={"items": items}, headers={"Idempotency-Key": "K"})).json()["items"]

    single = {key: value for key, value in items[1].items() if key != "idempotency_key"}
    second = await api.post(NOTIFICATIONS, json=single, headers={"Idempotency-Key": "K#1"})
    third = await api.post(BATCH, json={"items": [items[2]]}, headers={"Idempotency-Key": "L"})

    assert second.json() == made[1]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert third.json() == {"items": [made[2]], "replayed": [0]}


async def test_twins_within_a_batch_are_one(api: httpx2.AsyncClient) -> None:
    item = draft(idempotency_key="twin")

    answer = (await api.post(BATCH, json={"items": [item, draft(), item]})).json()

    assert answer["items"][0] == answer["items"][2]
    assert answer["replayed"] == [2]
    assert await versions(api, item["user_id"]) == (1, 1)


async def test_a_batch_is_all_or_none(api: httpx2.AsyncClient, stored: Stored) -> None:
    await api.post(NOTIFICATIONS, json=draft(), headers={"Idempotency-Key": "taken"})
    before = await stored()

    taken = await api.post(BATCH, json={"items": [draft(), draft(idempotency_key="taken"), draft()]})
    twins = await api.post(BATCH, json={"items": [draft(idempotency_key="a"), draft(idempotency_key="a")]})
    header = await api.post(BATCH, json={"items": [draft(), draft(text=" ")]}, headers=KEY)

    assert pointers(assert_problem(taken, 422, "idempotency_key_reused")) == ["body:/items/1/idempotency_key"]
    assert pointers(assert_problem(twins, 422, "idempotency_key_reused")) == ["body:/items/1/idempotency_key"]
    assert pointers(assert_problem(header, 422, "invalid_input")) == ["body:/items/1/text"]
    assert await stored() == before


async def test_batches_that_cross_each_other_neither_double_nor_stop(
    api: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient
) -> None:
    items = [draft(idempotency_key=f"key-{number}") for number in range(40)]

    answers = await asyncio.gather(
        *(
            (api if number % 2 else elsewhere).post(BATCH, json={"items": items[:: -1 if number % 3 else 1]})
            for number in range(12)
        )
    )

    assert {response.status_code for response in answers} == {201}
    assert len({item["id"] for response in answers for item in response.json()["items"]}) == 40
