"""SQL of the stream: what changed in many inboxes, in one statement and so in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Boolean, Table, Uuid, bindparam, func, literal, select, true

from tocsin.models.epoch import Epoch
from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification
from tocsin.repositories.handle import Handle
from tocsin.repositories.notification_rows import SHOWN, NotificationRow
from tocsin.repositories.prepared import PreparedQuery

_INBOXES = cast("Table", Inbox.__table__)
_EPOCH = cast("Table", Epoch.__table__)
_ROWS: Final = cast("Table", Notification.__table__)
_LIMIT = bindparam("limit", type_=BigInteger)
_COUNT_LIMIT = bindparam("count_limit", type_=BigInteger)

_wanted = (
    func.unnest(
        bindparam("user_ids", type_=ARRAY(Uuid)),
        bindparam("sinces", type_=ARRAY(BigInteger)),
        bindparam("counted", type_=ARRAY(Boolean)),
    )
    .table_valued("user_id", "since", "counted", with_ordinality="number")
    .render_derived(name="wanted")
)
_changed = (
    select(*SHOWN)
    .where(_ROWS.c.user_id == _wanted.c.user_id, _ROWS.c.version > _wanted.c.since)
    .order_by(_ROWS.c.version)
    .limit(_LIMIT)
    .lateral("changed")
)
_some = (
    select(literal(1))
    .select_from(_ROWS)
    .where(_wanted.c.counted, _ROWS.c.user_id == _wanted.c.user_id, _ROWS.c.version > _wanted.c.since)
    .limit(_COUNT_LIMIT)
    .correlate(_wanted)
    .lateral("some")
)
_count = select(func.count().label("count")).select_from(_some).correlate(_wanted).lateral("counted")
_READ = (
    select(
        _wanted.c.number,
        _EPOCH.c.value.label("epoch"),
        func.coalesce(_INBOXES.c.version, 0).label("version"),
        func.coalesce(_INBOXES.c.floor, 0).label("floor"),
        func.coalesce(_INBOXES.c.unread_critical, 0).label("critical"),
        func.coalesce(_INBOXES.c.unread_warning, 0).label("warning"),
        func.coalesce(_INBOXES.c.unread_info, 0).label("info"),
        func.coalesce(_INBOXES.c.unread_unjudged, 0).label("unjudged"),
        _count.c.count.label("count"),
        *_changed.c,
    )
    .select_from(_wanted)
    .join(_EPOCH, true())
    .outerjoin(_INBOXES, _INBOXES.c.user_id == _wanted.c.user_id)
    .join(_count, true())
    .outerjoin(_changed, true())
    .order_by(_wanted.c.number, _changed.c.version)
)

_PREPARED: Final = PreparedQuery(_READ)
_STATE_END: Final = len(_READ.selected_columns) - len(SHOWN)


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """What changed in an inbox after a version; ``counted`` asks how many notifications did."""

    user_id: UUID
    since: int
    counted: bool


@dataclass(frozen=True, slots=True)
class StreamRead:
    """The state of an inbox, and the first of what changed in it, oldest first, tombstones too."""

    epoch: UUID
    version: int
    floor: int
    critical: int
    warning: int
    info: int
    unjudged: int
    count: int
    changed: list[NotificationRow] = field(default_factory=list)


class StreamReadRepository:
    """Reads for streams of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def read(self, wanted: Sequence[StreamQuery], limit: int, count_limit: int) -> dict[StreamQuery, StreamRead]:
        """Return for each what is there, with at most ``limit`` changes and a count of at most ``count_limit``."""
        parameters = {
            "user_ids": [query.user_id for query in wanted],
            "sinces": [query.since for query in wanted],
            "counted": [query.counted for query in wanted],
            "limit": limit,
            "count_limit": count_limit,
        }
        found: dict[StreamQuery, StreamRead] = {}
        for row in await self._handle.fetch(_PREPARED, parameters):
            read = found.setdefault(wanted[row[0] - 1], StreamRead(*row[1:_STATE_END]))
            if row[_STATE_END] is not None:
                read.changed.append(NotificationRow._make(row[_STATE_END:]))
        return found
