"""SQL of what search looks into."""

from collections.abc import Mapping
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Table, Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.dialects.postgresql import insert as upsert

from tocsin.models.notification import Notification
from tocsin.models.notification_search import NotificationSearch
from tocsin.repositories.handle import Handle

_TABLE = cast("Table", NotificationSearch.__table__)
_new = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)), bindparam("documents", type_=ARRAY(Text)))
    .table_valued("id", "document")
    .render_derived()
)
_ADD_MISSING = (
    upsert(_TABLE)
    .from_select(
        ["notification_id", "document"],
        select(_new.c.id, _new.c.document.cast(TSVECTOR))
        .join(Notification, Notification.id == _new.c.id)
        .where(Notification.text != ""),
    )
    .on_conflict_do_nothing()
)
# An index is maintained only by its owner, which the service need not be.
_MERGE = text(
    "SELECT gin_clean_pending_list(oid) FROM pg_class"
    " WHERE oid = to_regclass('ix_notification_search_document') AND pg_has_role(relowner, 'USAGE')"
)


class NotificationSearchRepository:
    """The search of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection

    async def add_missing(self, documents: Mapping[UUID, str]) -> None:
        """Make those searchable that are not and still carry their text. Their inboxes must be locked."""
        await self._connection.execute(_ADD_MISSING, {"ids": list(documents), "documents": list(documents.values())})

    async def merge_new(self) -> None:
        """Merge what is new into the index, so that searches need not look through it."""
        await self._connection.execute(_MERGE)
