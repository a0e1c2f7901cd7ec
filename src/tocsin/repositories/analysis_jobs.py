"""SQL of jobs: claim, renewal, and what is overdue.

Leases are told apart by their random id alone. Time cannot tell them apart, since clocks and pauses lie, nor can
the number of tries, since it starts again with a re-analysis.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Float,
    Integer,
    Interval,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import cast as sql_cast

from tocsin.models.analysis_job import AnalysisJob
from tocsin.models.notification import Notification
from tocsin.repositories.handle import Handle
from tocsin.repositories.prepared import PreparedQuery


class JobRow(NamedTuple):
    """How far the work on a notification is."""

    notification_id: UUID
    available_at: datetime
    tries: int
    lease: UUID | None
    last_error: str | None


def _seconds(interval: ColumnElement[timedelta]) -> ColumnElement[float]:
    return sql_cast(func.extract("epoch", interval), Float(53))


_TABLE = cast("Table", AnalysisJob.__table__)
JOB: Final[tuple[Column[Any], ...]] = tuple(_TABLE.c[name] for name in JobRow._fields)
"""What to select for `JobRow._make`; the first is never null."""
_MAINTENANCE_LOCK = 0x70C51
_NOW = func.clock_timestamp()
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_LEASE_TIME = bindparam("lease_time", type_=Interval)
GIVEN_LEASES: Final = (
    func.unnest(_IDS, bindparam("leases", type_=ARRAY(Uuid))).table_valued("id", "lease").render_derived()
)
"""Leases by the parameters ``ids``, of their notifications, and ``leases``."""
IS_HELD: Final = and_(_TABLE.c.notification_id == GIVEN_LEASES.c.id, _TABLE.c.lease == GIVEN_LEASES.c.lease)
"""Whether a job still has one of `GIVEN_LEASES`."""

_due = (
    select(AnalysisJob.notification_id)
    .where(AnalysisJob.notification_id == any_(_IDS), AnalysisJob.available_at <= _NOW)
    .order_by(AnalysisJob.notification_id)
    .with_for_update(key_share=True, skip_locked=True)
    .cte("due")
)
_claimed = (
    update(AnalysisJob)
    .where(AnalysisJob.notification_id == _due.c.notification_id)
    .values(
        lease=func.gen_random_uuid(),
        available_at=_NOW + _LEASE_TIME,
        tries=AnalysisJob.tries + 1,
    )
    .returning(
        AnalysisJob.notification_id,
        AnalysisJob.lease,
        AnalysisJob.tries,
        AnalysisJob.request_id,
        AnalysisJob.traceparent,
        _seconds(_NOW - AnalysisJob.enqueued_at).label("waited"),
    )
    .cte("claimed")
)
# With what is to be judged, so that one round trip does.
_CLAIM = PreparedQuery(
    select(_claimed, Notification.user_id, Notification.title, Notification.text).join_from(
        _claimed, Notification, Notification.id == _claimed.c.notification_id
    )
)
# A locked row is being finished by its holder: to wait for it in plan order could deadlock with him.
_renewable = (
    select(AnalysisJob.notification_id)
    .join(GIVEN_LEASES, IS_HELD)
    .order_by(AnalysisJob.notification_id)
    .with_for_update(of=AnalysisJob, key_share=True, skip_locked=True)
    .cte("renewable")
)
_RENEW = (
    update(AnalysisJob)
    .where(AnalysisJob.notification_id == _renewable.c.notification_id)
    .values(available_at=_NOW + _LEASE_TIME)
)
_back = (
    func.unnest(
        _IDS,
        bindparam("delays", type_=ARRAY(Float(53))),
        bindparam("uncounted", type_=ARRAY(Integer)),
        bindparam("errors", type_=ARRAY(Text)),
    )
    .table_valued("id", "delay", "uncounted", "error")
    .render_derived()
)
_PUT_BACK = (
    update(AnalysisJob)
    .where(AnalysisJob.notification_id == _back.c.id)
    .values(
        lease=None,
        available_at=_NOW + _back.c.delay * text("interval '1 second'"),
        tries=AnalysisJob.tries - _back.c.uncounted,
        last_error=func.coalesce(_back.c.error, AnalysisJob.last_error),
    )
)
_LEASE_END: Final = len(_claimed.c)
_BACKLOG = select(
    func.count(),
    _seconds(_NOW - func.min(AnalysisJob.enqueued_at)),
    _seconds(_NOW - func.min(AnalysisJob.available_at)),
)


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's time-limited right to a job.

    ``request_id`` and ``traceparent`` (W3C Trace Context) are of the request that asked for it; ``tries`` counts this
    one; ``waited`` is how many seconds before it the job was made.
    """

    notification_id: UUID
    id: UUID
    tries: int
    request_id: str | None
    traceparent: str | None
    waited: float


@dataclass(frozen=True, slots=True)
class Message:
    """What a notification says, and to whom."""

    user_id: UUID
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A lease together with what is to be judged."""

    lease: Lease
    message: Message


@dataclass(frozen=True, slots=True)
class PutBack:
    """A job that is given back: claimable again in ``delay`` seconds; ``counted`` says whether the AI was asked."""

    notification_id: UUID
    delay: float
    counted: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much work is left, how many seconds ago the oldest of it was promised, and for how many one was claimable."""

    jobs: int
    age: float
    overdue: float


class AnalysisJobRepository:
    """Jobs of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self._handle = handle

    async def enqueue(self, notification_id: UUID, request_id: str | None, traceparent: str | None) -> None:
        """Promise an analysis, told apart in logs and traces by the request that asked for it."""
        job = {"notification_id": notification_id, "request_id": request_id, "traceparent": traceparent}
        await self._connection.execute(insert(_TABLE), job)

    async def withdraw(self, ids: Collection[UUID]) -> None:
        """Drop the jobs of ``ids``, whoever holds them."""
        await self._connection.execute(
            delete(AnalysisJob).where(AnalysisJob.notification_id == any_(_IDS)),
            {"ids": [*ids]},
        )

    async def claim(self, ids: Collection[UUID], lease_time: timedelta) -> list[Claimed]:
        """Claim what is claimable among ``ids``; the rest is leased elsewhere, scheduled for later, or gone."""
        rows = await self._handle.fetch(_CLAIM, {"ids": list(ids), "lease_time": lease_time})
        return [Claimed(Lease(*row[:_LEASE_END]), Message(*row[_LEASE_END:])) for row in rows]

    async def renew(self, leases: Mapping[UUID, UUID], lease_time: timedelta) -> None:
        """Prolong the leases (by notification id) that are still held."""
        parameters = {
            "ids": list(leases),
            "leases": list(leases.values()),
            "lease_time": lease_time,
        }
        await self._connection.execute(_RENEW, parameters)

    async def put_back(self, jobs: Sequence[PutBack]) -> None:
        """Give back locked jobs in one statement."""
        parameters = {
            "ids": [job.notification_id for job in jobs],
            "delays": [job.delay for job in jobs],
            "uncounted": [0 if job.counted else 1 for job in jobs],
            "errors": [job.error for job in jobs],
        }
        await self._connection.execute(_PUT_BACK, parameters)

    async def overdue(self, longer_than: timedelta, limit: int) -> list[UUID]:
        """Return the ids of the oldest jobs that could have been claimed for ``longer_than``."""
        statement = (
            select(AnalysisJob.notification_id)
            .where(AnalysisJob.available_at < _NOW - longer_than)
            .order_by(AnalysisJob.available_at)
            .limit(limit)
        )
        return list(await self._connection.scalars(statement))

    async def backlog(self) -> Backlog:
        """Count the work that is left."""
        row = (await self._connection.execute(_BACKLOG)).one()
        return Backlog(row[0], max(row[1] or 0.0, 0.0), max(row[2] or 0.0, 0.0))

    async def try_maintenance_lock(self) -> bool:
        """Become the one process that maintains, until the end of the transaction."""
        return bool(await self._connection.scalar(select(func.pg_try_advisory_xact_lock(_MAINTENANCE_LOCK))))
