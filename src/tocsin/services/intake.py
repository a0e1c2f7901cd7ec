"""Intake: takes notifications in, many callers in one transaction, each at most once.

Everything that is accepted is stored together with the promise of its analysis; the doorbell rings after the commit.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from tocsin.coalescer import Write
from tocsin.errors import DatabaseUnavailable, UnstorableInput
from tocsin.models.api_key import Scope
from tocsin.models.notification import new_notification_id
from tocsin.models.notification_search import search_document
from tocsin.repositories.intake import IdempotencyMark, NewNotification
from tocsin.repositories.unit_of_work import CommitUnknown, Database, LockTimeout
from tocsin.services.access import Caller, require_service
from tocsin.services.intake_attempt import Accepted, Conflict, IntakeAttempt, Manner
from tocsin.services.intake_lanes import InboxHeld, IntakeLanes
from tocsin.services.ports import Doorbell
from tocsin.telemetry import CREATED, INTAKE_WAITING, REPLAYED, current_request_id
from tocsin.tracing import current_traceparent

_MOMENT: Final = timedelta(milliseconds=100)
"""How long a batch waits for an inbox before it goes without it; what is quick has let go of it by then."""
_QUICK: Final = Manner(patience=_MOMENT)
_WHAT_IS_FREE: Final = Manner(patience=_MOMENT, only_free=True)
_PATIENT: Final = Manner()
_ALL_OR_NONE: Final = Manner(all_or_none=True)
_CONFLICT_ATTEMPTS: Final = 5
_AT_ONCE: Final = 10
"""Drafts of a batch that are made ready before others get a turn; the longest takes two milliseconds."""


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


class IntakeService:
    """Accepts notifications."""

    def __init__(self, database: Database, doorbell: Doorbell, max_waiting: int) -> None:
        self._database = database
        self._doorbell = doorbell
        self._lanes: IntakeLanes[Accepted] = IntakeLanes(self._write_quickly, self._write_patiently, max_waiting)
        INTAKE_WAITING.set_function(lambda: self._lanes.waiting)

    async def accept(self, caller: Caller, draft: NotificationDraft) -> Accepted:
        """Store one notification.

        Raises:
            Forbidden: the caller may not create.
            IdempotencyKeyReused: the key stands for another body.
            Unavailable: nothing was stored, as far as is known; with an idempotency key a repeat is safe.
        """
        key_id = require_service(caller, Scope.WRITE).key_id
        return await self._lanes.submit(_new(draft, key_id))

    async def accept_all(self, caller: Caller, drafts: Sequence[NotificationDraft]) -> list[Accepted]:
        """Store all of ``drafts`` in one transaction, or none; errors name the item."""
        key_id = require_service(caller, Scope.WRITE).key_id
        items: list[NewNotification] = []
        for draft in drafts:
            items.append(_new(draft, key_id))
            if len(items) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        results = await self._store(items, _ALL_OR_NONE)
        return [result for result in results if isinstance(result, Accepted)]

    async def drain(self) -> None:
        """Wait until everything handed in is stored."""
        await self._lanes.drain()

    async def _write_quickly(self, items: Sequence[NewNotification]) -> Sequence[Accepted | Exception]:
        for manner in (_QUICK, _WHAT_IS_FREE):
            try:
                return await self._write(items, manner, self._write_quickly)
            except LockTimeout:
                continue
        # It was no inbox, but a twin that somebody else is about to store.
        return [InboxHeld()] * len(items)

    async def _write_patiently(self, items: Sequence[NewNotification]) -> Sequence[Accepted | Exception]:
        return await self._write(items, _PATIENT, self._write_patiently)

    async def _write(
        self, items: Sequence[NewNotification], manner: Manner, write_alone: Write[NewNotification, Accepted]
    ) -> Sequence[Accepted | Exception]:
        try:
            return await self._store(items, manner)
        except UnstorableInput as error:
            if len(items) == 1:
                return [error]
        # One of them is to blame; the others must not suffer.
        return [outcome for item in items for outcome in await write_alone([item])]

    async def _store(self, items: Sequence[NewNotification], manner: Manner) -> Sequence[Accepted | Exception]:
        maybe_stored = unknown = False
        for _ in range(_CONFLICT_ATTEMPTS):
            attempt = IntakeAttempt(items, self._doorbell, manner, maybe_stored=maybe_stored)
            try:
                results = await self._database.transaction(attempt)
            except Conflict:
                # What is in the way may be our own, if a commit was unknown when somebody else lost patience.
                maybe_stored = True
                continue
            except CommitUnknown:
                if unknown:
                    raise
                maybe_stored = unknown = True
                continue
            _count(results)
            return results
        raise DatabaseUnavailable("Other calls with the same idempotency keys are in the way; try again.")


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
        traceparent=current_traceparent(),
        document=search_document(draft.user_id, draft.title, draft.source, draft.text),
    )


def _fingerprint(draft: NotificationDraft) -> bytes:
    body = [str(draft.user_id), draft.title, draft.text, draft.source, draft.link, draft.data]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()


def _count(results: Sequence[Accepted | Exception]) -> None:
    replayed = sum(isinstance(result, Accepted) and result.replayed for result in results)
    REPLAYED.inc(replayed)
    CREATED.inc(sum(isinstance(result, Accepted) for result in results) - replayed)
