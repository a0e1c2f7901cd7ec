"""What is news to whoever watches an inbox."""

from tests.fixtures.notifications import failed, gone, id_of, judged, made
from tocsin.cli.watch_log import WatchLog


def test_a_verdict_is_told_once() -> None:
    log = WatchLog()

    assert not log.take(made(1))
    assert log.waiting == 1
    assert log.take(judged(1))
    assert not log.take(judged(1))
    assert (log.waiting, log.newest) == (0, id_of(1))


def test_a_failure_is_news_too() -> None:
    assert WatchLog().take(failed(1))


def test_a_verdict_that_comes_with_its_notification_is_told() -> None:
    assert WatchLog().take(judged(1))


def test_reading_is_no_news() -> None:
    log = WatchLog()
    log.take(judged(1))

    assert not log.take(judged(1, read_at="2026-11-23T13:00:00Z"))


def test_what_was_there_before_is_no_news_whatever_becomes_of_it() -> None:
    log = WatchLog()
    log.recall(judged(5))

    assert not log.take(judged(5, read_at="2026-11-23T13:00:00Z"))
    assert not log.take(judged(3))
    assert log.take(judged(6))


def test_what_waited_before_is_news_when_it_is_judged() -> None:
    log = WatchLog()
    log.recall(made(1))
    log.recall(judged(2))

    assert log.take(judged(1))


def test_another_verdict_is_news() -> None:
    log = WatchLog()
    log.recall(judged(1, at=10))

    log.take(judged(1, at=10, processing_status="pending"))

    assert log.take(judged(1, at=20))


def test_what_is_deleted_is_not_waited_for() -> None:
    log = WatchLog()
    log.take(made(1))

    assert not log.take(gone(1))
    assert log.waiting == 0


def test_memory_is_bounded() -> None:
    log = WatchLog()
    for number in range(1, 10_100):
        log.take(made(number))

    assert log.waiting == 10_000
