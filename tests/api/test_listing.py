"""The list: filters, orders, and pages without loss or repetition."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Judge, assert_problem, create
from tests.fixtures.product import calling
from tocsin.errors import AnalyzerRefused
from tocsin.models.verdict import Category, Verdict

WARNING = Verdict(Category.WARNING, 0.65, (), "test")


async def titles(api: httpx2.AsyncClient, **query: object) -> list[str]:
    response = await api.get(NOTIFICATIONS, params={k: str(v) for k, v in query.items()})
    assert response.status_code == 200, response.text
    return [item["title"] for item in response.json()["items"]]


async def pages(api: httpx2.AsyncClient, **query: object) -> list[list[dict[str, Any]]]:
    """Return all pages."""
    found: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        response = await api.get(NOTIFICATIONS, params={k: str(v) for k, v in query.items()} | cursor)
        assert response.status_code == 200, response.text
        page = response.json()
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
async def inbox(api: httpx2.AsyncClient, judge: Judge) -> Mapping[str, dict[str, Any]]:
    """One inbox with one of each kind, oldest first; `titles` are their names."""
    user = uuid4()
    names = ("critical 1", "info", "waiting 1", "warning", "failed", "waiting 2", "critical 2")
    made = {name: await create(api, user, title=name) for name in names}
    await judge(made["critical 1"]["id"], made["critical 2"]["id"], answer=CRITICAL)
    await judge(made["warning"]["id"], answer=WARNING)
    await judge(made["info"]["id"], answer=INFO)
    await judge(made["failed"]["id"], answer=AnalyzerRefused("The AI refused the text."))
    await api.post(f"{NOTIFICATIONS}/{made['warning']['id']}/read")
    return made


async def test_filters_narrow_and_combine(api: httpx2.AsyncClient, inbox: Mapping[str, dict[str, Any]]) -> None:
    user = inbox["info"]["user_id"]
    expected: Mapping[str, list[str]] = {
        "": ["critical 2", "waiting 2", "failed", "warning", "waiting 1", "info", "critical 1"],
        "category=critical": ["critical 2", "critical 1"],
        "category=info": ["info"],
        "status=pending": ["waiting 2", "waiting 1"],
        "status=failed": ["failed"],
        "status=processing": [],
        "read=true": ["warning"],
        "read=false&status=completed": ["critical 2", "info", "critical 1"],
        "min_confidence=0.8": ["critical 2", "info", "critical 1"],
        "min_confidence=0.81": ["info"],
        "min_confidence=0": ["critical 2", "warning", "info", "critical 1"],
        "category=critical&read=true": [],
        "category=critical&limit=1": ["critical 2"],
    }
    for query, names in expected.items():
        items = (await api.get(f"{NOTIFICATIONS}?user_id={user}&{query}".rstrip("&"))).json()["items"]
        assert [item["title"] for item in items] == names, query


async def test_the_orders_are_newest_oldest_and_worst_first(
    api: httpx2.AsyncClient, inbox: Mapping[str, dict[str, Any]]
) -> None:
    user = inbox["info"]["user_id"]
    worst = ["critical 2", "critical 1", "warning", "waiting 2", "failed", "waiting 1", "info"]

    assert await titles(api, user_id=user, order="newest") == list(inbox)[::-1]
    assert await titles(api, user_id=user, order="oldest") == list(inbox)
    assert await titles(api, user_id=user, order="severity") == worst
    for order, expected in (("newest", list(inbox)[::-1]), ("oldest", list(inbox)), ("severity", worst)):
        for limit in (1, 2, 3):
            found = await pages(api, user_id=user, order=order, limit=limit)
            assert [item["title"] for page in found for item in page] == expected, f"{order} by {limit}"
            assert all(page for page in found), "the last page is not empty"


async def test_the_times_of_creation_bound_the_list_on_both_sides(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    made: list[dict[str, Any]] = []
    while len({item["created_at"] for item in made}) < 3:
        made.append(await create(api, user, title=f"Title {len(made)}"))
    first, last = made[0]["created_at"], made[-1]["created_at"]

    after = await titles(api, user_id=user, created_after=first, limit=100)
    before = await titles(api, user_id=user, created_before=last, limit=100)
    between = await titles(api, user_id=user, created_after=first, created_before=last, limit=100)

    newest_first = made[::-1]
    assert after == [item["title"] for item in newest_first if item["created_at"] > first]
    assert before == [item["title"] for item in newest_first if item["created_at"] < last]
    assert between == [item["title"] for item in newest_first if first < item["created_at"] < last]
    assert between
    assert await titles(api, user_id=user, created_after=last) == []


async def test_paging_loses_and_repeats_nothing_while_others_arrive_and_go(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    for _ in range(25):
        await create(api, user)
    for order in ("newest", "oldest", "severity"):
        before = {item["id"] for page in await pages(api, user_id=user, limit=100) for item in page}
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while cursor is not None:
            params = {"user_id": str(user), "limit": "4", "order": order} | cursor
            page = (await api.get(NOTIFICATIONS, params=params)).json()
            seen += [item["id"] for item in page["items"]]
            await create(api, user, title="new")
            # Now and then the very one that the cursor stands on.
            await api.delete(f"{NOTIFICATIONS}/{page['items'][len(seen) // 4 % 2 - 1]['id']}")
            if page["next_cursor"] is None or len(seen) > 200:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)), order
        assert before <= set(seen), order
        if order != "oldest":
            assert set(seen) == before, "what came after the first page stands before it"


async def test_a_service_lists_across_inboxes_and_a_token_its_own(app: FastAPI, api: httpx2.AsyncClient) -> None:
    mine, theirs = uuid4(), uuid4()
    for user in (mine, theirs, mine):
        await create(api, user, title=str(user))
    token = (await api.post(f"{INBOXES}/{mine}/tokens")).json()["token"]

    assert await titles(api) == [str(mine), str(theirs), str(mine)]
    assert await titles(api, user_id=theirs) == [str(theirs)]
    assert [[item["title"] for item in page] for page in await pages(api, limit=2)] == [
        [str(mine), str(theirs)],
        [str(mine)],
    ]
    async with calling(app, token) as reader:
        assert await titles(reader) == await titles(reader, user_id=mine) == [str(mine), str(mine)]


async def test_a_cursor_belongs_to_its_filters_and_its_order(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    for _ in range(3):
        await create(api, user)
    path = f"{NOTIFICATIONS}?user_id={user}&limit=1"
    cursor = (await api.get(path)).json()["next_cursor"]
    wrong = (
        f"{NOTIFICATIONS}?cursor={cursor}",
        f"{NOTIFICATIONS}?user_id={uuid4()}&cursor={cursor}",
        f"{path}&order=oldest&cursor={cursor}",
        f"{path}&order=severity&cursor={cursor}",
        f"{path}&read=false&cursor={cursor}",
        f"{path}&min_confidence=0.5&cursor={cursor}",
        f"{path}&created_after=2020-01-01T00:00:00Z&cursor={cursor}",
        f"{path}&cursor={cursor[:-1]}",
        f"{path}&cursor={cursor[:-2]}AA",
        f"{path}&cursor=_{cursor[1:]}",
        f"{path}&cursor={cursor}A",
        f"{path}&cursor=",
        f"{path}&cursor=hello",
        f"{path}&cursor=%00",
        f"{path}&cursor=%F0%9F%94%94",
    )
    for query in wrong:
        problem = assert_problem(await api.get(query), 400, "invalid_cursor")
        assert "start again without one" in problem["detail"], query
        assert_problem(await api.get(query, headers={"If-None-Match": "*"}), 400, "invalid_cursor")

    assert len((await api.get(f"{NOTIFICATIONS}?user_id={user}&limit=2&cursor={cursor}")).json()["items"]) == 2
    assert len((await api.get(f"{NOTIFICATIONS}?order=newest&user_id={user}&cursor={cursor}")).json()["items"]) == 2


async def test_an_empty_list_is_a_list(api: httpx2.AsyncClient) -> None:
    for query in ("", f"?user_id={UUID(int=0)}", f"?user_id={uuid4()}&order=severity"):
        assert (await api.get(f"{NOTIFICATIONS}{query}")).json() == {"items": [], "next_cursor": None}


async def test_what_was_deleted_is_in_no_list(api: httpx2.AsyncClient, inbox: Mapping[str, dict[str, Any]]) -> None:
    user = inbox["info"]["user_id"]
    await api.delete(f"{NOTIFICATIONS}/{inbox['critical 1']['id']}")

    for query in ({}, {"order": "severity"}, {"category": "critical"}, {"status": "completed"}, {"read": "false"}):
        assert "critical 1" not in await titles(api, user_id=user, **query)
        assert "critical 1" not in await titles(api, **query)
