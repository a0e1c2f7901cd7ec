"""Creation of any number of notifications, in batches that the service takes."""

import asyncio
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Final

from tocsin.client.errors import FieldProblem, Problem
from tocsin.client.models import Batch, Created, Draft
from tocsin.client.transport import Transport

BATCH_MAX: Final = 1_000
BATCH_MAX_BYTES: Final = 1_000_000
"""The service takes more unless configured otherwise, but neither end should be busy with one batch for long."""

_POINTER: Final = re.compile(r"/items/([0-9]+)(/.*)?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft that the service does not take, with its index among all; pointers of ``errors`` are inside the draft."""

    index: int
    draft: Draft
    errors: tuple[FieldProblem, ...]


OnRefused = Callable[[Refusal], None]


@dataclass(frozen=True, slots=True)
class _Item:
    index: int
    draft: Draft
    body: bytes


def new_key() -> str:
    """Return an idempotency key that nobody has used."""
    return secrets.token_hex(16)


def encode(draft: Draft, idempotency_key: str | None = None) -> bytes:
    """Return the JSON of ``draft``, with ``idempotency_key`` as a member unless it is None.

    Raises:
        ValueError: ``data`` has NaN or infinite numbers.
        TypeError: ``data`` has what JSON does not know.
    """
    # By the fields of Draft: a subclass may know more of its drafts than the service wants to hear.
    members = {field.name: getattr(draft, field.name) for field in fields(Draft)}
    members |= {"user_id": str(draft.user_id), "idempotency_key": idempotency_key}
    document = {name: value for name, value in members.items() if value is not None}
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # lone surrogates: the service will say which field has them
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


async def create_many(
    transport: Transport,
    drafts: Iterable[Draft] | AsyncIterable[Draft],
    key_prefix: str | None,
    on_refused: OnRefused | None,
) -> AsyncGenerator[Created, None]:
    """Create all ``drafts`` and yield what was made, in their order; see `TocsinClient.create_many`."""
    async with aclosing(_chunks(drafts, key_prefix or new_key())) as chunks:
        async for chunk in chunks:
            pending = deque([chunk])
            while pending:
                for created in await _create(transport, pending, on_refused):
                    yield created


async def _create(transport: Transport, pending: deque[list[_Item]], on_refused: OnRefused | None) -> Sequence[Created]:
    """Create the first batch of ``pending``; put back its halves if it is too much, or the rest if some is refused."""
    items = pending.popleft()
    if not items:
        return ()
    body = b'{"items":[%b]}' % b",".join(item.body for item in items)
    try:
        batch, _ = await transport.call(Batch, "POST", "/notifications/batch", body=body)
    except Problem as problem:
        if len(items) > 1 and _is_too_much(problem):
            middle = len(items) // 2
            pending.extendleft((items[middle:], items[:middle]))
        else:
            pending.appendleft(_without_refused(items, problem, on_refused))
        return ()
    replayed = set(batch.replayed)
    return [
        created.model_copy(update={"replayed": True}) if place in replayed else created
        for place, created in enumerate(batch.items)
    ]


def _is_too_much(problem: Problem) -> bool:
    """Tell whether fewer might be taken: the body is too large, or the items are more than a rate limit ever allows."""
    return problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or any(
        error.pointer == "/items" for error in problem.errors
    )


def _without_refused(items: list[_Item], problem: Problem, on_refused: OnRefused | None) -> list[_Item]:
    """Tell of what ``problem`` names, and return the rest.

    Raises:
        Problem: it names nothing, or nobody wants to be told.
    """
    refused: dict[int, list[FieldProblem]] = {}
    for error in problem.errors:
        found = _POINTER.fullmatch(error.pointer)
        if found and int(found[1]) < len(items):
            refused.setdefault(int(found[1]), []).append(FieldProblem(error.location, found[2] or "", error.detail))
    if not refused or on_refused is None:
        raise problem.with_errors(
            [
                FieldProblem(error.location, f"/items/{items[place].index}{error.pointer}", error.detail)
                for place, errors in refused.items()
                for error in errors
            ]
            or problem.errors
        )
    for place, errors in refused.items():
        on_refused(Refusal(items[place].index, items[place].draft, tuple(errors)))
    return [item for place, item in enumerate(items) if place not in refused]


async def _chunks(drafts: Iterable[Draft] | AsyncIterable[Draft], prefix: str) -> AsyncGenerator[list[_Item], None]:
    chunk: list[_Item] = []
    size = 0
    async with aclosing(_bunches(drafts)) as bunches:
        index = 0
        async for bunch in bunches:
            for draft in bunch:
                item = _Item(index, draft, encode(draft, draft.idempotency_key or f"{prefix}#{index}"))
                index += 1
                if chunk and (len(chunk) == BATCH_MAX or size + len(item.body) >= BATCH_MAX_BYTES):
                    yield chunk
                    chunk, size = [], 0
                chunk.append(item)
                size += len(item.body) + 1
            yield chunk
            chunk, size = [], 0


async def _bunches(drafts: Iterable[Draft] | AsyncIterable[Draft]) -> AsyncGenerator[list[Draft], None]:
    """Yield what there is: of what comes bit by bit, nothing waits for what is not there yet."""
    if isinstance(drafts, Iterable):
        for bunch in _sliced(drafts):
            yield bunch
        return
    queue: asyncio.Queue[Draft | None] = asyncio.Queue(BATCH_MAX)
    pump = asyncio.create_task(_pump(drafts, queue))
    try:
        more = True
        while more:
            bunch = []
            draft = await queue.get()
            while draft is not None:
                bunch.append(draft)
                if queue.empty() or len(bunch) == BATCH_MAX:
                    break
                draft = queue.get_nowait()
            else:
                more = False
            if bunch:
                yield bunch
        await pump
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


async def _pump(drafts: AsyncIterable[Draft], queue: "asyncio.Queue[Draft | None]") -> None:
    try:
        async for draft in drafts:
            await queue.put(draft)
    except Exception:
        await queue.put(None)
        raise
    await queue.put(None)


def _sliced(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    bunch: list[Draft] = []
    for draft in drafts:
        bunch.append(draft)
        if len(bunch) == BATCH_MAX:
            yield bunch
            bunch = []
    if bunch:
        yield bunch
