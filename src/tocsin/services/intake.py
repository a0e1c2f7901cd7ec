"""Intake: takes notifications in, many callers in one transaction, each at most once.

Everything that is accepted is stored together with the promise of its analysis; the doorbell rings after the commit.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tocsin.coalescer import Coalescer
from tocsin.errors import DatabaseUnavailable, FieldError, IdempotencyKeyReused, TocsinError, UnstorableInput
from tocsin.models.api_key import Scope
from tocsin.models.notification import ProcessingStatus, Severity, created_at_of, new_notification_id
from tocsin.repositories.intake import IdempotencyMark, NewNotification
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.unit_of_work import CommitUnknown, Database, UnitOfWork
from tocsin.services.access import Caller, require_service
from tocsin.services.ports import Doorbell
from tocsin.telemetry import BATCH_ITEMS, CREATED, INTAKE_WAITING, REPLAYED, current_request_id

_MAX_BATCH: Final = 200
_CONFLICT_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class NotificationDraft:
    """What a program wants its user to know. Lengths and form are checked by whoever reads it from the wire."""

    user_id: UUID
    title: str
    text: str
    source: str | None = None
    link: str | None = None
    data: dict[str, Any] | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored notification; ``replayed`` says that an earlier call had stored it."""

    notification: NotificationRow
    replayed: bool


class _Conflict(Exception):
    """A twin was committed between the look for it and the insert."""


class IntakeService:
    """Accepts notifications."""

    def __init__(self, database: Database, doorbell: Doorbell, max_waiting: int) -> None:
        self._database = database
        self._doorbell = doorbell
        self._coalescer: Coalescer[NewNotification, Accepted] = Coalescer(
            self._write,
            max_batch=_MAX_BATCH,
            max_waiting=max_waiting,
            observe=BATCH_ITEMS.labels("intake").observe,
        )
        INTAKE_WAITING.set_function(lambda: self._coalescer.waiting)

    async def accept(self, caller: Caller, draft: NotificationDraft) -> Accepted:
        """Store one notification.

        Raises:
            Forbidden: the caller may not create.
            IdempotencyKeyReused: the key stands for another body.
            Unavailable: nothing was stored, as far as is known; with an idempotency key a repeat is safe.
        """
        key_id = require_service(caller, Scope.WRITE).key_id
        return await self._coalescer.submit(_new(draft, key_id))

    async def accept_all(self, caller: Caller, drafts: Sequence[NotificationDraft]) -> list[Accepted]:
        """Store all of ``drafts`` in one transaction, or none; errors name the item."""
        key_id = require_service(caller, Scope.WRITE).key_id
        results = await self._store([_new(draft, key_id) for draft in drafts], all_or_none=True)
        return [result for result in results if isinstance(result, Accepted)]

    async def drain(self) -> None:
        """Wait until everything handed in is stored."""
        await self._coalescer.drain()

    async def _write(self, items: Sequence[NewNotification]) -> Sequence[Accepted | Exception]:
        try:
            return await self._store(items)
        except UnstorableInput as error:
            if len(items) == 1:
                return [error]
        # One of them is to blame; the others must not suffer.
        return [outcome for item in items for outcome in await self._write([item])]

    async def _store(
        self, items: Sequence[NewNotification], *, all_or_none: bool = False
    ) -> Sequence[Accepted | TocsinError]:
        maybe_stored = False
        for _ in range(_CONFLICT_ATTEMPTS):
            attempt = _Attempt(items, self._doorbell, maybe_stored=maybe_stored, all_or_none=all_or_none)
            try:
                results = await self._database.transaction(attempt)
            except _Conflict:
                continue
            except CommitUnknown:
                if maybe_stored:
                    raise
                maybe_stored = True
                continue
            _count(results)
            return results
        raise DatabaseUnavailable("Other calls with the same idempotency keys are in the way; try again.")


class _Attempt:
    """One transaction that stores what is new among ``items``."""

    def __init__(
        self, items: Sequence[NewNotification], doorbell: Doorbell, *, maybe_stored: bool, all_or_none: bool
    ) -> None:
        self._items = items
        self._doorbell = doorbell
        self._maybe_stored = maybe_stored
        self._all_or_none = all_or_none

    async def __call__(self, uow: UnitOfWork) -> Sequence[Accepted | TocsinError]:
        results = await self._known(uow)
        new = [item for item in self._items if item.id not in results]
        fresh = _first_of_twins(new)
        await self._store(uow, list(fresh.values()), results)
        for item in new:
            if item.id not in results:
                results[item.id] = _twin_of(item, results[fresh[_identity(item)].id], fresh[_identity(item)])
        if self._all_or_none:
            _raise_first_errors(self._items, results)
        return [results[item.id] for item in self._items]

    async def _known(self, uow: UnitOfWork) -> dict[UUID, Accepted | TocsinError]:
        """Return the results of items that need no insert."""
        results: dict[UUID, Accepted | TocsinError] = {}
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

    async def _store(
        self, uow: UnitOfWork, items: Sequence[NewNotification], results: dict[UUID, Accepted | TocsinError]
    ) -> None:
        if not items:
            return
        versions = await uow.intake.store(items)
        if len(versions) < len(items):
            raise _Conflict
        results.update((item.id, Accepted(_stored(item, versions[item.id]), replayed=False)) for item in items)
        uow.after_commit(lambda: self._doorbell.ring([item.id for item in items]))


def _new(draft: NotificationDraft, api_key_id: UUID) -> NewNotification:
    mark = None
    if draft.idempotency_key is not None:
        mark = IdempotencyMark(api_key_id, draft.idempotency_key, _fingerprint(draft))
    return NewNotification(
        id=new_notification_id(),
        user_id=draft.user_id,
        title=draft.title,
        text=draft.text,
        source=draft.source,
        link=draft.link,
        data=draft.data,
        mark=mark,
        request_id=current_request_id(),
    )


def _fingerprint(draft: NotificationDraft) -> bytes:
    body = [str(draft.user_id), draft.title, draft.text, draft.source, draft.link, draft.data]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()


def _identity(item: NewNotification) -> object:
    return (item.mark.api_key_id, item.mark.key) if item.mark else item.id


def _first_of_twins(items: Sequence[NewNotification]) -> dict[object, NewNotification]:
    first: dict[object, NewNotification] = {}
    for item in items:
        first.setdefault(_identity(item), item)
    return first


def _twin_of(item: NewNotification, result: Accepted | TocsinError, first: NewNotification) -> Accepted | TocsinError:
    """Return the result of ``item``, whose key ``first`` of the same batch used before it."""
    if isinstance(result, TocsinError):
        return result
    same = item.mark is not None and first.mark is not None and item.mark.fingerprint == first.mark.fingerprint
    return Accepted(result.notification, replayed=True) if same else IdempotencyKeyReused(())


def _raise_first_errors(items: Sequence[NewNotification], results: dict[UUID, Accepted | TocsinError]) -> None:
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


def _count(results: Sequence[Accepted | TocsinError]) -> None:
    replayed = sum(isinstance(result, Accepted) and result.replayed for result in results)
    REPLAYED.inc(replayed)
    CREATED.inc(sum(isinstance(result, Accepted) for result in results) - replayed)
