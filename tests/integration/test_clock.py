"""The clock of an inbox, when everything happens to it at once."""

import asyncio
import contextlib
import itertools
import random
from uuid import UUID, uuid4

from tests.fixtures.analyzers import CRITICAL, INFO, ScriptedAnalyzer
from tests.fixtures.posting import CALLER, assert_clock_is_sound, fetch, post, post_many, somebody_waits
from tests.fixtures.product import OpenWorker
from tests.waiting import eventually
from tocsin.bootstrap import Resources, WorkerResources, open_resources
from tocsin.errors import NotFound
from tocsin.repositories.notification_pages import NotificationFilter
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.settings import Settings


class Crowd:
    """Does everything at once to the same few inboxes."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._chance = random.Random(4711)
        self.users = [uuid4() for _ in range(3)]

    async def create(self, api: Resources) -> None:
        for _ in range(12):
            await post(api, f"Text {self._chance.random()}", self._chance.choice(self.users))
            await post_many(api, 3, self._chance.choice(self.users))

    async def change(self, api: Resources) -> None:
        use = api.notifications
        for _ in range(25):
            call = self._chance.choice([use.mark_read, use.mark_unread, use.delete, use.restore, use.analyse_again])
            for row in await fetch(self._database_url, "SELECT id FROM notifications ORDER BY random() LIMIT 1"):
                with contextlib.suppress(NotFound):  # it was deleted in the meantime
                    await call(CALLER, row["id"])

    async def mark_all_read(self, api: Resources) -> None:
        for user in itertools.islice(itertools.cycle(self.users), 8):
            await api.inboxes.mark_all_read(CALLER, NotificationFilter(user_id=user), None)

    async def analyse(self, *workers: WorkerResources) -> None:
        for number in range(20):
            rows = await fetch(self._database_url, "SELECT notification_id FROM analysis_jobs")
            await workers[number % len(workers)].analysis.analyse([row["notification_id"] for row in rows])


async def test_creates_verdicts_reads_and_bulk_reads_at_once_leave_the_clock_sound(
    resources: Resources, settings: Settings, worker: OpenWorker, database_url: str
) -> None:
    crowd = Crowd(database_url)
    analyzer = ScriptedAnalyzer(lambda text: CRITICAL if "7" in text else INFO)

    async with open_resources(settings) as other, worker(analyzer) as first, worker(analyzer) as second:
        work = (crowd.create, crowd.change, crowd.change, crowd.mark_all_read)
        await asyncio.gather(
            *(doing(api) for doing in work for api in (resources, other)),
            crowd.analyse(first, second),
            crowd.analyse(second, first),
        )

    await assert_clock_is_sound(database_url)


async def test_versions_follow_each_other_without_a_hole(resources: Resources, worker: OpenWorker) -> None:
    user = uuid4()
    seen: list[int] = []
    posted = [await post(resources, user_id=user) for _ in range(3)]
    seen += [n.version for n in posted]
    async with worker(ScriptedAnalyzer()) as it:
        await it.analysis.analyse([posted[0].id])
    judged = await resources.notifications.get(CALLER, posted[0].id)
    assert judged.version in {4, 5}, "a verdict takes one version, or two if 'processing' was written before"
    version = judged.version

    read = await resources.notifications.mark_read(CALLER, posted[1].id)
    again = await resources.notifications.mark_read(CALLER, posted[1].id)
    bulk = await resources.inboxes.mark_all_read(CALLER, NotificationFilter(user_id=user), None)

    assert seen == [1, 2, 3]
    assert (read.version, again.version) == (version + 1, version + 1)
    assert (bulk.changed, bulk.version, bulk.complete) == (2, version + 3, True)


async def test_a_huge_inbox_is_marked_read_in_steps(resources: Resources, database_url: str) -> None:
    user = uuid4()
    for _ in range(3):
        await post_many(resources, 900, user)

    done = await resources.inboxes.mark_all_read(CALLER, NotificationFilter(user_id=user), None)

    assert (done.changed, done.version, done.complete) == (2700, 5400, True)
    await assert_clock_is_sound(database_url)


async def test_what_changes_while_all_are_being_marked_is_marked_too(
    resources: Resources, database: Database, database_url: str
) -> None:
    user = uuid4()
    posted = await post_many(resources, 3, user)
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def begin_processing(uow: UnitOfWork) -> None:
        inbox = (await uow.inboxes.lock([user]))[user]
        notification = (await uow.notifications.get_many([posted[0].id]))[posted[0].id]
        inbox.change(notification, lambda: notification.begin_processing(1))
        locked.set()
        await go_on.wait()

    changing = asyncio.create_task(database.transaction(begin_processing))
    await locked.wait()
    marking = asyncio.create_task(resources.inboxes.mark_all_read(CALLER, NotificationFilter(user_id=user), None))
    await eventually(lambda: somebody_waits(database_url))
    go_on.set()
    await changing

    done = await marking
    assert (done.changed, done.complete) == (3, True)


async def test_what_changed_after_the_given_position_stays_unread(resources: Resources) -> None:
    user = uuid4()
    seen = await post_many(resources, 2, user)
    position = str((await resources.inboxes.overview(CALLER, user)).position)
    new = await post(resources, user_id=user)

    done = await resources.inboxes.mark_all_read(CALLER, NotificationFilter(user_id=user), position)

    assert done.changed == 2
    assert [await _is_read(resources, n.id) for n in (*seen, new)] == [True, True, False]


async def _is_read(resources: Resources, notification_id: UUID) -> bool:
    return (await resources.notifications.get(CALLER, notification_id)).read_at is not None
