"""SQL of outcomes: what they are about is locked by one statement, and what became of it is written by another."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Table,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)

from tocsin.models.analysis_job import AnalysisJob
from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification
from tocsin.repositories.analysis_jobs import GIVEN_LEASES, IS_HELD, Lease
from tocsin.repositories.handle import Handle

_Entity = TypeVar("_Entity", Inbox, Notification)
_INBOXES: Final = cast("Table", Inbox.__table__)
_NOTIFICATIONS: Final = cast("Table", Notification.__table__)
_JOBS: Final = cast("Table", AnalysisJob.__table__)


def _columns(table: Table, names: str) -> tuple[Column[Any], ...]:
    return tuple(table.c[name] for name in names.split())


_COUNTED: Final = _columns(_INBOXES, "version unread_info unread_warning unread_critical unread_unjudged")
"""What outcomes change of an inbox."""
_JUDGED: Final = _columns(
    _NOTIFICATIONS,
    "version category severity confidence keywords analyzer analyzed_at processing_status tries error",
)
"""What outcomes change of a notification."""
_SEEN: Final = (*_columns(_NOTIFICATIONS, "id user_id read_at deleted_at"), *_JUDGED)

_IDS: Final = bindparam("ids", type_=ARRAY(Uuid))
_locked = (
    select(_INBOXES.c.user_id, *_COUNTED)
    .where(_INBOXES.c.user_id == any_(bindparam("user_ids", type_=ARRAY(Uuid))))
    .order_by(_INBOXES.c.user_id)
    .with_for_update(key_share=True)
    .cte("locked")
)
# A row comes out of `locked` when its inbox is locked. What belongs to it is locked after that, and so is seen as it
# is then, not as it was when the statement began, maybe to wait.
_LOCK = (
    select(_JOBS.c.lease, *_locked.c, *_SEEN)
    .select_from(GIVEN_LEASES)
    .join(_JOBS, IS_HELD)
    .join(_NOTIFICATIONS, _NOTIFICATIONS.c.id == _JOBS.c.notification_id)
    .join(_locked, _locked.c.user_id == _NOTIFICATIONS.c.user_id)
    .with_for_update(of=[_JOBS, _NOTIFICATIONS], key_share=True)
)


def _given(prefix: str, kinds: dict[str, Any]) -> Any:  # noqa: ANN401 - SQLAlchemy names no type for it
    arrays = (bindparam(f"{prefix}_{name}", type_=ARRAY(kind, dimensions=1)) for name, kind in kinds.items())
    return func.unnest(*arrays).table_valued(*kinds).render_derived(name=prefix)


def _as_strings(json_array: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column of arrays, which cannot be given as an array of them: the arrays of SQL are rectangular."""
    words = func.json_array_elements_text(json_array).table_valued("value", with_ordinality="place").render_derived()
    strings = select(words.c.value).order_by(words.c.place).scalar_subquery()
    return case((json_array.is_not(None), func.array(strings)))


_inbox = _given("inbox", {"user_id": Uuid(), **{column.name: column.type for column in _COUNTED}})
_notification = _given(
    "notification",
    {
        "id": Uuid(),
        **{column.name: JSON(none_as_null=True) if column.name == "keywords" else column.type for column in _JUDGED},
    },
)
_moved = (
    update(_INBOXES)
    .where(_INBOXES.c.user_id == _inbox.c.user_id)
    .values({column: _inbox.c[column.name] for column in _COUNTED})
    .cte("moved")
)
_changed = (
    update(_NOTIFICATIONS)
    .where(_NOTIFICATIONS.c.id == _notification.c.id)
    .values(
        {column: _notification.c[column.name] for column in _JUDGED}
        | {_NOTIFICATIONS.c.keywords: _as_strings(_notification.c.keywords)}
    )
    .cte("changed")
)
_WRITE = delete(_JOBS).where(_JOBS.c.notification_id == any_(_IDS)).add_cte(_moved, _changed)


def _fill(kind: type[_Entity], names: Iterable[str], values: Iterable[Any]) -> _Entity:
    return kind(**dict(zip(names, values, strict=True)))


@dataclass(frozen=True, slots=True)
class Held:
    """What a lease that is still held is about, locked.

    Both know only what outcomes look at or change, and belong to no session: `OutcomeRepository.write` writes them.
    """

    inbox: Inbox
    notification: Notification


class OutcomeRepository:
    """Outcomes of one unit of work; ``moved`` is where the inboxes are that took versions for them."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection
        self.moved: dict[UUID, int] = {}

    async def lock(self, leases: Collection[Lease], user_ids: Iterable[UUID]) -> dict[UUID, Held]:
        """Lock the inboxes of ``user_ids``, and the jobs that still have one of ``leases``; return these by lease."""
        parameters = {
            "user_ids": list(user_ids),
            "ids": [lease.notification_id for lease in leases],
            "leases": [lease.id for lease in leases],
        }
        inboxes: dict[UUID, Inbox] = {}
        held: dict[UUID, Held] = {}
        end = 1 + len(_locked.c)
        for row in await self._connection.execute(_LOCK, parameters):
            inbox = inboxes.get(row[1]) or inboxes.setdefault(row[1], _fill(Inbox, _locked.c.keys(), row[1:end]))
            held[row[0]] = Held(inbox, _fill(Notification, (column.name for column in _SEEN), row[end:]))
        return held

    async def write(self, changed: Sequence[Held], finished: Sequence[UUID]) -> None:
        """Write what ``changed`` has come to, and drop the jobs of the notifications ``finished``."""
        inboxes = {held.inbox.user_id: held.inbox for held in changed}
        notifications = [held.notification for held in changed]
        parameters: dict[str, Any] = {"ids": finished, "inbox_user_id": list(inboxes)}
        for column in _COUNTED:
            parameters[f"inbox_{column.name}"] = [getattr(inbox, column.name) for inbox in inboxes.values()]
        parameters["notification_id"] = [notification.id for notification in notifications]
        for column in _JUDGED:
            parameters[f"notification_{column.name}"] = [getattr(one, column.name) for one in notifications]
        await self._connection.execute(_WRITE, parameters)
        self.moved |= {user_id: inbox.version for user_id, inbox in inboxes.items()}
