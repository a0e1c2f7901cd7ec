"""What of an inbox's changes is news: notifications when they are judged, each once."""

from collections import OrderedDict
from typing import Final, TypeVar
from uuid import UUID

from tocsin.client.models import Notification

_REMEMBERED: Final = 10_000
_Value = TypeVar("_Value")


class WatchLog:
    """Picks verdicts out of changes. Reading and deleting change a notification, too, and are no news.

    New is the first verdict on what was created after all that was recalled, and every further verdict on what is
    known to wait for one. Ids grow with time, so that "after" is a comparison of ids.
    """

    def __init__(self) -> None:
        self._recalled = UUID(int=0)
        self._waiting: OrderedDict[UUID, int] = OrderedDict()
        self._told: OrderedDict[UUID, str] = OrderedDict()
        self.newest = UUID(int=0)
        """The newest notification that was met."""

    @property
    def waiting(self) -> int:
        """How many are known to wait for their verdict."""
        return len(self._waiting)

    def recall(self, notification: Notification) -> None:
        """Note what was there before."""
        self._recalled = max(self._recalled, notification.id)
        self.take(notification)

    def take(self, notification: Notification) -> bool:
        """Note a state of a notification and tell whether it is news."""
        its = notification
        self.newest = max(self.newest, its.id)
        if its.deleted_at is not None:
            self._waiting.pop(its.id, None)
            return False
        if not its.is_final:
            _remember(self._waiting, its.id, its.version)
            return False
        awaited = self._waiting.pop(its.id, None) is not None
        verdict = f"{its.category} {its.analyzed_at} {its.error}"
        is_news = (awaited or its.id > self._recalled) and self._told.get(its.id) != verdict
        _remember(self._told, its.id, verdict)
        return is_news


def _remember(memory: OrderedDict[UUID, _Value], key: UUID, value: _Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
