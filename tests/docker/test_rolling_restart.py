"""Containers are replaced under load: nothing is lost, and callers notice nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user
from tests.e2e.collector import Ends, Span, listening
from tests.waiting import elapse, until
from tocsin.client import TocsinClient
from tocsin.client.models import Change

_SCRIPT = "deploy/rolling-restart"
_PROGRAMS = 4
"""Of each kind."""
_PAUSE = 0.2


@pytest.fixture
def doubled(stack: Stack) -> Iterator[Stack]:
    """What has two of what is restarted, and one of each again, as at the start, when the test is over."""
    stack.scale(api=2, worker=2)
    yield stack
    stack.up("--no-deps", "--scale", "api=1", "--scale", "worker=1", "api", "worker")


@pytest.fixture
async def ends(stack: Stack) -> AsyncIterator[Ends]:
    """A collector of traces that containers reach."""
    async with listening(stack.host("back")) as it:
        yield it


@dataclass
class Load:
    """What programs have done so far: ids that were made, by whom, and what calls that nobody repeats were answered."""

    by_client: list[str] = field(default_factory=list)
    by_calls: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def made(self) -> set[str]:
        return {*self.by_client, *self.by_calls}


@asynccontextmanager
async def load(client: TocsinClient, api: Api, user: str) -> AsyncIterator[Load]:
    """Create and read as a few programs do, until the end of the context."""
    done, over = Load(), asyncio.Event()

    async def with_the_client() -> None:
        while not over.is_set():
            done.by_client.append(str((await client.create(user, "A test", "all is well")).id))
            await elapse(_PAUSE)

    async def with_plain_calls() -> None:
        while not over.is_set():
            answer = await call(api.try_create(user, key=str(uuid4())), done, "create")
            if answer and answer.status_code == 201:
                done.by_calls.append(answer.json()["id"])
                await call(api.send("GET", f"/notifications/{done.by_calls[-1]}"), done, "get")
            await elapse(_PAUSE)

    async with asyncio.TaskGroup() as programs:
        for _ in range(_PROGRAMS):
            programs.create_task(with_the_client())
            programs.create_task(with_plain_calls())
        try:
            await until(lambda: len(done.by_client) >= _PROGRAMS and len(done.by_calls) >= _PROGRAMS)
            yield done
        finally:
            over.set()


async def call(answering: Awaitable[httpx2.Response], done: Load, kind: str) -> httpx2.Response | None:
    """Make one call, once, and note how it went."""
    try:
        answer = await answering
    except httpx2.TransportError as error:
        done.answers[f"{kind}: {type(error).__name__}"] += 1
        return None
    done.answers[f"{kind}: {answer.status_code}"] += 1
    return answer


async def test_under_load_with_a_new_setting_it_loses_nothing_and_callers_notice_nothing(
    doubled: Stack, ends: Ends, client: TocsinClient, api: Api
) -> None:
    before = {service: set(doubled.ids(service)) for service in ("api", "worker")}
    user, seen = new_user(), set[str]()

    async def listen() -> None:
        async for message in client.stream(user):
            if isinstance(message, Change):
                seen.add(str(message.notification.id))

    listening = asyncio.create_task(listen())
    async with load(client, api, user) as done:
        with doubled.configured(*tracing(ends)):
            await asyncio.to_thread(doubled.run_script, _SCRIPT, "api", "worker", within=400)
        enough = len(done.made) + 5 * _PROGRAMS
        await until(lambda: len(done.made) >= enough)
    items = await api.all_completed(user, len(done.made))
    await until(lambda: seen >= done.made, 60)
    listening.cancel()

    assert {item["id"] for item in items} == done.made, "each was made once, and none is lost"
    assert set(done.answers) == {"create: 201", "get: 200"}, "not even those noticed who do not repeat"
    after = {service: set(doubled.ids(service)) for service in before}
    assert {service: len(ids) for service, ids in after.items()} == {"api": 2, "worker": 2}
    assert not any(before[service] & after[service] for service in before), "all were replaced"
    await is_traced(ends, api)


def tracing(ends: Ends) -> tuple[str, ...]:
    """Return what switches traces on, as the manual tells it."""
    return (
        "TOCSIN_TRACING__ENABLED=true",
        f"OTEL_EXPORTER_OTLP_ENDPOINT={ends.url}",
        "OTEL_BSP_SCHEDULE_DELAY=200",
    )


async def is_traced(ends: Ends, api: Api) -> None:
    """See that one trace leads through what runs now."""
    made = await api.create(new_user())

    def whole() -> list[Span]:
        ours = {span.trace for span in ends.spans if span.attributes.get("tocsin.notification_id") == made["id"]}
        found = [span for span in ends.spans if span.trace in ours]
        return found if len(found) == 3 else []

    services = [(span.service, span.name) for span in await until(whole)]
    assert sorted(services) == [
        ("tocsin-api", "POST /api/v1/notifications"),
        ("tocsin-worker", "POST"),
        ("tocsin-worker", "analyse notification"),
    ]


async def test_where_a_new_one_does_not_become_healthy_the_old_ones_go_on(stack: Stack, api: Api) -> None:
    before = stack.ids("api")

    with stack.configured("TOCSIN_API__MAX_BODY_BYTES=none"):
        said = await asyncio.to_thread(stack.run_script, _SCRIPT, "api", status=1)

    assert "TOCSIN_API__MAX_BODY_BYTES" in said, "it shows why"
    assert said.endswith("The new container of api did not become healthy and was removed; the old ones go on.\n")
    assert stack.ids("api", "--all") == before, "it left nothing behind"
    await api.create(new_user())
