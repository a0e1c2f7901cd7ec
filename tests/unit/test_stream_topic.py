"""What can be told one by one, and what cannot: the edges of both."""

from uuid import UUID, uuid4

import pytest

from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.stream_reads import StreamRead
from tocsin.services.inboxes import MAX_CHANGES
from tocsin.services.positions import Position
from tocsin.services.stream_listener import Listener, Tenure
from tocsin.services.stream_messages import Change, Hello, Message, Reset
from tocsin.services.stream_topic import PAGE, Topic

USER, EPOCH = uuid4(), uuid4()
NOW, FLOOR = 5_000, 4_000


def row(version: int) -> NotificationRow:
    known = {"id": uuid4(), "user_id": USER, "version": version}
    return NotificationRow._make(known.get(name) for name in NotificationRow._fields)


def read(since: int, *, version: int = NOW, changed: int | None = None) -> StreamRead:
    """Return what is found after ``since``: ``changed`` notifications, or one for each version."""
    count = version - since if changed is None else changed
    rows = [row(number) for number in range(version - count + 1, version + 1)]
    return StreamRead(EPOCH, version, FLOOR, 0, 0, 0, 1, count, rows[: PAGE + 1])


async def no_reads(_: Listener) -> None:
    raise AssertionError("nobody reads on by himself here")


async def admitted(since: Position | None, found: StreamRead) -> tuple[Listener, list[Message]]:
    """Return a listener who joined a topic, and what it was told."""
    topic, listener = Topic(USER), Listener(USER, since, Tenure(), read_on=no_reads, hang_up=lambda: None)
    topic.listeners.add(listener)
    topic.admit(listener, found, {})
    return listener, await waiting(listener)


async def waiting(listener: Listener) -> list[Message]:
    told = [await listener.receive() for _ in range(len(listener._queue))]
    return [message for message in told if message is not None]


@pytest.mark.parametrize(
    ("epoch", "since", "changed", "told"),
    [
        (EPOCH, NOW, 0, []),
        (EPOCH, NOW - 1, 1, [Change]),
        (EPOCH, FLOOR, 1, [Change]),
        (EPOCH, FLOOR - 1, 1, [Reset]),
        (EPOCH, NOW + 1, 0, [Reset]),
        (uuid4(), NOW, 0, [Reset]),
    ],
)
async def test_who_comes_back_is_told_what_was_missed_if_all_of_it_is_known(
    epoch: UUID, since: int, changed: int, told: list[type]
) -> None:
    listener, (hello, *rest) = await admitted(Position(epoch, since), read(since, changed=changed))

    assert isinstance(hello, Hello)
    assert hello.recovered is (told != [Reset])
    assert hello.position == (Position(epoch, since) if hello.recovered else Position(EPOCH, NOW))
    assert [type(message) for message in rest] == told
    assert listener.position == Position(EPOCH, NOW)


@pytest.mark.parametrize(("missed", "recovered"), [(MAX_CHANGES, True), (MAX_CHANGES + 1, False)])
async def test_who_missed_too_much_loads_anew(missed: int, *, recovered: bool) -> None:
    listener, (hello, first, *_) = await admitted(Position(EPOCH, NOW - missed), read(NOW - missed))

    assert isinstance(hello, Hello)
    assert hello.recovered is recovered
    assert isinstance(first, Change if recovered else Reset)
    assert listener.behind is recovered, "more pages follow"


@pytest.mark.parametrize(("missed", "behind"), [(PAGE, False), (PAGE + 1, True)])
async def test_who_missed_more_than_a_page_stands_at_its_end(missed: int, *, behind: bool) -> None:
    listener, (_, *changes) = await admitted(Position(EPOCH, NOW - missed), read(NOW - missed))

    assert len(changes) == PAGE
    assert listener.behind is behind
    assert listener.position == changes[-1].position == Position(EPOCH, NOW - missed + PAGE)


@pytest.mark.parametrize(("count", "kind"), [(PAGE, Change), (PAGE + 1, Reset)])
async def test_who_listens_is_told_a_page_at_once_and_of_more_that_there_is_more(count: int, kind: type) -> None:
    topic, listener = Topic(USER), Listener(USER, None, Tenure(), read_on=no_reads, hang_up=lambda: None)
    topic.listeners.add(listener)
    topic.admit(listener, read(NOW), {})
    assert isinstance(await listener.receive(), Hello)
    assert topic.cursor == Position(EPOCH, NOW)

    topic.advance(topic.cursor, read(NOW, version=NOW + count), {})

    told = await waiting(listener)
    assert {type(message) for message in told} == {kind}
    assert len(told) == (PAGE if kind is Change else 1)
    assert topic.cursor == listener.position == Position(EPOCH, NOW + count)
