"""Listings, rendered once per version of an inbox.

The key of a rendered page holds the version of its inbox, so nothing is ever invalidated: a change makes the old
pages unreachable. The same key, hashed, is the ETag.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tocsin import __version__
from tocsin.coalescer import Coalescer
from tocsin.errors import FieldError, SearchMissing
from tocsin.models.api_key import Scope
from tocsin.repositories.inboxes import Clock
from tocsin.repositories.notification_pages import Keyset, NotificationFilter, Order
from tocsin.repositories.notification_rows import NotificationRow
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.access import Caller, InboxCaller
from tocsin.services.cursors import CursorCodec, canonical
from tocsin.services.ports import PageCache
from tocsin.services.search_pages import SearchPages
from tocsin.services.turnstile import Turnstile
from tocsin.telemetry import BATCH_ITEMS

_MAX_CACHED_BYTES: Final = 64 * 1024
_MAX_WAITING: Final = 10_000


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of which listing."""

    wanted: NotificationFilter
    order: Order
    limit: int
    cursor: str | None = None

    @property
    def cacheable(self) -> bool:
        """Whether others are likely to ask for the very same page."""
        wanted = self.wanted
        return (self.cursor, wanted.created_after, wanted.created_before, wanted.search) == (None,) * 4


@dataclass(frozen=True, slots=True)
class Page:
    """Some notifications and the cursor of the next page, if there is one."""

    items: Sequence[NotificationRow]
    next_cursor: str | None


Render = Callable[[Page], bytes]


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page as it is sent; ``body`` None means that the caller has it already. Listings across inboxes have no tag."""

    body: bytes | None
    etag: str | None


class PageService:
    """Lists notifications."""

    def __init__(
        self, database: Database, cache: PageCache, cursors: CursorCodec, turnstile: Turnstile, search: SearchPages
    ) -> None:
        self._database = database
        self._cache = cache
        self._cursors = cursors
        self._turnstile = turnstile
        self._search = search
        self._clocks: Coalescer[UUID, Clock] = Coalescer(
            self._read_clocks,
            max_batch=_MAX_WAITING,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("clocks").observe,
        )

    async def page(
        self, caller: Caller, query: PageQuery, render: Render, known: Callable[[str], bool]
    ) -> RenderedPage:
        """Return the page, unless ``known`` says that the caller has the one with this ETag.

        Raises:
            InvalidCursor: the cursor belongs to another listing.
            SearchMissing: it is to be by relevance, and nothing is searched.
        """
        wanted = query.wanted
        if query.order is Order.RELEVANCE and wanted.search is None:
            found = FieldError("/order", "relevance is an order of what a search finds; add q", "query")
            raise SearchMissing([found])
        if wanted.user_id is None:
            caller.require(Scope.READ)
            return RenderedPage(render(await self._read_across(query)), None)
        caller.require_inbox(wanted.user_id, Scope.READ)
        # A cursor that is not ours must fail, whatever the tag.
        self._after(query)
        key = _key(await self._clocks.submit(wanted.user_id), caller, query)
        if known(_etag(key)):
            return RenderedPage(None, _etag(key))
        if query.cacheable and (body := await self._cache.get(key)) is not None:
            return RenderedPage(body, _etag(key))
        return await self._render(caller, query, wanted.user_id, render)

    async def _render(self, caller: Caller, query: PageQuery, user_id: UUID, render: Render) -> RenderedPage:
        async with self._turnstile.passage():
            clock, page = await self._read_inbox(query, user_id)
        key = _key(clock, caller, query)
        body = render(page)
        if query.cacheable and len(body) <= _MAX_CACHED_BYTES:
            await self._cache.set(key, body)
        return RenderedPage(body, _etag(key))

    async def _read_inbox(self, query: PageQuery, user_id: UUID) -> tuple[Clock, Page]:
        after = self._after(query)
        if query.wanted.search is None:
            clock, found = await self._database.read(
                lambda uow: uow.pages.page_of_inbox(query.wanted, query.order, after, query.limit + 1)
            )
            return clock, self._page(query, found)

        async def work(uow: UnitOfWork) -> tuple[Clock, Page]:
            return (await uow.inboxes.clocks([user_id]))[user_id], await self._find(uow, query, after)

        return await self._database.snapshot(work)

    async def _read_across(self, query: PageQuery) -> Page:
        after = self._after(query)
        async with self._turnstile.passage():
            if query.wanted.search is not None:
                return await self._database.snapshot(lambda uow: self._find(uow, query, after))
            found = await self._database.read(
                lambda uow: uow.pages.page(query.wanted, query.order, after, query.limit + 1)
            )
        return self._page(query, found)

    async def _find(self, uow: UnitOfWork, query: PageQuery, after: Keyset | None) -> Page:
        found = await self._search.find(uow, query.wanted, query.order, after, query.limit)
        rows = await uow.notifications.rows(found.ids) if found.ids else {}
        end = self._cursors.encode(found.end, query.wanted, query.order) if found.end else None
        return Page([rows[notification_id] for notification_id in found.ids], end)

    def _page(self, query: PageQuery, found: Sequence[NotificationRow]) -> Page:
        page = found[: query.limit]
        if len(found) <= query.limit:
            return Page(page, None)
        end = Keyset(page[-1].id, page[-1].severity)
        return Page(page, self._cursors.encode(end, query.wanted, query.order))

    def _after(self, query: PageQuery) -> Keyset | None:
        return self._cursors.decode(query.cursor, query.wanted, query.order) if query.cursor is not None else None

    async def _read_clocks(self, user_ids: Sequence[UUID]) -> Sequence[Clock]:
        clocks = await self._database.read(lambda uow: uow.inboxes.clocks(set(user_ids)))
        return [clocks[user_id] for user_id in user_ids]


def own_inbox(caller: Caller, wanted: UUID | None) -> UUID | None:
    """Return the inbox to list: an inbox token means its own, a service key without one means all."""
    return caller.user_id if wanted is None and isinstance(caller, InboxCaller) else wanted


def _key(clock: Clock, caller: Caller, query: PageQuery) -> str:
    parts = (
        clock.epoch.hex,
        __version__,
        caller.kind,
        clock.version,
        canonical(query.wanted),
        query.order.value,
        query.limit,
        query.cursor,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _etag(key: str) -> str:
    return f'"{key[:32]}"'
