"""One attempt at storing new notifications: what is known already, what is new, and what is another's twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tocsin.errors import FieldError, IdempotencyKeyReused, TocsinError
from tocsin.models.notification import ProcessingStatus, Severity, created_at_of
from tocsin.repositories.intake import NewNotification
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.unit_of_work import UnitOfWork
from tocsin.services.intake_lanes import InboxHeld
from tocsin.services.ports import Doorbell


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored notification; ``replayed`` says that an earlier call had stored it."""

    notification: NotificationRow
    replayed: bool


_Results = dict[UUID, Accepted | Exception]


class Conflict(Exception):
    """A twin was committed between the look for it and the insert."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an attempt deals with what is in its way.

    It waits for locks, at most for ``patience``; leaves, if ``only_free``, items whose inbox somebody else has
    locked; and stores, if ``all_or_none``, nothing if an item cannot be stored.
    """

    patience: timedelta | None = None
    only_free: bool = False
    all_or_none: bool = False


class IntakeAttempt:
    """One transaction that stores what is new among ``items``."""

    def __init__(
        self, items: Sequence[NewNotification], doorbell: Doorbell, manner: Manner, *, maybe_stored: bool
    ) -> None:
        self._items = items
        self._doorbell = doorbell
        self._manner = manner
        self._maybe_stored = maybe_stored

    async def __call__(self, uow: UnitOfWork) -> Sequence[Accepted | Exception]:
        results = await self._known(uow)
        if self._manner.only_free:
            await self._leave_held(uow, results)
        new = [item for item in self._items if item.id not in results]
        fresh = _first_of_twins(new)
        await self._store(uow, list(fresh.values()), results)
        for item in new:
            if item.id not in results:
                results[item.id] = _twin_of(item, results[fresh[_identity(item)].id], fresh[_identity(item)])
        if self._manner.all_or_none:
            _raise_first_errors(self._items, results)
        return [results[item.id] for item in self._items]

    async def _known(self, uow: UnitOfWork) -> _Results:
        """Return the results of items that need no insert."""
        results: _Results = {}
        if self._maybe_stored:
            mine = await uow.notifications.rows([item.id for item in self._items])
            results.update({item_id: Accepted(stored, replayed=False) for item_id, stored in mine.items()})
        marks = [item.mark for item in self._items if item.mark and item.id not in results]
        twins = await uow.intake.twins(marks) if marks else {}
        for item in self._items:
            twin = twins.get((item.mark.api_key_id, item.mark.key)) if item.mark else None
            if twin is not None and item.mark and item.id not in results:
                same = twin.fingerprint == item.mark.fingerprint
                results[item.id] = Accepted(twin.notification, replayed=True) if same else IdempotencyKeyReused(())
        return results

    async def _leave_held(self, uow: UnitOfWork, results: _Results) -> None:
        held = await uow.inboxes.lock_free({item.user_id for item in self._items})
        for item in self._items:
            if item.user_id in held:
                results.setdefault(item.id, InboxHeld())

    async def _store(self, uow: UnitOfWork, items: Sequence[NewNotification], results: _Results) -> None:
        if not items:
            return
        versions = await uow.intake.store(items, self._manner.patience)
        if len(versions) < len(items):
            raise Conflict
        results.update((item.id, Accepted(_stored(item, versions[item.id]), replayed=False)) for item in items)
        uow.after_commit(lambda: self._doorbell.ring([item.id for item in items]))


def _identity(item: NewNotification) -> object:
    return (item.mark.api_key_id, item.mark.key) if item.mark else item.id


def _first_of_twins(items: Sequence[NewNotification]) -> dict[object, NewNotification]:
    first: dict[object, NewNotification] = {}
    for item in items:
        first.setdefault(_identity(item), item)
    return first


def _twin_of(item: NewNotification, result: Accepted | Exception, first: NewNotification) -> Accepted | Exception:
    """Return the result of ``item``, whose key ``first`` of the same batch used before it."""
    if isinstance(result, Exception):
        return result
    same = item.mark is not None and first.mark is not None and item.mark.fingerprint == first.mark.fingerprint
    return Accepted(result.notification, replayed=True) if same else IdempotencyKeyReused(())


def _raise_first_errors(items: Sequence[NewNotification], results: _Results) -> None:
    errors = [
        FieldError(f"/items/{index}/idempotency_key", error.detail)
        for index, item in enumerate(items)
        if isinstance(error := results[item.id], TocsinError)
    ]
    if errors:
        raise IdempotencyKeyReused(errors)


def _stored(item: NewNotification, version: int) -> NotificationRow:
    """Return what was stored, without asking the database for it."""
    return NotificationRow(
        id=item.id,
        user_id=item.user_id,
        title=item.title,
        text=item.text,
        source=item.source,
        link=item.link,
        data=item.data,
        created_at=created_at_of(item.id),
        read_at=None,
        deleted_at=None,
        version=version,
        category=None,
        severity=Severity.UNJUDGED,
        confidence=None,
        keywords=None,
        analyzer=None,
        analyzed_at=None,
        processing_status=ProcessingStatus.PENDING,
        tries=0,
        error=None,
    )
