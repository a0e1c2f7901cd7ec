"""The HTTP API, as a program with a service key calls it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from copy import copy
from typing import Any
from uuid import uuid4

import httpx2

from tests.e2e.programs import WITHIN
from tests.waiting import eventually

Json = dict[str, Any]
FINAL = ("completed", "failed")


def new_user() -> str:
    """Return a user whose inbox nobody has written to."""
    return str(uuid4())


class Api:
    """Calls one server; what does not answer as expected fails the test with the answer."""

    def __init__(self, http: httpx2.AsyncClient, url: str, key: str) -> None:
        self._http = http
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"}

    def at(self, url: str) -> "Api":
        """Return the same caller of another server."""
        other = copy(self)
        other.url = url
        return other

    async def send(self, method: str, path: str, headers: Json | None = None, **options: Any) -> httpx2.Response:  # noqa: ANN401 - as the client takes them
        """Make a call and return whatever the answer is."""
        headers = self._headers | (headers or {})
        return await self._http.request(method, f"{self.url}/api/v1{path}", headers=headers, **options)

    @asynccontextmanager
    async def stream(self, path: str, **options: Any) -> AsyncIterator[AsyncIterator[str]]:  # noqa: ANN401 - as the client takes them
        """Open a stream and yield its lines."""
        url = f"{self.url}/api/v1{path}"
        async with self._http.stream("GET", url, headers=self._headers, **options) as answer:
            yield answer.aiter_lines()

    async def get(self, path: str, **params: Any) -> Json:  # noqa: ANN401 - query parameters are of many types
        return self._read(await self.send("GET", path, params=params), 200)

    async def post(self, path: str, body: Json | None = None) -> Json:
        answer = await self.send("POST", path, json=body)
        assert answer.status_code in (200, 202), answer.text
        return self._read(answer, answer.status_code)

    async def create(self, user: str, text: str = "all is well", key: str | None = None) -> Json:
        return self._read(await self.try_create(user, text, key), 201)

    async def try_create(self, user: str, text: str = "all is well", key: str | None = None) -> httpx2.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.send(
            "POST", "/notifications", headers, json={"user_id": user, "title": "A test", "text": text}
        )

    async def create_many(self, user: str, texts: Iterable[str]) -> list[str]:
        """Create notifications in one call and return their ids."""
        items = [{"user_id": user, "title": "A test", "text": text} for text in texts]
        answer = await self.send("POST", "/notifications/batch", json={"items": items})
        return [item["id"] for item in self._read(answer, 201)["items"]]

    async def delete(self, path: str) -> None:
        assert (await self.send("DELETE", path)).status_code == 204

    async def inbox(self, user: str) -> Json:
        return await self.get(f"/inboxes/{user}")

    async def all(self, user: str) -> list[Json]:
        """Return all of an inbox, newest first, page by page."""
        items: list[Json] = []
        page: Json = {"next_cursor": None}
        while not items or page["next_cursor"]:
            cursor = {"cursor": page["next_cursor"]} if items else {}
            page = await self.get("/notifications", user_id=user, limit=100, **cursor)
            items += page["items"]
            if not page["items"]:
                break
        return items

    async def all_final(self, user: str, count: int) -> list[Json]:
        """Wait until an inbox has ``count`` notifications and the analysis of each is final; return them."""

        async def probe() -> list[Json]:
            items = await self.all(user)
            waiting = [item for item in items if item["processing_status"] not in FINAL]
            assert not waiting, f"{len(waiting)} of {len(items)} still wait, such as {waiting[0]}"
            assert len(items) == count
            return items

        return await eventually(probe, WITHIN, every=0.1)

    async def all_completed(self, user: str, count: int) -> list[Json]:
        """Do as `all_final` does, and see that each was judged."""
        items = await self.all_final(user, count)
        assert [item for item in items if item["processing_status"] != "completed"] == []
        return items

    @staticmethod
    def _read(answer: httpx2.Response, status: int) -> Json:
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        document: Json = answer.json()
        return document
