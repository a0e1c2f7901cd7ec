"""SQL of how far search has got with the notifications that were there before it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, update

from tocsin.models.notification import Notification
from tocsin.models.search_backfill import SearchBackfill
from tocsin.repositories.handle import Handle


@dataclass(frozen=True, slots=True)
class Unsearchable:
    """A notification whose words are perhaps not known yet."""

    id: UUID
    user_id: UUID
    title: str
    source: str | None
    text: str


class SearchBackfillRepository:
    """The backfill of one unit of work."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection

    async def before(self) -> UUID | None:
        """Return the id below which everything is still to be looked at; None if nothing is."""
        return await self._connection.scalar(select(SearchBackfill.before))

    async def go_on_before(self, before: UUID) -> None:
        """Note that everything from ``before`` on is done."""
        await self._connection.execute(update(SearchBackfill).values(before=before))

    async def finish(self) -> None:
        """Note that everything is done."""
        await self._connection.execute(delete(SearchBackfill))

    async def newest(self, before: UUID, limit: int) -> list[Unsearchable]:
        """Return the ``limit`` newest with an id below ``before``; those that were blanked have no text."""
        row = Notification.id, Notification.user_id, Notification.title, Notification.source, Notification.text
        statement = select(*row).where(Notification.id < before).order_by(Notification.id.desc()).limit(limit)
        return [
            Unsearchable(one.id, one.user_id, one.title, one.source, one.text)
            for one in await self._connection.execute(statement)
        ]
