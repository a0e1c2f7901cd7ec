"""ETags, 304, and pages out of the cache that are never stale."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from tests.fixtures.analyzers import CRITICAL
from tests.fixtures.calls import INBOXES, NOTIFICATIONS, Judge, create, draft
from tests.fixtures.product import calling, serving
from tocsin.errors import AnalyzerRefused
from tocsin.settings import Settings

HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


@pytest.fixture
async def elsewhere(settings: Settings, service_key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls another process of the API."""
    async with serving(settings) as app, calling(app, service_key) as it:
        yield it


async def test_what_did_not_change_is_not_sent_again(api: httpx2.AsyncClient) -> None:
    notification = await create(api)
    path = f"{NOTIFICATIONS}/{notification['id']}"
    user = notification["user_id"]
    for url in (f"{NOTIFICATIONS}?user_id={user}", path, f"{path}/status", f"{INBOXES}/{user}", f"{INBOXES}/{uuid4()}"):
        first = await api.get(url)
        etag = first.headers["ETag"]
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = await api.get(url, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), url
            assert again.headers["ETag"] == etag
            assert again.headers.items() >= {k.lower(): v for k, v in HEADERS.items()}.items()
        changed = await api.get(url, headers={"If-None-Match": '"other"'})
        assert (changed.status_code, changed.content) == (200, first.content), url
        assert changed.headers.items() >= {k.lower(): v for k, v in HEADERS.items()}.items()


async def test_lists_across_inboxes_have_no_etag(api: httpx2.AsyncClient) -> None:
    await create(api)

    response = await api.get(NOTIFICATIONS, headers={"If-None-Match": "*"})

    assert response.status_code == 200
    assert "ETag" not in response.headers
    assert response.headers["Cache-Control"] == "private, no-cache"


async def test_every_query_and_kind_of_caller_has_a_tag_of_its_own(app: FastAPI, api: httpx2.AsyncClient) -> None:
    user = uuid4()
    for _ in range(3):
        await create(api, user)
    token = (await api.post(f"{INBOXES}/{user}/tokens")).json()["token"]
    queries = ["", "&limit=1", "&limit=2", "&order=oldest", "&order=severity", "&read=false", "&category=info"]
    queries += ["&min_confidence=0", "&status=pending", "&created_after=2020-01-01T00:00:00Z"]
    cursor = (await api.get(f"{NOTIFICATIONS}?user_id={user}&limit=1")).json()["next_cursor"]
    queries += [f"&cursor={cursor}", "&q=backup", "&q=backups", "&q=backup&order=relevance"]

    tags = [(await api.get(f"{NOTIFICATIONS}?user_id={user}{query}")).headers["ETag"] for query in queries]
    async with calling(app, token) as reader:
        theirs = await reader.get(NOTIFICATIONS)
        tags.append(theirs.headers["ETag"])

    assert len(set(tags)) == len(tags)


async def test_another_user_of_the_same_browser_is_not_shown_the_page_of_the_first(
    app: FastAPI, api: httpx2.AsyncClient
) -> None:
    users = [uuid4(), uuid4()]
    pages: list[httpx2.Response] = []
    for user in users:
        await create(api, user, title=str(user))
        token = (await api.post(f"{INBOXES}/{user}/tokens")).json()["token"]
        known = {"If-None-Match": pages[0].headers["ETag"]} if pages else {}
        async with calling(app, token) as reader:
            pages.append(await reader.get(NOTIFICATIONS, headers=known))

    assert [page.status_code for page in pages] == [200, 200]
    assert pages[1].json()["items"][0]["title"] == str(users[1])


async def test_a_page_is_served_from_the_cache(
    api: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient, cache_url: str
) -> None:
    notification = await create(api)
    url = f"{NOTIFICATIONS}?user_id={notification['user_id']}"
    page = await api.get(url)
    async with Redis.from_url(cache_url) as redis:
        (key,) = [name async for name in redis.scan_iter("tocsin:page:*")]
        assert 0 < await redis.pttl(key) <= 60_000
        await redis.set(key, page.content.replace(b"Backup", b"CACHED"))

        assert "CACHED" in (await api.get(url)).text
        assert "CACHED" in (await elsewhere.get(url)).text
        await redis.flushall()
        assert (await elsewhere.get(url)).content == page.content


async def test_pages_that_nobody_shares_are_not_kept(api: httpx2.AsyncClient, cache_url: str) -> None:
    user = uuid4()
    for _ in range(2):
        await create(api, user)
    cursor = (await api.get(f"{NOTIFICATIONS}?user_id={user}&limit=1")).json()["next_cursor"]
    async with Redis.from_url(cache_url) as redis:
        await redis.flushall()
        await api.get(NOTIFICATIONS)
        await api.get(f"{NOTIFICATIONS}?user_id={user}&limit=1&cursor={cursor}")
        await api.get(f"{NOTIFICATIONS}?user_id={user}&created_after=2020-01-01T00:00:00Z")
        assert [name async for name in redis.scan_iter("tocsin:page:*")] == []


Change = Callable[[httpx2.AsyncClient, str, Judge], Awaitable[object]]

# Each really changes the one notification of the inbox, whose path is given; in this order.
CHANGES: dict[str, Change] = {
    "created beside": lambda api, path, judge: _create_beside(api, path),
    "verdict": lambda api, path, judge: judge(path.rpartition("/")[2], answer=CRITICAL),
    "read": lambda api, path, judge: api.post(f"{path}/read"),
    "unread": lambda api, path, judge: api.post(f"{path}/unread"),
    "all read": lambda api, path, judge: _read_all(api, path),
    "analysed again": lambda api, path, judge: api.post(f"{path}/analysis"),
    "failed": lambda api, path, judge: judge(path.rpartition("/")[2], answer=AnalyzerRefused("No.")),
    "deleted": lambda api, path, judge: api.delete(path),
    "restored": lambda api, path, judge: api.post(f"{path}/restore"),
}


def seen(response: httpx2.Response) -> tuple[int, object]:
    """Return what a reader sees; a problem is another one each time."""
    return response.status_code, response.content if response.status_code == 200 else None


async def _create_beside(api: httpx2.AsyncClient, path: str) -> None:
    await create(api, (await api.get(path)).json()["user_id"])


async def _read_all(api: httpx2.AsyncClient, path: str) -> None:
    user = (await api.get(path)).json()["user_id"]
    await api.post(f"{NOTIFICATIONS}/read", json={"user_id": user})


async def test_no_page_is_stale_after_any_change_made_by_another_process(
    api: httpx2.AsyncClient, elsewhere: httpx2.AsyncClient, judge: Judge, cache_url: str
) -> None:
    notification = await create(api)
    path, user = f"{NOTIFICATIONS}/{notification['id']}", notification["user_id"]
    urls = [f"{NOTIFICATIONS}?user_id={user}{more}" for more in ("", "&order=severity", "&read=false", "&limit=100")]
    urls += [path, f"{path}/status", f"{INBOXES}/{user}"]
    for name, change in CHANGES.items():
        before = {url: await reader.get(url) for url in urls for reader in (elsewhere, api)}

        await change(api, path, judge)

        version = (await api.get(f"{INBOXES}/{user}")).json()["version"]
        assert version > before[f"{INBOXES}/{user}"].json()["version"], f"{name} changed nothing"
        for url in urls:
            known = {"If-None-Match": before[url].headers.get("ETag", '"none"')}
            conditional = await elsewhere.get(url, headers=known)
            cached = [await reader.get(url) for reader in (elsewhere, api)]
            async with Redis.from_url(cache_url) as redis:
                await redis.flushall()
            fresh = await elsewhere.get(url)
            assert [seen(response) for response in cached] == [seen(fresh)] * 2, f"{url} after {name}"
            if conditional.status_code == 304:
                assert seen(before[url]) == seen(fresh), f"{url} after {name}"
            else:
                assert seen(conditional) == seen(fresh), f"{url} after {name}"
        lists = [await elsewhere.get(url) for url in urls if url.startswith(f"{NOTIFICATIONS}?")]
        newest = (await elsewhere.get(f"{INBOXES}/{user}")).json()
        assert all(
            page.headers["ETag"] != before[str(page.request.url.raw_path, "ascii")].headers["ETag"] for page in lists
        )
        _assert_counts(newest, lists[3].json()["items"])


def _assert_counts(inbox: dict[str, Any], items: list[dict[str, Any]]) -> None:
    unread = [item for item in items if item["read_at"] is None]
    assert inbox["unread"]["total"] == len(unread)
    for category in ("critical", "warning", "info"):
        assert inbox["unread"][category] == sum(item["category"] == category for item in unread)


async def test_the_answer_to_a_change_is_what_is_read_next(api: httpx2.AsyncClient) -> None:
    created = await api.post(NOTIFICATIONS, json=draft(data={"order": 1}, link="https://example.com", source="x"))
    path = created.headers["Location"]
    assert (await api.get(path)).json() == created.json()
    for call in ("read", "unread", "restore", "analysis"):
        changed = await api.post(f"{path}/{call}")
        assert (await api.get(path)).json() == changed.json(), call
