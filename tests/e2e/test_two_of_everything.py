"""Two API servers and two workers on one database: an inbox is the same wherever one asks."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.e2e.api import Api, Json, new_user
from tests.e2e.conftest import Site
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.fixtures.streams import TRANSPORTS, Stream
from tests.waiting import eventually, until

pytestmark = pytest.mark.timeout(180)


async def test_many_notifications_get_one_verdict_each_and_leave_no_hole_in_the_clock(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    other_api = api.at((await crew.api())[1])
    _, ai = await crew.mock_ai(http)
    users, each = [new_user() for _ in range(6)], 50
    texts = ["all is well", "attention please", "an error"]
    made = await asyncio.gather(
        *((api, other_api)[n % 2].create(user, texts[n % 3]) for n in range(each) for user in users)
    )
    for user in users:
        assert (await api.inbox(user))["version"] == each, "n creates take n versions"

    workers = await asyncio.gather(crew.worker(ai), crew.worker(ai))
    for user in users:
        judged = await api.all_completed(user, each)
        assert {texts.index(item["text"]): item["category"] for item in judged} == {
            0: "info",
            1: "warning",
            2: "critical",
        }
        await ledger.audit(api, user)

    # What is stored is told of a moment later.
    async def all_are_told_of() -> bool:
        told = [event["notification_id"] for worker in workers for event in worker.events("notification_judged")]
        assert sorted(told) == sorted(item["id"] for item in made)
        return True

    await eventually(all_are_told_of)


async def test_twins_sent_to_two_servers_at_once_are_one_notification(api: Api, crew: Crew, ledger: Ledger) -> None:
    apis, user = (api, api.at((await crew.api())[1])), new_user()
    keys = [f"key-{user}-{number}" for number in range(20)]

    answers = await asyncio.gather(*(apis[n % 2].try_create(user, key, key) for key in keys for n in range(4)))

    assert {answer.status_code for answer in answers} == {201}
    ids: dict[str, set[str]] = {}
    for answer in answers:
        ids.setdefault(answer.json()["text"], set()).add(answer.json()["id"])
    assert {len(of_key) for of_key in ids.values()} == {1}
    assert len([answer for answer in answers if "Idempotency-Replayed" not in answer.headers]) == len(keys)
    assert (await api.inbox(user))["version"] == len(keys)
    await ledger.audit(api, user)


@dataclass
class Pair:
    """Two servers: what is changed through one is looked at through the other, again and again."""

    here: Api
    there: Api
    user: str

    async def agree(self) -> Json:
        """See that both show the same page under the same ETag, from the cache as well; return it."""
        path, params = "/notifications", {"user_id": self.user}
        # The second server first, so that a page that it kept from before would show.
        answers = [await api.send("GET", path, params=params) for api in (self.there, self.here, self.there)]
        assert len({answer.headers["ETag"] for answer in answers}) == 1
        assert len({answer.content for answer in answers}) == 1
        tag = {"If-None-Match": answers[0].headers["ETag"]}
        known = await asyncio.gather(*(api.send("GET", path, tag, params=params) for api in (self.here, self.there)))
        assert [answer.status_code for answer in known] == [304, 304]
        inboxes = [await api.inbox(self.user) for api in (self.here, self.there)]
        assert inboxes[0] == inboxes[1]
        page: Json = answers[0].json()
        return page | {"unread": inboxes[0]["unread"]["total"], "tag": tag["If-None-Match"]}


async def test_a_page_is_never_stale_on_another_server(api: Api, crew: Crew, http: httpx2.AsyncClient) -> None:
    pair = Pair(api, api.at((await crew.api())[1]), new_user())
    _, ai = await crew.mock_ai(http)
    assert (await pair.agree())["items"] == []
    first = await api.create(pair.user, "an error")
    second = await api.create(pair.user)
    one, tags = f"/notifications/{first['id']}", []

    async def shown() -> tuple[dict[str, Json], int]:
        page = await pair.agree()
        tags.append(page["tag"])
        return {item["id"]: item for item in page["items"]}, page["unread"]

    items, unread = await shown()
    assert (list(items), unread) == ([second["id"], first["id"]], 2)
    await api.post(f"{one}/read")
    items, unread = await shown()
    assert (items[first["id"]]["read_at"] is not None, unread) == (True, 1)
    await api.post(f"{one}/unread")
    items, unread = await shown()
    assert (items[first["id"]]["read_at"], unread) == (None, 2)
    await api.delete(one)
    items, unread = await shown()
    assert (list(items), unread) == ([second["id"]], 1)
    await api.post(f"{one}/restore")
    items, unread = await shown()
    assert (list(items), unread) == ([second["id"], first["id"]], 2)
    await crew.worker(ai)
    await api.all_completed(pair.user, 2)
    items, unread = await shown()
    assert (items[first["id"]]["category"], unread) == ("critical", 2)
    assert (await api.post("/notifications/read", {"user_id": pair.user}))["complete"]
    items, unread = await shown()
    assert ([item["read_at"] is None for item in items.values()], unread) == ([False, False], 0)
    assert len(set(tags)) == len(tags), "every change made another page"


@dataclass
class Listener:
    """Does with what a stream says as docs/stream.md has it, and holds the stream to what is said there."""

    api: Api
    user: str
    stream: Stream
    position: str = ""
    known: dict[str, Json] = field(default_factory=dict)

    async def run(self) -> None:
        hello = await self.stream.next()
        assert hello["type"] == "hello"
        self.position = hello["position"]
        while True:
            message = await self.stream.next()
            match message["type"]:
                case "change":
                    assert version_of(message) > int(self.position.partition(".")[2])
                    self.keep(message["notification"])
                case "reset":
                    self.known.clear()
                    for item in await self.api.all(self.user):
                        self.keep(item)
                case "ping":
                    assert message["position"] == self.position
                case other:
                    raise AssertionError(other)
            self.position = message["position"]

    def keep(self, item: Json) -> None:
        if item["version"] >= self.known.get(item["id"], item)["version"]:
            self.known[item["id"]] = item

    async def knows_all(self) -> bool:
        """See that what would be shown is what a fresh listing shows."""
        assert self.position == (await self.api.inbox(self.user))["position"]
        shown = {name: item["version"] for name, item in self.known.items() if not item["deleted_at"]}
        assert shown == {item["id"]: item["version"] for item in await self.api.all(self.user)}
        return True


def version_of(message: Json) -> int:
    position: str = message["position"]
    assert message["notification"]["version"] == int(position.partition(".")[2])
    return int(position.partition(".")[2])


async def test_concurrent_changes_through_both_servers_leave_the_clock_exact_and_no_listener_behind(
    api: Api, crew: Crew, ledger: Ledger, http: httpx2.AsyncClient, site: Site
) -> None:
    apis, users, lives, rounds = (api, api.at((await crew.api())[1])), [new_user() for _ in range(3)], 12, 2
    _, ai = await crew.mock_ai(http)
    await asyncio.gather(crew.worker(ai), crew.worker(ai))
    async with AsyncExitStack() as stack:
        listeners = [
            Listener(it, user, await stack.enter_async_context(open_stream(it.url, user, site.key)))
            for user in users
            for it, open_stream in zip(apis, TRANSPORTS.values(), strict=True)
        ]
        listening = [asyncio.create_task(listener.run()) for listener in listeners]
        await until(lambda: all(listener.position for listener in listeners))
        await live_through(apis, users, lives, rounds)

        for user in users:
            await api.all_completed(user, 2 * rounds * lives // len(users))
            await ledger.audit(api, user)
        for listener, task in zip(listeners, listening, strict=True):
            await eventually(listener.knows_all)
            task.cancel()
        await asyncio.wait(listening)
        assert all(task.cancelled() for task in listening), "nobody was closed, or told what is not so"


async def live_through(apis: tuple[Api, Api], users: list[str], lives: int, rounds: int) -> None:

    async def live(number: int) -> None:
        """Do in an inbox what programs and readers do, while the workers judge."""
        mine, user = apis[number % 2], users[number % 3]
        for _ in range(rounds):
            one = f"/notifications/{(await mine.create(user, 'an error'))['id']}"
            await mine.create(user)
            await mine.post(f"{one}/read")
            await mine.post(f"{one}/unread")
            await mine.post("/notifications/read", {"user_id": user})
            await mine.delete(one)
            await mine.post(f"{one}/restore")
            await mine.post(f"{one}/analysis")

    await asyncio.gather(*(live(number) for number in range(lives)))
