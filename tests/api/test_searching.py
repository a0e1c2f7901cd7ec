"""Searching: filters, orders, pages, tags and marking read, and nothing of what is not one's own."""

from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Judge, assert_problem, create, pointers
from tests.fixtures.product import calling
from tocsin.repositories.notification_pages import Order


async def search(api: httpx2.AsyncClient, q: str, **query: object) -> list[str]:
    """Return the ids of the page."""
    response = await api.get(NOTIFICATIONS, params={"q": q, **{name: str(value) for name, value in query.items()}})
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


async def test_a_search_finds_nothing_of_other_inboxes(app: FastAPI, api: httpx2.AsyncClient) -> None:
    own, theirs = await create(api, title="Payments failed"), await create(api, title="Payments failed")
    mine = own["user_id"]
    token = (await api.post(f"{INBOXES}/{mine}/tokens")).json()["token"]

    assert set(await search(api, "payments")) == {own["id"], theirs["id"]}
    assert await search(api, "payments", user_id=theirs["user_id"]) == [theirs["id"]]
    async with calling(app, token) as reader:
        assert await search(reader, "payments") == [own["id"]]
        assert await search(reader, UUID(theirs["user_id"]).hex) == []
        assert await search(reader, f"@{UUID(mine).hex}") == []
        assert_problem(await reader.get(NOTIFICATIONS, params={"q": "x", "user_id": theirs["user_id"]}), 404)


async def test_the_title_counts_more_than_the_source_and_that_more_than_the_text(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    title = await create(api, user, title="Zebra", text="Something with horses and other animals", source="zoo")
    text = await create(api, user, title="Animals", text="A zebra and other animals are here", source="zoo")
    source = await create(api, user, title="Animals", text="Something with horses and other animals", source="zebra")

    assert await search(api, "zebra", user_id=user) == [source["id"], text["id"], title["id"]]
    assert await search(api, "zebra", user_id=user, order="relevance") == [title["id"], source["id"], text["id"]]


async def test_among_equally_relevant_ones_the_newest_is_first(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    made = [(await create(api, user, title="Zebra"))["id"] for _ in range(3)]

    assert await search(api, "zebra", user_id=user, order="relevance") == made[::-1]


async def test_a_search_takes_the_filters_and_orders_of_the_list(api: httpx2.AsyncClient, judge: Judge) -> None:
    user = uuid4()
    ids = {name: (await create(api, user, title=f"Zebra {name}"))["id"] for name in ("bad", "good", "new", "read")}
    await create(api, user, title="Horse")
    await judge(ids["bad"], answer=CRITICAL)
    await judge(ids["good"], answer=INFO)
    await api.post(f"{NOTIFICATIONS}/{ids['read']}/read")

    for query, expected in (
        ({}, ["read", "new", "good", "bad"]),
        ({"order": "oldest"}, ["bad", "good", "new", "read"]),
        ({"order": "severity"}, ["bad", "read", "new", "good"]),
        ({"category": "critical"}, ["bad"]),
        ({"status": "pending"}, ["read", "new"]),
        ({"read": "false"}, ["new", "good", "bad"]),
        ({"read": "true", "order": "relevance"}, ["read"]),
        ({"min_confidence": "0.1", "order": "oldest"}, ["bad", "good"]),
        ({"created_before": "2020-01-01T00:00:00Z"}, []),
        ({"created_after": "2020-01-01T00:00:00Z", "limit": "2"}, ["read", "new"]),
    ):
        assert await search(api, "zebra", user_id=user, **query) == [ids[name] for name in expected], query


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("across", [False, True])
async def test_pages_of_a_search_lose_and_repeat_nothing(api: httpx2.AsyncClient, order: Order, across: bool) -> None:
    user = uuid4()
    zebras = [(await create(api, user, title="Zebra" if n % 2 else "Animal", text="zebra"))["id"] for n in range(7)]
    await create(api, user, title="Horse")
    params = {"q": "zebra", "order": order.value, "limit": "3"} | ({} if across else {"user_id": str(user)})
    seen: list[str] = []
    sizes: list[int] = []
    cursor: dict[str, str] = {}
    while cursor is not None:
        page = (await api.get(NOTIFICATIONS, params=params | cursor)).json()
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert sizes == [3, 3, 1]
    newest_first = zebras[::-1]
    in_title = [one for one in newest_first if zebras.index(one) % 2]
    expected = {
        Order.OLDEST: zebras,
        Order.RELEVANCE: in_title + [one for one in newest_first if one not in in_title],
    }
    assert seen == expected.get(order, newest_first)


async def test_a_cursor_belongs_to_its_search(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    for _ in range(3):
        await create(api, user, title="Zebra")
    path = f"{NOTIFICATIONS}?user_id={user}&limit=1"
    for order in Order:
        mine = f"{path}&q=zebra&order={order}"
        cursor = (await api.get(mine)).json()["next_cursor"]

        assert len((await api.get(f"{mine}&cursor={cursor}")).json()["items"]) == 1
        for other in (f"{path}&q=zebras&order={order}", f"{path}&order=newest", f"{mine}&read=false"):
            assert_problem(await api.get(f"{other}&cursor={cursor}"), 400, "invalid_cursor")
        for another in set(Order) - {order}:
            response = await api.get(f"{path}&q=zebra&order={another}&cursor={cursor}")
            assert_problem(response, 400, "invalid_cursor")


async def test_what_was_deleted_is_not_found_until_it_is_restored(
    api: httpx2.AsyncClient,
) -> None:
    made = await create(api, title="Zebra")
    path, user = f"{NOTIFICATIONS}/{made['id']}", made["user_id"]

    await api.delete(path)
    for order in Order:
        assert await search(api, "zebra", user_id=user, order=order.value) == []
        assert await search(api, "zebra", order=order.value) == []

    await api.post(f"{path}/restore")
    assert await search(api, "zebra", user_id=user) == [made["id"]]


async def test_a_search_has_a_tag_that_changes_with_the_inbox_and_is_not_cached(
    api: httpx2.AsyncClient, cache_url: str
) -> None:
    first = await create(api, title="Zebra")
    url = f"{NOTIFICATIONS}?user_id={first['user_id']}&q=zebra"
    async with Redis.from_url(cache_url) as redis:
        before = await redis.keys()
        tag = (await api.get(url)).headers["ETag"]
        assert await redis.keys() == before

    assert (await api.get(url, headers={"If-None-Match": tag})).status_code == 304
    for other in (f"{url}&order=relevance", f"{url}x", f"{NOTIFICATIONS}?user_id={first['user_id']}"):
        assert (await api.get(other)).headers["ETag"] != tag
    await create(api, first["user_id"], title="Zebra")
    again = await api.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, len(again.json()["items"])) == (200, 2)
    assert "ETag" not in (await api.get(f"{NOTIFICATIONS}?q=zebra")).headers


async def test_relevance_without_a_search_is_refused(api: httpx2.AsyncClient) -> None:
    for query in ("", f"&user_id={uuid4()}", "&cursor=x"):
        problem = assert_problem(await api.get(f"{NOTIFICATIONS}?order=relevance{query}"), 422, "search_missing")
        assert pointers(problem) == ["query:/order"]


async def test_a_query_may_be_as_long_as_the_longest_one_and_is_trimmed(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    made = (await create(api, user, title="Zebra", text="a " * 100))["id"]

    for q in (" zebra\t\n", "a " * 100, " " * 50 + "zebra " + "a " * 97 + " " * 50, "zebra" + " or b" * 39):
        assert await search(api, q, user_id=user) == [made], q
    assert await search(api, "я" * 200, user_id=user) == []


async def test_only_what_was_searched_is_marked_read(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    zebra, horse, other = [
        await create(api, owner, title=title)
        for owner, title in ((user, "Zebras"), (user, "Horse"), (uuid4(), "Zebra"))
    ]

    response = await api.post(f"{NOTIFICATIONS}/read", json={"user_id": str(user), "q": " zebra "})

    assert response.json() == {"changed": 1, "version": 3, "complete": True}
    for notification, is_read in ((zebra, True), (horse, False), (other, False)):
        found = (await api.get(f"{NOTIFICATIONS}/{notification['id']}")).json()
        assert (found["read_at"] is not None) is is_read, found["title"]
    again = await api.post(f"{NOTIFICATIONS}/read", json={"user_id": str(user), "q": "zebra"})
    assert again.json() == {"changed": 0, "version": 3, "complete": True}


async def test_many_that_were_searched_are_marked_read_up_to_a_position(
    api: httpx2.AsyncClient, database_url: str
) -> None:
    user = str(uuid4())
    for title in ("Zebra", "Horse", "Zebra"):
        items = [{"user_id": user, "title": title, "text": "An animal"}] * 900
        assert (await api.post(f"{NOTIFICATIONS}/batch", json={"items": items})).status_code == 201
    position = (await api.get(f"{INBOXES}/{user}")).json()["position"]
    await create(api, UUID(user), title="Zebra")

    body = {"user_id": user, "q": "zebra -cow", "up_to": position}
    response = await api.post(f"{NOTIFICATIONS}/read", json=body)

    assert (response.json()["changed"], response.json()["complete"]) == (1_800, True)
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT title, count(*) FROM notifications WHERE read_at IS NULL GROUP BY 1")
    finally:
        await connection.close()
    assert {row["title"]: row["count"] for row in rows} == {"Horse": 900, "Zebra": 1}


async def test_a_query_without_words_marks_nothing_read(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    await create(api, user)

    response = await api.post(f"{NOTIFICATIONS}/read", json={"user_id": str(user), "q": "!!!"})

    assert response.json() == {"changed": 0, "version": 1, "complete": True}


async def test_what_to_mark_read_must_be_words_too(api: httpx2.AsyncClient) -> None:
    for q, detail in (
        ("", "blank"),
        (" ", "blank"),
        ("x" * 201, "200"),
        ("a\0", "NUL"),
        (1, "string"),
        (["a"], "string"),
    ):
        response = await api.post(f"{NOTIFICATIONS}/read", json={"user_id": str(uuid4()), "q": q})
        problem = assert_problem(response, 422, "invalid_input")
        assert pointers(problem) == ["body:/q"]
        assert detail in problem["errors"][0]["detail"]
