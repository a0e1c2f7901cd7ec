"""Whole inboxes: version, exact counts, what changed since a position, and reading all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Judge, Stored, create, draft
from tests.fixtures.posting import assert_clock_is_sound, fetch
from tocsin.bootstrap import Resources
from tocsin.models.verdict import Category, Verdict
from tocsin.services.maintenance import Purger

READ = f"{NOTIFICATIONS}/read"


async def inbox(api: httpx2.AsyncClient, user: UUID) -> dict[str, Any]:
    return dict((await api.get(f"{INBOXES}/{user}")).json())


async def changes(api: httpx2.AsyncClient, user: UUID, since: str | None = None, limit: int = 100) -> dict[str, Any]:
    params = {"limit": str(limit)} | ({"since": since} if since is not None else {})
    response = await api.get(f"{INBOXES}/{user}/changes", params=params)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def batch(api: httpx2.AsyncClient, user: UUID, count: int) -> list[str]:
    response = await api.post(f"{NOTIFICATIONS}/batch", json={"items": [draft(user)] * count})
    assert response.status_code == 201, response.text
    return [item["id"] for item in response.json()["items"]]


def ids(items: Sequence[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


async def test_an_inbox_that_nobody_wrote_to_is_empty_and_not_missing(api: httpx2.AsyncClient, stored: Stored) -> None:
    user, before = uuid4(), await stored()

    answer = await inbox(api, user)

    nothing = {"total": 0, "critical": 0, "warning": 0, "info": 0, "unjudged": 0}
    assert answer == {"user_id": str(user), "version": 0, "unread": nothing, "position": answer["position"]}
    assert await changes(api, user, answer["position"]) == {
        "items": [],
        "position": answer["position"],
        "reset": False,
        "more": False,
        "unread": nothing,
    }
    assert (await api.post(READ, json={"user_id": str(user)})).json() == {"changed": 0, "version": 0, "complete": True}
    assert await stored() == before


async def test_counts_follow_every_change_exactly(api: httpx2.AsyncClient, judge: Judge, database_url: str) -> None:
    user = uuid4()
    first, second, third, fourth = await batch(api, user, 4)
    await judge(first, answer=CRITICAL)
    await judge(second, answer=Verdict(Category.WARNING, 0.7, (), "test"))
    await judge(third, answer=INFO)
    assert (await inbox(api, user))["unread"] == {"total": 4, "critical": 1, "warning": 1, "info": 1, "unjudged": 1}

    await api.post(f"{NOTIFICATIONS}/{first}/read")
    await api.delete(f"{NOTIFICATIONS}/{second}")
    assert (await inbox(api, user))["unread"] == {"total": 2, "critical": 0, "warning": 0, "info": 1, "unjudged": 1}

    await api.post(f"{NOTIFICATIONS}/{first}/unread")
    await api.post(f"{NOTIFICATIONS}/{second}/restore")
    await api.post(f"{NOTIFICATIONS}/{third}/analysis")
    await judge(third, fourth, answer=CRITICAL)
    assert (await inbox(api, user))["unread"] == {"total": 4, "critical": 3, "warning": 1, "info": 0, "unjudged": 0}
    await assert_clock_is_sound(database_url)


async def test_who_comes_back_is_told_all_that_changed_in_order(api: httpx2.AsyncClient, judge: Judge) -> None:
    user = uuid4()
    first, second, third = await batch(api, user, 3)
    since = (await inbox(api, user))["position"]
    assert (await changes(api, user, since))["items"] == []

    await api.post(f"{NOTIFICATIONS}/{second}/read")
    await judge(first)
    await api.delete(f"{NOTIFICATIONS}/{third}")
    created = await create(api, user)
    answer = await changes(api, user, since)

    assert ids(answer["items"]) == [second, first, third, created["id"]]
    assert [item["version"] for item in answer["items"]] == sorted(item["version"] for item in answer["items"])
    assert (answer["reset"], answer["more"]) == (False, False)
    assert answer["position"] == (await inbox(api, user))["position"]
    assert answer["unread"] == (await inbox(api, user))["unread"]
    for item in answer["items"]:
        if item["deleted_at"] is None:
            assert item == (await api.get(f"{NOTIFICATIONS}/{item['id']}")).json()


async def test_changes_come_in_pages_that_end_at_the_present(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    since = (await inbox(api, user))["position"]
    made = await batch(api, user, 25)
    seen: list[str] = []
    sizes = []
    position, more = since, True
    while more:
        page = await changes(api, user, position, limit=10)
        seen += ids(page["items"])
        sizes.append(len(page["items"]))
        position, more = page["position"], page["more"]

    assert seen == made
    assert sizes == [10, 10, 5]
    assert position == (await inbox(api, user))["position"]


async def test_paging_through_changes_misses_nothing_that_changes_meanwhile(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    position = (await inbox(api, user))["position"]
    made = await batch(api, user, 9)
    state: dict[str, dict[str, Any]] = {}
    for turn in range(20):
        page = await changes(api, user, position, limit=2)
        state |= {item["id"]: item for item in page["items"]}
        position = page["position"]
        if turn < 9:
            await api.post(f"{NOTIFICATIONS}/{made[turn]}/read")
        elif not page["more"]:
            break

    listed = (await api.get(NOTIFICATIONS, params={"user_id": str(user), "limit": "100"})).json()["items"]
    assert state == {item["id"]: item for item in listed}


async def test_a_deleted_one_tells_that_it_is_gone_and_nothing_else(api: httpx2.AsyncClient, judge: Judge) -> None:
    user = uuid4()
    since = (await inbox(api, user))["position"]
    made = await create(api, user, source="x", link="https://example.com", data={"salary": 1})
    await judge(made["id"])
    await api.delete(f"{NOTIFICATIONS}/{made['id']}")

    (tombstone,) = (await changes(api, user, since))["items"]

    assert tombstone["deleted_at"] is not None
    blank = {"title": "", "text": "", "source": None, "link": None, "data": None, "keywords": None, "error": None}
    assert tombstone.items() >= blank.items()


async def test_without_a_position_one_is_told_where_to_begin(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    await create(api, user)

    answer = await changes(api, user)

    assert (answer["items"], answer["reset"]) == ([], True)
    assert answer["position"] == (await inbox(api, user))["position"]


async def test_a_position_that_cannot_be_served_resets(
    api: httpx2.AsyncClient, resources: Resources, database_url: str
) -> None:
    user = uuid4()
    start = (await inbox(api, user))["position"]
    first, *_ = await batch(api, user, 3)
    epoch = start.partition(".")[0]
    at = {version: f"{epoch}.{version}" for version in range(6)}
    foreign = f"{uuid4().hex}.1"

    assert (await changes(api, user, foreign))["reset"] is True
    assert (await changes(api, user, at[4]))["reset"] is True, "above the version"
    assert (await changes(api, user, f"{epoch}.{2**63 - 1}"))["reset"] is True
    assert (await changes(api, user, at[3]))["reset"] is False
    assert (await changes(api, user, at[0]))["reset"] is False

    await api.delete(f"{NOTIFICATIONS}/{first}")  # version 4
    later = datetime.now(UTC) + timedelta(days=40)
    await Purger(resources.database, timedelta(0), timedelta(days=30), lambda: later).purge()

    assert (await changes(api, user, at[3]))["reset"] is True, "below the floor, a deletion would be missed"
    assert (await changes(api, user, at[4]))["reset"] is False
    assert len((await api.get(NOTIFICATIONS, params={"user_id": str(user)})).json()["items"]) == 2
    await fetch(database_url, "UPDATE epoch SET value = gen_random_uuid()")
    reset = await changes(api, user, at[4])
    assert (reset["reset"], reset["items"]) == (True, [])
    assert (await changes(api, user, reset["position"]))["reset"] is False


async def test_more_than_a_thousand_changes_are_not_told_one_by_one(api: httpx2.AsyncClient) -> None:
    user = uuid4()
    start = (await inbox(api, user))["position"]
    await batch(api, user, 1_000)
    full = await changes(api, user, start, limit=1_000)
    assert (len(full["items"]), full["reset"], full["more"]) == (1_000, False, False)

    await create(api, user)

    answer = await changes(api, user, start)
    assert (answer["items"], answer["reset"], answer["more"]) == ([], True, False)
    assert answer["position"] == (await inbox(api, user))["position"]


async def test_all_are_read_at_once_and_again_changes_nothing(
    api: httpx2.AsyncClient, stored: Stored, database_url: str
) -> None:
    user = uuid4()
    await batch(api, user, 5)
    other = await create(api)

    answer = await api.post(READ, json={"user_id": str(user)})

    assert answer.json() == {"changed": 5, "version": 10, "complete": True}
    assert (await inbox(api, user))["unread"]["total"] == 0
    assert (await inbox(api, UUID(other["user_id"])))["unread"]["total"] == 1
    after = await stored()
    assert (await api.post(READ, json={"user_id": str(user)})).json() == {"changed": 0, "version": 10, "complete": True}
    assert await stored() == after
    await assert_clock_is_sound(database_url)


async def test_many_are_read_in_steps_until_all_are(api: httpx2.AsyncClient, database_url: str) -> None:
    user = uuid4()
    for _ in range(3):
        await batch(api, user, 1_000)

    answer = await api.post(READ, json={"user_id": str(user)})

    assert answer.json() == {"changed": 3_000, "version": 6_000, "complete": True}
    assert (await inbox(api, user))["unread"]["total"] == 0
    await assert_clock_is_sound(database_url)


async def test_only_what_was_seen_is_read(api: httpx2.AsyncClient, judge: Judge) -> None:
    user = uuid4()
    first, second = await batch(api, user, 2)
    seen = (await inbox(api, user))["position"]
    third = (await create(api, user))["id"]
    await judge(second, answer=CRITICAL)

    answer = (await api.post(READ, json={"user_id": str(user), "up_to": seen})).json()

    assert answer["changed"] == 1
    listed = (await api.get(NOTIFICATIONS, params={"user_id": str(user)})).json()["items"]
    assert {item["id"]: item["read_at"] is not None for item in listed} == {first: True, second: False, third: False}
    assert (await inbox(api, user))["unread"]["critical"] == 1


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"category": "critical"}, {0}),
        ({"status": "pending"}, {2, 3}),
        ({"status": "completed"}, {0, 1}),
        ({"min_confidence": 0.85}, {1}),
        ({"min_confidence": 1}, set()),
        ({"created_before": "2020-01-01T00:00:00Z"}, set()),
        ({"created_after": "2020-01-01T00:00:00Z"}, {0, 1, 2, 3}),
        ({"category": None, "up_to": None}, {0, 1, 2, 3}),
    ],
)
async def test_reading_all_takes_the_filters_of_the_list(
    api: httpx2.AsyncClient, judge: Judge, selection: dict[str, Any], expected: set[int]
) -> None:
    user = uuid4()
    made = await batch(api, user, 4)
    await judge(made[0], answer=CRITICAL)
    await judge(made[1], answer=INFO)

    answer = await api.post(READ, json={"user_id": str(user)} | selection)

    assert answer.json()["changed"] == len(expected)
    read = (await api.get(NOTIFICATIONS, params={"user_id": str(user), "read": "true"})).json()["items"]
    assert {made.index(item["id"]) for item in read} == expected
