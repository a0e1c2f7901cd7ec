"""Analysis: one verdict for each, whatever happens on the way."""

import asyncio
from datetime import timedelta

import pytest

from tests.fixtures.analyzers import CRITICAL, INFO, Answer, ScriptedAnalyzer
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, post, post_many
from tests.fixtures.product import OpenWorker
from tests.waiting import eventually
from tocsin.bootstrap import Resources, open_worker_resources
from tocsin.errors import AnalyzerBusy, AnalyzerRefused, AnalyzerTimeout, AnalyzerUnreachable
from tocsin.models.notification import ProcessingStatus
from tocsin.models.verdict import Category
from tocsin.settings import AiSettings, Settings


async def test_a_verdict_is_stored_with_its_notification(resources: Resources, worker: OpenWorker) -> None:
    posted = await post(resources, "Fire!")

    async with worker(ScriptedAnalyzer(CRITICAL)) as it:
        await it.analysis.analyse([posted.id])

    judged = await resources.notifications.get(CALLER, posted.id)
    assert judged.processing_status is ProcessingStatus.COMPLETED
    assert (judged.category, judged.confidence, judged.keywords) == (Category.CRITICAL, 0.8, ["fire"])
    assert (judged.analyzer, judged.tries, judged.error) == ("test", 1, None)
    assert judged.analyzed_at is not None


async def test_many_are_judged_and_nothing_is_left(resources: Resources, worker: OpenWorker, database_url: str) -> None:
    posted = [*await post_many(resources, 150), *await post_many(resources, 150)]

    async with worker(ScriptedAnalyzer()) as it:
        await asyncio.gather(*(it.analysis.analyse([n.id for n in posted[i : i + 64]]) for i in range(0, 300, 64)))

    rows = await fetch(database_url, "SELECT processing_status, count(*) FROM notifications GROUP BY 1")
    assert [tuple(row) for row in rows] == [("completed", 300)]
    assert await fetch(database_url, "SELECT * FROM analysis_jobs") == []
    await assert_clock_is_sound(database_url)


async def test_while_the_ai_is_asked_the_notification_is_processing(resources: Resources, worker: OpenWorker) -> None:
    posted = await post(resources)
    analyzer = ScriptedAnalyzer(held=True)

    async with worker(analyzer) as it:
        running = asyncio.create_task(it.analysis.analyse([posted.id]))
        await eventually(lambda: _has_status(resources, posted.id, ProcessingStatus.PROCESSING))
        status = await resources.notifications.status(CALLER, posted.id)
        assert (status.tries, status.next_try_at) == (1, None)
        analyzer.open.set()
        await running

    assert await _has_status(resources, posted.id, ProcessingStatus.COMPLETED)


async def test_two_workers_with_the_same_ids_ask_once(resources: Resources, worker: OpenWorker) -> None:
    ids = [n.id for n in await post_many(resources, 50)]
    one, other = ScriptedAnalyzer(), ScriptedAnalyzer()

    async with worker(one) as first, worker(other) as second:
        await asyncio.gather(first.analysis.analyse(ids), second.analysis.analyse(ids), first.analysis.analyse(ids))

    assert sorted(one.asked + other.asked) == sorted(f"Text {number}" for number in range(50))


async def test_ids_that_have_no_job_are_dropped(resources: Resources, worker: OpenWorker) -> None:
    posted = await post(resources)
    analyzer = ScriptedAnalyzer()

    async with worker(analyzer) as it:
        await it.analysis.analyse([posted.id, CALLER.key_id])
        await it.analysis.analyse([posted.id])

    assert len(analyzer.asked) == 1


async def test_never_more_calls_are_in_the_air_than_there_are_slots(resources: Resources, settings: Settings) -> None:
    ids = [n.id for n in await post_many(resources, 20)]
    analyzer = ScriptedAnalyzer(held=True)
    narrow = settings.model_copy(update={"ai": AiSettings(concurrency=3)})

    async with open_worker_resources(narrow, analyzer=analyzer) as it:
        running = asyncio.create_task(it.analysis.analyse(ids))
        await eventually(lambda: _came_to(analyzer, 3))
        assert len(await _claimed(resources, ids)) == 3
        analyzer.open.set()
        await running

    assert len(analyzer.asked) == 20


@pytest.mark.parametrize(
    ("error", "tries"), [(AnalyzerTimeout(), 1), (AnalyzerUnreachable(), 0), (AnalyzerBusy(retry_after=30), 0)]
)
async def test_an_outage_puts_the_job_back_for_later_and_counts_only_if_the_text_may_be_to_blame(
    resources: Resources, worker: OpenWorker, error: Exception, tries: int
) -> None:
    posted = await post(resources)

    async with worker(ScriptedAnalyzer(error)) as it:
        await it.analysis.analyse([posted.id])

    status = await resources.notifications.status(CALLER, posted.id)
    assert status.notification.processing_status is ProcessingStatus.PENDING
    assert (status.tries, status.last_error) == (tries, str(error))
    assert status.next_try_at is not None
    least = 30 if isinstance(error, AnalyzerBusy) else 1
    assert status.next_try_at - status.notification.created_at > timedelta(seconds=least)


async def test_a_refused_text_fails_with_a_reason(resources: Resources, worker: OpenWorker) -> None:
    posted = await post(resources)

    async with worker(ScriptedAnalyzer(AnalyzerRefused("The AI refused the text (400)."))) as it:
        await it.analysis.analyse([posted.id])

    failed = await resources.notifications.get(CALLER, posted.id)
    assert (failed.processing_status, failed.error) == (ProcessingStatus.FAILED, "The AI refused the text (400).")
    assert (await resources.notifications.status(CALLER, posted.id)).tries == 1


async def test_after_the_last_try_it_fails(resources: Resources, settings: Settings) -> None:
    posted = await post(resources)
    last = settings.model_copy(update={"ai": AiSettings(max_tries=1, quick_repeats=0)})

    async with open_worker_resources(last, analyzer=ScriptedAnalyzer(AnalyzerTimeout())) as it:
        await it.analysis.analyse([posted.id])

    failed = await resources.notifications.get(CALLER, posted.id)
    assert (failed.processing_status, failed.error) == (ProcessingStatus.FAILED, "The AI did not answer in time.")


async def test_a_text_that_kills_workers_ends_as_failed(
    resources: Resources, worker: OpenWorker, database_url: str
) -> None:
    posted = await post(resources)
    analyzer = ScriptedAnalyzer()
    await fetch(database_url, "UPDATE analysis_jobs SET tries = 5")

    async with worker(analyzer) as it:
        await it.analysis.analyse([posted.id])

    failed = await resources.notifications.get(CALLER, posted.id)
    assert failed.error == "The worker died 5 times on this notification."
    assert analyzer.asked == []


async def test_an_outage_of_the_ai_opens_the_breaker_and_fails_nobody(
    resources: Resources, worker: OpenWorker, database_url: str
) -> None:
    ids = [n.id for n in await post_many(resources, 40)]
    analyzer = ScriptedAnalyzer(AnalyzerTimeout())

    async with worker(analyzer) as it:
        for begin in range(0, 40, 5):
            await it.analysis.analyse(ids[begin : begin + 5])

    assert len(analyzer.asked) == 5
    rows = await fetch(database_url, "SELECT count(*) FILTER (WHERE tries = 0) AS unasked FROM analysis_jobs")
    assert rows[0]["unasked"] == 35


async def test_what_stopping_cuts_short_is_put_back_uncounted(
    resources: Resources, worker: OpenWorker, database_url: str
) -> None:
    ids = [n.id for n in await post_many(resources, 10)]
    analyzer = ScriptedAnalyzer(held=True)

    async with worker(analyzer) as it:
        running = asyncio.create_task(it.analysis.analyse(ids))
        await eventually(lambda: _came_to(analyzer, 10))
        await it.analysis.stop(0.01)
        await running

    rows = await fetch(database_url, "SELECT tries, lease, available_at <= clock_timestamp() AS due FROM analysis_jobs")
    assert [tuple(row) for row in rows] == [(0, None, True)] * 10
    async with worker(ScriptedAnalyzer()) as other:
        await other.analysis.analyse(ids)
    assert await fetch(database_url, "SELECT * FROM analysis_jobs") == []
    await assert_clock_is_sound(database_url)


async def test_a_stopping_worker_claims_nothing(resources: Resources, worker: OpenWorker) -> None:
    posted = await post(resources)
    analyzer = ScriptedAnalyzer()

    async with worker(analyzer) as it:
        await it.analysis.stop(0)
        await it.analysis.analyse([posted.id])

    assert analyzer.asked == []


async def test_a_notification_deleted_in_mid_analysis_stays_deleted(
    resources: Resources, worker: OpenWorker, database_url: str
) -> None:
    posted = await post(resources)
    analyzer = ScriptedAnalyzer(held=True)

    async with worker(analyzer) as it:
        running = asyncio.create_task(it.analysis.analyse([posted.id]))
        await eventually(lambda: _came_to(analyzer, 1))
        await resources.notifications.delete(CALLER, posted.id)
        analyzer.open.set()
        await running

    assert await fetch(database_url, "SELECT 1 FROM notifications WHERE category IS NOT NULL") == []
    restored = await resources.notifications.restore(CALLER, posted.id)
    assert restored.processing_status is ProcessingStatus.PENDING
    async with worker(ScriptedAnalyzer()) as other:
        await other.analysis.analyse([posted.id])
    assert await _has_status(resources, posted.id, ProcessingStatus.COMPLETED)
    await assert_clock_is_sound(database_url)


async def test_a_new_analysis_keeps_the_old_verdict_until_the_new_one_is_there(
    resources: Resources, worker: OpenWorker
) -> None:
    posted = await post(resources)
    answers: list[Answer] = [CRITICAL, INFO]
    analyzer = ScriptedAnalyzer(lambda _: answers.pop(0))

    async with worker(analyzer) as it:
        await it.analysis.analyse([posted.id])
        again = await resources.notifications.analyse_again(CALLER, posted.id)
        assert (again.processing_status, again.category) == (ProcessingStatus.PENDING, Category.CRITICAL)
        await it.analysis.analyse([posted.id])

    judged = await resources.notifications.get(CALLER, posted.id)
    assert (judged.category, judged.tries) == (Category.INFO, 1)


async def test_a_keyword_that_cannot_be_stored_harms_no_other_verdict(resources: Resources, worker: OpenWorker) -> None:
    good, bad = await post(resources, "good"), await post(resources, "bad")
    unstorable = INFO.__class__(Category.INFO, 0.9, ("nul\0",), "test")
    analyzer = ScriptedAnalyzer(lambda text: unstorable if text == "bad" else INFO)

    async with worker(analyzer) as it:
        await it.analysis.analyse([good.id, bad.id])

    assert await _has_status(resources, good.id, ProcessingStatus.COMPLETED)
    assert not await _has_status(resources, bad.id, ProcessingStatus.COMPLETED)


async def _has_status(resources: Resources, notification_id: object, status: ProcessingStatus) -> bool:
    notification = await resources.notifications.get(CALLER, notification_id)  # type: ignore[arg-type]  # it is one
    return notification.processing_status is status


async def _came_to(analyzer: ScriptedAnalyzer, calls: int) -> bool:
    return len(analyzer.asked) == calls


async def _claimed(resources: Resources, ids: object) -> list[object]:
    statuses = [await resources.notifications.status(CALLER, item) for item in ids]  # type: ignore[attr-defined]  # a list
    return [status for status in statuses if status.tries]
