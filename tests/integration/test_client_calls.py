"""The client against the real service."""

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.fixtures.live import LiveServer
from tests.fixtures.lossy import lossy
from tocsin.client import TocsinClient
from tocsin.client.batches import Refusal
from tocsin.client.errors import Problem
from tocsin.client.models import Draft, Order, ProcessingStatus
from tocsin.client.retries import RetryPolicy

QUICK = RetryPolicy(deadline=30, attempt=10, first_delay=0.01, longest_delay=0.01)


@pytest.fixture
async def client(live_server: LiveServer) -> AsyncIterator[TocsinClient]:
    async with TocsinClient(live_server.url, live_server.service_key) as opened:
        yield opened


@pytest.fixture
def user() -> UUID:
    return uuid4()


async def test_what_is_created_is_what_was_given(client: TocsinClient, user: UUID) -> None:
    created = await client.create(
        user, "Заказ", "Оплачен 🎉", source="shop", link="https://example.com/?a=b&c", data={"order": [1, None]}
    )

    assert (created.user_id, created.title, created.text) == (user, "Заказ", "Оплачен 🎉")
    assert (created.source, created.link, created.data) == ("shop", "https://example.com/?a=b&c", {"order": [1, None]})
    assert created.processing_status is ProcessingStatus.PENDING
    assert not created.is_final
    assert not created.replayed
    assert await client.get(created.id) == await client.get(str(created.id))
    assert (await client.get(created.id)).created_at.tzinfo is not None


async def test_an_answer_that_is_lost_makes_no_second_notification(live_server: LiveServer, user: UUID) -> None:
    async with (
        lossy(live_server.host, live_server.port, losses=2) as network,
        TocsinClient(network.url, live_server.service_key, policy=QUICK) as client,
    ):
        created = await client.create(user, "a", "b")
        network.losses = 2
        many = [one async for one in client.create_many([Draft(user, f"{n}", "b") for n in range(3)])]

        assert network.losses == 0
        assert created.replayed
        assert [one.replayed for one in many] == [True] * 3
        assert [one.title async for one in client.notifications(user_id=user)] == ["2", "1", "0", "a"]


async def test_a_key_of_ones_own_works_across_clients(live_server: LiveServer, user: UUID) -> None:
    ids = set()
    for _ in range(2):
        async with TocsinClient(live_server.url, live_server.service_key) as client:
            ids.add((await client.create(user, "a", "b", idempotency_key=f"order-{user}")).id)
            many = client.create_many([Draft(user, "c", "d")], key_prefix=f"file-{user}")
            ids.update([one.id async for one in many])

    assert len(ids) == 2


async def test_a_batch_is_made_without_what_is_refused(client: TocsinClient, user: UUID) -> None:
    refused: list[Refusal] = []
    drafts = [Draft(user, title, "text", link=link) for title, link in (("a", None), (" ", "x"), ("c", None))]

    made = [one.title async for one in client.create_many(drafts, on_refused=refused.append)]

    assert made == ["a", "c"]
    (refusal,) = refused
    assert (refusal.index, refusal.draft) == (1, drafts[1])
    assert [error.pointer for error in refusal.errors] == ["/title", "/link"]


async def test_a_listing_goes_over_all_its_pages(client: TocsinClient, user: UUID) -> None:
    drafts = (Draft(user, f"{number}", "b") for number in range(250))
    made = [one.title async for one in client.create_many(drafts)]

    assert [one.title async for one in client.notifications(user_id=user)] == made[::-1]
    assert [one.title async for one in client.notifications(user_id=user, order="oldest", limit=120)] == made[:120]
    assert [one async for one in client.notifications(user_id=user, limit=0)] == []
    assert [one async for one in client.notifications(user_id=user, category="critical")] == []


async def test_a_listing_is_filtered(client: TocsinClient, user: UUID) -> None:
    one, other = [made async for made in client.create_many([Draft(user, "one", "b"), Draft(user, "other", "b")])]
    await client.mark_read(one.id)
    long_ago = datetime.now(UTC) - timedelta(days=1)

    assert [n.title async for n in client.notifications(user_id=user, read=True)] == ["one"]
    assert [n.id async for n in client.notifications(user_id=user, read=False)] == [other.id]
    assert len([n async for n in client.notifications(user_id=user, created_after=long_ago, status="pending")]) == 2
    assert [n async for n in client.notifications(user_id=user, created_before=long_ago)] == []
    assert [n async for n in client.notifications(user_id=user, min_confidence=0.5)] == []


async def test_what_a_search_finds_is_listed_by_relevance(client: TocsinClient, user: UUID) -> None:
    for title, text in (("Parcel", "The disk came."), ("Disk", "The disk is full."), ("Backup", "Done.")):
        await client.create(user, title, text)

    found = client.notifications(user_id=user, search="disk", order=Order.RELEVANCE)
    assert [one.title async for one in found] == ["Disk", "Parcel"]


async def test_reading_deleting_and_undoing(client: TocsinClient, user: UUID) -> None:
    created = await client.create(user, "a", "b")

    assert (await client.mark_read(created.id)).read_at is not None
    assert (await client.mark_unread(created.id)).read_at is None
    await client.delete(created.id)
    with pytest.raises(Problem) as met:
        await client.get(created.id)
    assert (met.value.status, met.value.code) == (404, "not_found")
    assert (await client.restore(created.id)).title == "a"
    assert (await client.analyse_again(created.id)).processing_status is ProcessingStatus.PENDING


async def test_an_inbox_and_what_changed_in_it(client: TocsinClient, user: UUID) -> None:
    empty = await client.inbox(user)
    assert (empty.version, empty.unread.total) == (0, 0)
    first = await client.create(user, "a", "b")
    seen = await client.inbox(user)
    second = await client.create(user, "c", "d")

    changes = await client.changes(user, seen.position)
    assert [item.id for item in changes.items] == [second.id]
    assert (changes.reset, changes.more, changes.unread.unjudged) == (False, False, 2)
    assert (await client.changes(user, None)).reset

    marked = await client.mark_all_read(user, up_to=seen.position)
    assert (marked.changed, marked.complete) == (1, True)
    assert (await client.get(first.id)).read_at is not None
    assert (await client.mark_all_read(user, status="pending", category=None, min_confidence=None)).changed == 1
    await client.mark_unread(first.id)
    assert (await client.mark_all_read(user, min_confidence=0)).changed == 0, "it is not judged"


async def test_a_token_is_a_key_of_one_inbox(live_server: LiveServer, client: TocsinClient, user: UUID) -> None:
    await client.create(user, "mine", "b")
    minted = await client.mint_token(user, ttl=60)
    assert minted.token not in repr(minted)
    assert timedelta(0) < minted.expires_at - datetime.now(UTC) <= timedelta(seconds=61)
    assert (await client.mint_token(user)).token

    async with TocsinClient(live_server.url, minted.token) as reader:
        assert [one.title async for one in reader.notifications()] == ["mine"]
        with pytest.raises(Problem) as met:
            await reader.create(user, "a", "b")
    assert met.value.code == "forbidden"


async def test_waiting_ends_in_time(client: TocsinClient, user: UUID) -> None:
    created = await client.create(user, "a", "b")

    status = await client.status(created.id, wait=0.1)
    assert (status.processing_status, status.tries) == (ProcessingStatus.PENDING, 0)
    with pytest.raises(TimeoutError, match=rf"the analysis of {created.id} was not over after 0\.2 seconds"):
        await client.wait(created.id, timeout=0.2)


async def test_what_does_not_fit_names_the_field(client: TocsinClient, user: UUID) -> None:
    with pytest.raises(Problem) as met:
        await client.create(user, "\ud800", "")

    assert met.value.code == "invalid_input"
    assert {error.pointer for error in met.value.errors} == {"/title", "/text"}
    assert met.value.request_id


async def test_the_key_is_nowhere_to_be_read(live_server: LiveServer, client: TocsinClient) -> None:
    assert live_server.service_key not in repr(client)
    with pytest.raises(Problem) as met:
        async with TocsinClient(live_server.url, "tcs_wrong") as stranger:
            await stranger.get(uuid4())
    assert met.value.code == "unauthenticated"
    assert "tcs_wrong" not in str(met.value)


def test_it_needs_nothing_that_the_service_is_made_of() -> None:
    program = "import sys, tocsin.client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)

    used = set(loaded.stdout.split())
    assert {"aiohttp", "pydantic"} <= used
    assert not used & {"alembic", "asyncpg", "celery", "fastapi", "redis", "sqlalchemy", "structlog", "typer"}
