"""The rules of one notification."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.models.notification import (
    Notification,
    ProcessingStatus,
    Severity,
    created_at_of,
    first_id_after,
    first_id_at,
    new_notification_id,
)
from tocsin.models.verdict import Category, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VERDICT = Verdict(Category.CRITICAL, 0.8, ("fire",), "test")
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def notification(status: ProcessingStatus = ProcessingStatus.PENDING) -> Notification:
    return Notification(severity=Severity.UNJUDGED, processing_status=status, tries=0)


def test_ids_rise_and_carry_their_time() -> None:
    before = datetime.now(UTC)
    ids = [new_notification_id() for _ in range(1000)]

    assert ids == sorted(set(ids))
    assert all(made.version == 7 for made in ids)
    assert abs(created_at_of(ids[0]) - before) < timedelta(seconds=10)


@given(MOMENTS)
def test_the_least_id_at_a_time_separates_before_from_after(moment: datetime) -> None:
    bound = first_id_at(moment)

    assert created_at_of(bound) >= moment
    assert created_at_of(UUID(int=bound.int - 1)) < moment


@given(MOMENTS)
def test_the_least_id_after_a_time_excludes_that_time(moment: datetime) -> None:
    bound = first_id_after(moment)

    assert created_at_of(bound) > moment
    assert created_at_of(UUID(int=bound.int - 1)) <= moment


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_times_that_no_id_can_have_are_bounds_all_the_same(moment: datetime) -> None:
    assert UUID(int=0) <= first_id_at(moment) <= first_id_after(moment)


def test_what_nobody_judged_stands_between_warning_and_info() -> None:
    order = [Category.CRITICAL, Category.WARNING, None, Category.INFO]

    assert sorted(order, key=Severity.of, reverse=True) == order


def test_a_verdict_makes_it_complete() -> None:
    it = notification(ProcessingStatus.PROCESSING)

    assert it.complete(VERDICT, 2, NOW)

    assert it.processing_status is ProcessingStatus.COMPLETED
    assert (it.category, it.severity, it.confidence, it.keywords) == (Category.CRITICAL, 3, 0.8, ["fire"])
    assert (it.analyzer, it.analyzed_at, it.tries, it.error) == ("test", NOW, 2, None)


def test_a_failure_keeps_the_earlier_verdict() -> None:
    it = notification()
    it.complete(VERDICT, 1, NOW)
    it.request_analysis()

    it.fail("no luck", 5)

    assert it.processing_status is ProcessingStatus.FAILED
    assert (it.category, it.severity, it.error) == (Category.CRITICAL, 3, "no luck")


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (ProcessingStatus.PENDING, False),
        (ProcessingStatus.PROCESSING, False),
        (ProcessingStatus.COMPLETED, True),
        (ProcessingStatus.FAILED, True),
    ],
)
def test_only_what_is_final_can_be_analysed_again(status: ProcessingStatus, changes: bool) -> None:
    it = notification(status)

    assert it.request_analysis() is changes
    assert it.processing_status is (ProcessingStatus.PENDING if changes else status)


@pytest.mark.parametrize("status", ProcessingStatus)
def test_restoring_what_was_not_final_begins_its_analysis_anew(status: ProcessingStatus) -> None:
    it = notification(status)
    it.delete(NOW)

    assert it.restore()
    assert it.processing_status is (status if status.is_final else ProcessingStatus.PENDING)


def test_a_change_that_changes_nothing_says_so() -> None:
    it = notification()

    assert it.mark_read(NOW)
    assert not it.mark_read(NOW + timedelta(days=1))
    assert it.read_at == NOW
    assert it.mark_unread()
    assert not it.mark_unread()
    assert not it.restore()
    assert it.delete(NOW)
    assert not it.delete(NOW)
