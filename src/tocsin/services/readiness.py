"""Whether the service can do its work: one look for all who ask, however many they are."""

from collections.abc import Sequence
from typing import Final

from tocsin.coalescer import Coalescer
from tocsin.repositories.unit_of_work import Database
from tocsin.services.ports import Doorbell

_MAX_WAITING: Final = 10_000


class ReadinessService:
    """Looks whether PostgreSQL and Redis answer. Whoever asks while it looks waits for the next look."""

    def __init__(self, database: Database, doorbell: Doorbell) -> None:
        self._database = database
        self._doorbell = doorbell
        self._looks: Coalescer[None, bool] = Coalescer(self._look, max_batch=_MAX_WAITING, max_waiting=_MAX_WAITING)

    async def has_redis(self) -> bool:
        """Return whether Redis can be reached.

        Raises:
            Unavailable: PostgreSQL cannot.
        """
        return await self._looks.submit(None)

    async def _look(self, askers: Sequence[None]) -> Sequence[bool]:
        await self._database.read(lambda uow: uow.inboxes.epoch())
        answers = await self._doorbell.queue_length() is not None
        return [answers] * len(askers)
