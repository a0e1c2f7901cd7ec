"""One notification: read and unread, delete and restore, its analysis, and waiting for that."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from tests.fixtures.analyzers import CRITICAL, INFO
from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Judge, Stored, assert_problem, create
from tests.fixtures.clock import Clock
from tests.fixtures.posting import assert_clock_is_sound
from tests.fixtures.product import calling, serving
from tests.waiting import until
from tocsin.bootstrap import Resources
from tocsin.errors import AnalyzerRefused
from tocsin.services.maintenance import Purger
from tocsin.settings import InboxSettings, Settings

UNDO = 600


@pytest.fixture
async def timed(settings: Settings, clock: Clock, service_key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls an application whose time is that of `clock`."""
    changed = settings.model_copy(update={"inbox": InboxSettings(undo=UNDO)})
    async with serving(changed, clock) as app, calling(app, service_key) as it:
        yield it


async def unread(api: httpx2.AsyncClient, notification: dict[str, Any]) -> dict[str, int]:
    inbox = (await api.get(f"{INBOXES}/{notification['user_id']}")).json()
    return {name: count for name, count in inbox["unread"].items() if count}


def path_of(notification: dict[str, Any]) -> str:
    return f"{NOTIFICATIONS}/{notification['id']}"


async def test_reading_twice_takes_one_version(api: httpx2.AsyncClient, stored: Stored, database_url: str) -> None:
    notification = await create(api)
    read = (await api.post(f"{path_of(notification)}/read")).json()
    after = await stored()

    again = await api.post(f"{path_of(notification)}/read")

    assert again.json() == read
    assert read == notification | {"version": 2, "read_at": read["read_at"]}
    assert read["read_at"] is not None
    assert await stored() == after
    assert await unread(api, notification) == {}
    await assert_clock_is_sound(database_url)


async def test_marking_unread_undoes_it_and_twice_takes_one_version(
    api: httpx2.AsyncClient, stored: Stored, database_url: str
) -> None:
    notification = await create(api)
    before = await stored()
    assert (await api.post(f"{path_of(notification)}/unread")).json() == notification
    assert await stored() == before

    await api.post(f"{path_of(notification)}/read")
    unread_again = (await api.post(f"{path_of(notification)}/unread")).json()

    assert unread_again == notification | {"version": 3}
    assert (await api.post(f"{path_of(notification)}/unread")).json() == unread_again
    assert await unread(api, notification) == {"total": 1, "unjudged": 1}
    await assert_clock_is_sound(database_url)


async def test_many_who_read_at_once_take_one_version(api: httpx2.AsyncClient, database_url: str) -> None:
    notification = await create(api)

    answers = await asyncio.gather(*(api.post(f"{path_of(notification)}/read") for _ in range(20)))

    assert {response.json()["version"] for response in answers} == {2}
    await assert_clock_is_sound(database_url)


async def test_what_was_deleted_is_gone_until_it_is_restored(
    api: httpx2.AsyncClient, judge: Judge, stored: Stored, database_url: str
) -> None:
    notification = await create(api, data={"a": 1}, link="https://example.com", source="x")
    await judge(notification["id"])
    judged = (await api.get(path_of(notification))).json()

    deleted = await api.delete(path_of(notification))

    assert (deleted.status_code, deleted.content) == (204, b"")
    after = await stored()
    assert (await api.delete(path_of(notification))).status_code == 204
    for method, call in (
        ("GET", ""),
        ("GET", "/status"),
        ("POST", "/read"),
        ("POST", "/unread"),
        ("POST", "/analysis"),
    ):
        assert_problem(await api.request(method, path_of(notification) + call), 404, "not_found")
    assert await stored() == after
    assert await unread(api, notification) == {}

    restored = await api.post(f"{path_of(notification)}/restore")

    assert restored.json() == judged | {"version": judged["version"] + 2}
    assert (await api.get(path_of(notification))).json() == restored.json()
    assert (await api.post(f"{path_of(notification)}/restore")).json() == restored.json()
    assert await unread(api, notification) == {"total": 1, "info": 1}
    await assert_clock_is_sound(database_url)


async def test_an_analysis_that_a_deletion_cut_short_starts_anew(api: httpx2.AsyncClient, judge: Judge) -> None:
    notification = await create(api)
    await api.delete(path_of(notification))
    await judge(notification["id"], answer=CRITICAL)
    restored = (await api.post(f"{path_of(notification)}/restore")).json()
    assert (restored["processing_status"], restored["category"]) == ("pending", None)

    await judge(notification["id"], answer=CRITICAL)

    assert (await api.get(path_of(notification))).json()["category"] == "critical"


async def test_a_deletion_can_be_undone_until_its_time_is_over(
    timed: httpx2.AsyncClient, clock: Clock, stored: Stored
) -> None:
    first, second = await create(timed), await create(timed)
    for notification in (first, second):
        await timed.delete(path_of(notification))

    clock.now += timedelta(seconds=UNDO)
    assert (await timed.post(f"{path_of(first)}/restore")).status_code == 200

    clock.now += timedelta(seconds=1)
    before = await stored()
    problem = assert_problem(await timed.post(f"{path_of(second)}/restore"), 409, "undo_expired")
    assert "too long ago" in problem["detail"]
    assert await stored() == before


async def test_when_the_time_to_undo_is_over_the_text_is_forgotten(
    timed: httpx2.AsyncClient, clock: Clock, resources: Resources, service_key: str
) -> None:
    notification = await create(timed, title="Secret", text="Salary: 1", source="x", link="https://x.y", data={"a": 1})
    since = (await timed.get(f"{INBOXES}/{notification['user_id']}")).json()["position"]
    await timed.delete(path_of(notification))
    clock.now += timedelta(seconds=UNDO + 1)

    await Purger(resources.database, timedelta(seconds=UNDO), timedelta(days=30), clock).purge()

    (tombstone,) = (await timed.get(f"{INBOXES}/{notification['user_id']}/changes", params={"since": since})).json()[
        "items"
    ]
    assert tombstone["id"] == notification["id"]
    assert (tombstone["title"], tombstone["text"], tombstone["data"]) == ("", "", None)
    assert_problem(await timed.post(f"{path_of(notification)}/restore"), 409, "undo_expired")


async def test_analysing_again_keeps_the_old_verdict_until_the_new_one(
    api: httpx2.AsyncClient, judge: Judge, database_url: str
) -> None:
    notification = await create(api)
    await judge(notification["id"], answer=INFO)

    asked = await api.post(f"{path_of(notification)}/analysis")

    assert asked.status_code == 202
    assert (asked.json()["processing_status"], asked.json()["category"]) == ("pending", "info")
    assert (await api.post(f"{path_of(notification)}/analysis")).json() == asked.json()
    assert await unread(api, notification) == {"total": 1, "info": 1}
    await judge(notification["id"], answer=CRITICAL)
    judged = (await api.get(path_of(notification))).json()
    assert (judged["processing_status"], judged["category"]) == ("completed", "critical")
    assert (judged["keywords"], judged["analyzer"], judged["confidence"]) == (["fire"], "test", 0.8)
    assert await unread(api, notification) == {"total": 1, "critical": 1}
    await assert_clock_is_sound(database_url)


async def test_analysing_again_what_waits_changes_nothing(api: httpx2.AsyncClient, stored: Stored) -> None:
    notification = await create(api)
    before = await stored()

    again = await api.post(f"{path_of(notification)}/analysis")

    assert (again.status_code, again.json()) == (202, notification)
    assert await stored() == before


async def test_a_failed_analysis_says_why_and_can_be_repeated(api: httpx2.AsyncClient, judge: Judge) -> None:
    notification = await create(api)
    await judge(notification["id"], answer=AnalyzerRefused("The AI refused the text: too long."))
    status = (await api.get(f"{path_of(notification)}/status")).json()
    assert (status["processing_status"], status["tries"]) == ("failed", 1)
    assert status["error"] == "The AI refused the text: too long."
    assert (await api.get(path_of(notification))).json()["error"] == status["error"]

    await api.post(f"{path_of(notification)}/analysis")
    again = (await api.get(f"{path_of(notification)}/status")).json()
    assert (again["processing_status"], again["tries"], again["error"]) == ("pending", 0, None)
    assert again["next_try_at"] is not None

    await judge(notification["id"])
    assert (await api.get(f"{path_of(notification)}/status")).json()["processing_status"] == "completed"


async def test_waiting_ends_when_the_analysis_does(app: FastAPI, api: httpx2.AsyncClient, judge: Judge) -> None:
    notification = await create(api)
    loop = asyncio.get_running_loop()
    began = loop.time()
    waiting = [asyncio.create_task(api.get(f"{path_of(notification)}/status?wait=30")) for _ in range(5)]
    await until(lambda: app.state.resources.finality.waiters == 5)

    await judge(notification["id"])
    answers = await asyncio.gather(*waiting)

    assert loop.time() - began < 15
    for response in answers:
        assert response.json()["processing_status"] == "completed"
        assert response.json()["analyzed_at"] is not None


async def test_waiting_ends_at_its_time_with_the_status_as_it_is(api: httpx2.AsyncClient) -> None:
    notification = await create(api)
    loop = asyncio.get_running_loop()
    began = loop.time()

    response = await api.get(f"{path_of(notification)}/status?wait=0.3")

    assert 0.3 <= loop.time() - began < 10
    assert response.json()["processing_status"] == "pending"


async def test_waiting_ends_when_the_notification_is_deleted(app: FastAPI, api: httpx2.AsyncClient) -> None:
    notification = await create(api)
    waiting = asyncio.create_task(api.get(f"{path_of(notification)}/status?wait=30"))
    await until(lambda: app.state.resources.finality.waiters)

    await api.delete(path_of(notification))

    assert_problem(await asyncio.wait_for(waiting, 15), 404, "not_found")


async def test_what_is_final_is_not_waited_for(api: httpx2.AsyncClient, judge: Judge) -> None:
    notification = await create(api)
    await judge(notification["id"])

    response = await asyncio.wait_for(api.get(f"{path_of(notification)}/status?wait=30"), 10)

    assert response.json()["processing_status"] == "completed"


async def test_what_is_not_there_is_not_found_by_any_call(api: httpx2.AsyncClient, stored: Stored) -> None:
    before = await stored()
    path = f"{NOTIFICATIONS}/{uuid4()}"
    for method, call in (
        ("GET", ""),
        ("GET", "/status"),
        ("GET", "/status?wait=30"),
        ("DELETE", ""),
        *(("POST", f"/{name}") for name in ("read", "unread", "analysis", "restore")),
    ):
        assert_problem(await api.request(method, path + call), 404, "not_found")
    assert await stored() == before
