"""Searches: which notifications are on a page of what a query finds, with bounded work however common its words are.

A search begins with a *glance* at the next notifications in the order of the page: that finds what is common, and is
all there is to do in a small inbox. What is rarer is *gathered* by the full text index, unless it is too much to be
read and sorted. What is neither is sought by *walking* on, up to a bound; then the page is short, and its end says
where to go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from tocsin.repositories.notification_pages import Keyset, NotificationFilter, Order
from tocsin.repositories.search_pages import Hit, Search
from tocsin.repositories.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """How many notifications one page may read: by a glance, gathered, by walking on; and how many are ranked."""

    glanced: int = 1_000
    gathered: int = 10_000
    walked: int = 10_000
    ranked: int = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of a page in its order, and where the next one begins, if there may be one."""

    ids: Sequence[UUID]
    end: Keyset | None


_NOTHING: Final = Found((), None)


class SearchPages:
    """Pages of searches."""

    def __init__(self, bounds: SearchBounds | None = None) -> None:
        self._bounds = bounds or SearchBounds()

    async def find(
        self, uow: UnitOfWork, wanted: NotificationFilter, order: Order, after: Keyset | None, limit: int
    ) -> Found:
        """Return the page of at most ``limit`` that follows ``after``; shorter ones need not be the last.

        ``wanted`` must have a search, ``uow`` be a transaction, and best a snapshot.
        """
        query = wanted.search
        if query is None:
            raise ValueError("There is nothing to search for.")
        if query.matching is None:
            return _NOTHING
        search = Search(wanted, order, query.matching, query.required_in(wanted.user_id))
        if order is Order.RELEVANCE:
            return await self._best(uow, search, after, limit)
        return await self._next(uow, search, after, limit)

    async def _next(self, uow: UnitOfWork, search: Search, after: Keyset | None, limit: int) -> Found:
        if after is not None and after.frequent:
            return await self._walk_on(uow, search, [], after, limit, frequent=True)
        bounds = self._bounds
        hits = await uow.search_pages.walk(search, after, bounds.glanced, limit + 1)
        if len(hits) > limit:
            return _page(hits, limit)
        end = await uow.search_pages.walk_end(search, after, bounds.glanced)
        if end is None:
            return _page(hits, limit)
        # If it goes on like this, the page is full before the walk is over, and all need not be gathered.
        promising = len(hits) * bounds.walked > limit * bounds.glanced
        if search.required is not None and not promising:
            gathered = await uow.search_pages.gather(search, after, bounds.gathered, limit + 1)
            if gathered is not None:
                return _page(gathered, limit)
        return await self._walk_on(uow, search, hits, end, limit, frequent=not promising)

    async def _walk_on(
        self, uow: UnitOfWork, search: Search, hits: list[Hit], after: Keyset, limit: int, *, frequent: bool
    ) -> Found:
        hits += await uow.search_pages.walk(search, after, self._bounds.walked, limit + 1 - len(hits))
        if len(hits) > limit:
            return _page(hits, limit, frequent=frequent)
        end = await uow.search_pages.walk_end(search, after, self._bounds.walked)
        return Found([hit.id for hit in hits], replace(end, frequent=frequent) if end else None)

    async def _best(self, uow: UnitOfWork, search: Search, after: Keyset | None, limit: int) -> Found:
        bounds = self._bounds
        frequent = search.required is None or (after is not None and after.frequent)
        if not frequent:
            found = await uow.search_pages.rank_gathered(search, after, bounds.gathered, bounds.ranked, limit + 1)
            if found is not None:
                return _page(found, limit)
        found = await uow.search_pages.rank_walked(search, after, bounds.walked, bounds.ranked, limit + 1)
        return _page(found, limit, frequent=True)


def _page(hits: Sequence[Hit], limit: int, *, frequent: bool = False) -> Found:
    ids = [hit.id for hit in hits[:limit]]
    if len(hits) <= limit:
        return Found(ids, None)
    last = hits[limit - 1]
    return Found(ids, Keyset(last.id, last.severity, frequent, last.rank, last.newest))
