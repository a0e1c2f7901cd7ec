"""The main job through the real thing: post, have it judged, list, filter, page, read."""

import httpx2
import pytest

from tests.e2e.api import new_user
from tests.e2e.up import Up

pytestmark = pytest.mark.timeout(120)

TEXTS = {
    "critical": "Backup of db1 failed: no space left",
    "warning": "Attention, the disk of db1 is nearly full",
    "info": "Backup of db1 is done",
}


async def test_a_posted_notification_is_judged_and_the_verdict_is_kept_whole(up: Up, http: httpx2.AsyncClient) -> None:
    api, user = up.api(http), new_user()
    body = {"user_id": user, "title": "Backup", "text": TEXTS["critical"], "source": "cron", "data": {"host": "db1"}}

    created = await api.send("POST", "/notifications", json=body)
    notification = created.json()
    status = await api.get(f"/notifications/{notification['id']}/status", wait=30)
    judged = await api.get(f"/notifications/{notification['id']}")

    assert created.status_code == 201
    assert created.headers["Location"].endswith(f"/notifications/{notification['id']}")
    assert notification["processing_status"] == "pending"
    assert (status["processing_status"], status["tries"]) == ("completed", 1)
    assert judged.items() >= body.items()
    assert judged["category"] == "critical"
    assert 0.7 <= judged["confidence"] <= 0.95
    assert len(judged["keywords"]) == 3
    assert set(judged["keywords"]) <= set(TEXTS["critical"].split())
    assert judged["analyzer"] == "http"
    assert judged["analyzed_at"] == status["analyzed_at"] > judged["created_at"]


async def test_an_inbox_can_be_listed_filtered_paged_and_read(up: Up, http: httpx2.AsyncClient) -> None:
    api, user = up.api(http), new_user()
    made = [(await api.create(user, text))["id"] for text in TEXTS.values()]
    await api.all_completed(user, 3)

    async def ids(**query: object) -> list[str]:
        return [item["id"] for item in (await api.get("/notifications", user_id=user, **query))["items"]]

    critical, warning, info = made
    assert await ids() == [info, warning, critical]
    assert await ids(order="oldest") == made
    assert await ids(order="severity") == made
    assert await ids(category="warning") == [warning]
    assert await ids(status="completed", min_confidence=0.99) == []
    first = await api.get("/notifications", user_id=user, limit=2)
    rest = await api.get("/notifications", user_id=user, limit=2, cursor=first["next_cursor"])
    assert [item["id"] for item in (*first["items"], *rest["items"])] == [info, warning, critical]
    assert rest["next_cursor"] is None

    assert (await api.inbox(user))["unread"] == {"total": 3, "critical": 1, "warning": 1, "info": 1, "unjudged": 0}
    assert (await api.post(f"/notifications/{critical}/read"))["read_at"]
    assert await ids(read="false") == [info, warning]
    assert (await api.inbox(user))["unread"] == {"total": 2, "critical": 0, "warning": 1, "info": 1, "unjudged": 0}
    assert (await api.post("/notifications/read", {"user_id": user}))["changed"] == 2
    assert (await api.inbox(user))["unread"]["total"] == 0


async def test_whoever_waits_for_the_status_gets_it_when_it_is_final(up: Up, http: httpx2.AsyncClient) -> None:
    api = up.api(http)
    await up.ai(http).answer_in(1)
    notification = await api.create(new_user())

    at_once = await api.get(f"/notifications/{notification['id']}/status")
    waited = await api.get(f"/notifications/{notification['id']}/status", wait=30)

    assert at_once["processing_status"] in ("pending", "processing")
    assert waited["processing_status"] == "completed"


async def test_a_user_with_an_inbox_token_sees_his_own_inbox_only(up: Up, http: httpx2.AsyncClient) -> None:
    api, user, other = up.api(http), new_user(), new_user()
    mine, theirs = await api.create(user), await api.create(other)
    minted = await api.send("POST", f"/inboxes/{user}/tokens")

    reader = {"Authorization": f"Bearer {minted.json()['token']}"}
    listed = await api.send("GET", "/notifications", reader)
    foreign = await api.send("GET", f"/notifications/{theirs['id']}", reader)

    assert [item["id"] for item in listed.json()["items"]] == [mine["id"]]
    assert foreign.status_code == 404
    assert foreign.headers["Content-Type"] == "application/problem+json"
