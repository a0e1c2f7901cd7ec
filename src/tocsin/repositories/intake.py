"""SQL of intake: new notifications, their words, their inboxes' clocks and their jobs, stored by one statement.

The statement makes inboxes that are missing, and locks the others, in the order of user ids, as every transaction
does; what it takes from their clocks is numbered by the caller. It is all or nothing by itself, but for twins, which
it leaves out: then the caller must roll back.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.dialects.postgresql import insert as upsert

from tocsin.models.analysis_job import AnalysisJob
from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification, ProcessingStatus, Severity, created_at_of
from tocsin.models.notification_search import NotificationSearch
from tocsin.repositories.handle import Handle
from tocsin.repositories.notification_rows import SHOWN, NotificationRow


@dataclass(frozen=True, slots=True)
class IdempotencyMark:
    """What tells a repeated create: unique per service key, with a hash of the body."""

    api_key_id: UUID
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class NewNotification:
    """A notification that was accepted but not stored yet; its id is made by the caller."""

    id: UUID
    user_id: UUID
    title: str
    text: str
    source: str | None
    link: str | None
    data: dict[str, Any] | None
    mark: IdempotencyMark | None
    request_id: str | None
    traceparent: str | None
    document: str


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier notification under the same idempotency key, and the hash of the body that made it."""

    notification: NotificationRow
    fingerprint: bytes | None


_INBOXES: Final = cast("Table", Inbox.__table__)
_NOTIFICATIONS: Final = cast("Table", Notification.__table__)
_JOBS: Final = cast("Table", AnalysisJob.__table__)
_SEARCH: Final = cast("Table", NotificationSearch.__table__)
_COLUMNS: Final = {
    "id": Uuid(),
    "user_id": Uuid(),
    "title": Text(),
    "text": Text(),
    "source": Text(),
    "link": Text(),
    "data": JSON(none_as_null=True),
    "created_at": Notification.created_at.type,
    "api_key_id": Uuid(),
    "idempotency_key": String(),
    "fingerprint": LargeBinary(),
}

_PATIENCE: Final = bindparam("patience", type_=Text())

_given = (
    func.unnest(
        *(bindparam(f"{name}s", type_=ARRAY(kind)) for name, kind in _COLUMNS.items()),
        bindparam("followers", type_=ARRAY(BigInteger)),
        bindparam("request_ids", type_=ARRAY(String)),
        bindparam("traceparents", type_=ARRAY(String)),
        bindparam("documents", type_=ARRAY(Text)),
    )
    .table_valued(*_COLUMNS, "followers", "request_id", "traceparent", "document")
    .render_derived()
)
_new = select(*_given.c).cte("new")
_counted = (
    func.unnest(bindparam("inboxes", type_=ARRAY(Uuid)), bindparam("counts", type_=ARRAY(BigInteger)))
    .table_valued("user_id", "count")
    .render_derived()
)
# For this transaction only, and before its first lock: the rows to be inserted are joined with it, and sorted.
_patience = select(
    func.set_config("lock_timeout", func.coalesce(_PATIENCE, func.current_setting("lock_timeout")), true()).label("set")
).cte("patience")
_taking = upsert(_INBOXES).from_select(
    ["user_id", "version", "unread_unjudged"],
    select(_counted.c.user_id, _counted.c.count, _counted.c.count)
    .join_from(_counted, _patience, true())
    .order_by(_counted.c.user_id),
)
_taken = (
    _taking.on_conflict_do_update(
        index_elements=["user_id"],
        set_={
            "version": _INBOXES.c.version + _taking.excluded.version,
            "unread_unjudged": _INBOXES.c.unread_unjudged + _taking.excluded.unread_unjudged,
        },
    )
    .returning(_INBOXES.c.user_id, _INBOXES.c.version)
    .cte("taken")
)
_stored = (
    upsert(_NOTIFICATIONS)
    .from_select(
        [*_COLUMNS, "version", "severity", "processing_status"],
        select(
            *(_new.c[name] for name in _COLUMNS),
            _taken.c.version - _new.c.followers,
            literal(int(Severity.UNJUDGED), Notification.severity.type),
            literal(ProcessingStatus.PENDING, Notification.processing_status.type),
        )
        .join_from(_new, _taken, _new.c.user_id == _taken.c.user_id)
        # All inboxes are locked before the first row is inserted, and keys always meet in the same order.
        .order_by(_new.c.idempotency_key),
    )
    .on_conflict_do_nothing()
    .returning(_NOTIFICATIONS.c.id, _NOTIFICATIONS.c.version)
    .cte("stored")
)
_promised = (
    insert(_JOBS)
    .from_select(
        ["notification_id", "request_id", "traceparent"],
        select(_stored.c.id, _new.c.request_id, _new.c.traceparent).join_from(_stored, _new, _stored.c.id == _new.c.id),
    )
    .cte("promised")
)
_searchable = (
    insert(_SEARCH)
    .from_select(
        ["notification_id", "document"],
        select(_stored.c.id, _new.c.document.cast(TSVECTOR)).join_from(_stored, _new, _stored.c.id == _new.c.id),
    )
    .cte("searchable")
)
_STORE = select(_stored.c.id, _stored.c.version).add_cte(_promised, _searchable)
_marks = (
    func.unnest(bindparam("api_key_ids", type_=ARRAY(Uuid)), bindparam("keys", type_=ARRAY(String)))
    .table_valued("api_key_id", "key")
    .render_derived()
)
_TWINS = select(
    *SHOWN, _NOTIFICATIONS.c.fingerprint, _NOTIFICATIONS.c.api_key_id, _NOTIFICATIONS.c.idempotency_key
).join_from(
    _NOTIFICATIONS,
    _marks,
    (_NOTIFICATIONS.c.api_key_id == _marks.c.api_key_id) & (_NOTIFICATIONS.c.idempotency_key == _marks.c.key),
)


class IntakeRepository:
    """New notifications of one unit of work; ``moved`` is where the inboxes are that took versions for them."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self.moved: dict[UUID, int] = {}

    async def store(self, new: Sequence[NewNotification], patience: timedelta | None = None) -> dict[UUID, int]:
        """Store ``new`` with their words and jobs; return the version of each that met no twin, by id.

        ``patience`` bounds how long it may wait for a lock; then it raises what becomes `LockTimeout`.
        """
        marks = [item.mark for item in new]
        counts = Counter(item.user_id for item in new)
        rows = await self._connection.execute(
            _STORE,
            {
                "ids": [item.id for item in new],
                "user_ids": [item.user_id for item in new],
                "titles": [item.title for item in new],
                "texts": [item.text for item in new],
                "sources": [item.source for item in new],
                "links": [item.link for item in new],
                "datas": [item.data for item in new],
                "created_ats": [created_at_of(item.id) for item in new],
                "api_key_ids": [mark and mark.api_key_id for mark in marks],
                "idempotency_keys": [mark and mark.key for mark in marks],
                "fingerprints": [mark and mark.fingerprint for mark in marks],
                "followers": _followers(new, counts),
                "request_ids": [item.request_id for item in new],
                "traceparents": [item.traceparent for item in new],
                "documents": [item.document for item in new],
                "inboxes": list(counts),
                "counts": list(counts.values()),
                "patience": patience and f"{patience // timedelta(milliseconds=1)}ms",
            },
        )
        versions = {row.id: row.version for row in rows}
        # The last of an inbox has the version that the inbox has then.
        self.moved |= {item.user_id: versions[item.id] for item in new if item.id in versions}
        return versions

    async def twins(self, marks: Collection[IdempotencyMark]) -> dict[tuple[UUID, str], Twin]:
        """Return what was made under the same service key and idempotency key."""
        parameters = {
            "api_key_ids": [mark.api_key_id for mark in marks],
            "keys": [mark.key for mark in marks],
        }
        found = await self._connection.execute(_TWINS, parameters)
        return {
            (row.api_key_id, row.idempotency_key): Twin(NotificationRow._make(row[: len(SHOWN)]), row.fingerprint)
            for row in found
        }


def _followers(new: Sequence[NewNotification], counts: Counter[UUID]) -> list[int]:
    """Return how many of the same inbox follow each; its version is so much below what the inbox has then."""
    left = counts.copy()
    followers = []
    for item in new:
        left[item.user_id] -= 1
        followers.append(left[item.user_id])
    return followers
