"""SQL of searches: pages of what matches, found in two ways.

*Walking* goes through notifications in the order of the page, along the index of an ordinary listing, and looks at the
words of each. *Gathering* asks the full text index for all that match and sorts them. What a walk or a gathering may
read is bounded by whoever asks. The planner is not left a choice between the two: it knows how common a word is, but
neither where in time it occurs nor in whose inbox.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    REAL,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    UnaryExpression,
    Uuid,
    bindparam,
    func,
    literal,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import TSQUERY

from tocsin.models.notification import Notification
from tocsin.models.notification_search import NotificationSearch
from tocsin.repositories.handle import Handle
from tocsin.repositories.notification_pages import (
    AFTER,
    Keyset,
    NotificationFilter,
    Order,
    conditions,
    ordering,
    page_statement,
    restrictions,
)

_FORMS: Final = 256
_TABLE: Final = cast("Table", Notification.__table__)
_WORDS: Final = cast("Table", NotificationSearch.__table__)
_HITS: Final = bindparam("hits", type_=Integer)
_BY_LENGTH: Final = 1
"""How `ts_rank` normalizes: divided by one more than the logarithm of the number of lexemes."""
# A sequential scan stops early if matches are everywhere, and reads everything if they are at the end.
_BY_INDEX: Final = text("SET LOCAL enable_seqscan = off")


class Hit(NamedTuple):
    """A notification that matches; its ``rank`` is one among those up to the ``newest``."""

    id: UUID
    severity: int
    rank: float = 0
    newest: UUID | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What is sought: ``matching`` and ``required`` are a ``tsquery`` each, see `tocsin.models.search_query`."""

    wanted: NotificationFilter
    order: Order
    matching: str
    required: str | None


def _tsquery(name: str) -> ColumnElement[Any]:
    return sql_cast(bindparam(name, type_=Text), TSQUERY)


def _matches(document: ColumnElement[Any]) -> ColumnElement[bool]:
    return document.bool_op("@@")(_tsquery("matching"))


def _joined_to_words(walked: Subquery) -> Select[Any]:
    """Select of ``walked`` what matches; the words are read by their key, whatever the planner makes of the query."""
    words = select(_WORDS.c.document).where(_WORDS.c.notification_id == walked.c.id, _matches(_WORDS.c.document))
    found = words.offset(0).lateral("words")
    return select(walked.c.id, walked.c.severity, found.c.document).join_from(walked, found, true())


def _walk(names: frozenset[str], order: Order, *, later: bool) -> Select[Any]:
    # An index of ids alone knows no severity, and nobody needs it who does not sort by it.
    severity = _TABLE.c.severity if order is Order.SEVERITY else literal(0).label("severity")
    return page_statement(names, order, later=later).with_only_columns(_TABLE.c.id, severity)


def _gather(names: frozenset[str], after: ColumnElement[bool] | None) -> tuple[Subquery, Select[Any]]:
    """Return how many there are that may match, up to one more than ``bound``; and those that do, unless it is more."""
    required = _WORDS.c.document.bool_op("@@")(_tsquery("required"))
    candidates = (
        select(_WORDS.c.notification_id, _WORDS.c.document)
        .where(required)
        .limit(bindparam("bound", type_=Integer) + 1)
        .cte("candidates")
        .prefix_with("MATERIALIZED")
    )
    counted = select(func.count().label("gathered")).select_from(candidates).subquery("counted")
    terms = [_TABLE.c.id == candidates.c.notification_id, *conditions(names), *([] if after is None else [after])]
    kept = select(_TABLE.c.id, _TABLE.c.severity).where(*terms).offset(0).lateral("kept")
    few = select(counted.c.gathered).scalar_subquery() <= bindparam("bound", type_=Integer)
    found = select(kept.c.id, kept.c.severity, candidates.c.document).join_from(candidates, kept, true())
    return counted, found.where(few, _matches(candidates.c.document))


def _rank(found: Select[Any], newest: ColumnElement[Any] | None, *, later: bool) -> Select[Any]:
    """Rank the newest ``ranked`` of those that were found, and select a page of them.

    They were found among what is not newer than ``newest``; without one, than the newest of them.
    """
    newest_first = found.order_by(ordering(Order.NEWEST, of_inbox=False, columns=found.selected_columns)[0])
    chosen = newest_first.limit(bindparam("ranked", type_=Integer)).subquery("chosen")
    ranks = select(
        chosen.c.id,
        chosen.c.severity,
        func.ts_rank(chosen.c.document, _tsquery("matching"), _BY_LENGTH, type_=REAL).label("rank"),
        (func.first_value(chosen.c.id).over(order_by=chosen.c.id.desc()) if newest is None else newest).label("newest"),
    ).subquery("ranks")
    page = select(ranks).order_by(*_best_first(ranks)).limit(_HITS)
    if not later:
        return page
    end = tuple_(bindparam("after_rank", type_=REAL), bindparam("after_id", type_=Uuid))
    return page.where(tuple_(ranks.c.rank, ranks.c.id) < end)


def _best_first(ranks: Subquery) -> tuple[UnaryExpression[Any], ...]:
    return ranks.c.rank.desc(), ranks.c.id.desc()


# To build a statement takes longer than to have it run, so each form of it is built once.
@lru_cache(_FORMS)
def walk_statement(names: frozenset[str], order: Order, *, later: bool) -> Select[Any]:
    """Return the SQL of the first ``hits`` that match among the next ``limit`` notifications."""
    walked = _walk(names, order, later=later).subquery("walked")
    keys = ordering(order, of_inbox="of_user" in names, columns=walked.c)
    return _joined_to_words(walked).with_only_columns(walked.c.id, walked.c.severity).order_by(*keys).limit(_HITS)


@lru_cache(_FORMS)
def walk_end_statement(names: frozenset[str], order: Order, *, later: bool) -> Select[Any]:
    """Return the SQL of what follows the first ``skipped`` of those, ``limit`` at most."""
    return _walk(names, order, later=later).offset(bindparam("skipped", type_=Integer))


@lru_cache(_FORMS)
def gather_statement(names: frozenset[str], order: Order, *, later: bool) -> Select[Any]:
    """Return the SQL of the first ``hits`` of all that match, each beside the number of candidates."""
    counted, found = _gather(names, AFTER[order] if later else None)
    keys = ordering(order, of_inbox=False, columns=found.selected_columns)
    page = found.order_by(*keys).limit(_HITS).subquery("page")
    beside = select(counted.c.gathered, page.c.id, page.c.severity).outerjoin_from(counted, page, true())
    return beside.order_by(*ordering(order, of_inbox=False, columns=page.c))


@lru_cache(_FORMS)
def rank_gathered_statement(names: frozenset[str], *, later: bool) -> Select[Any]:
    """Return the SQL of the best ``hits`` of all that match, each beside the number of candidates."""
    counted, found = _gather(names, None)
    page = _rank(found, None, later=later).subquery("page")
    beside = select(counted.c.gathered, *page.c).outerjoin_from(counted, page, true())
    return beside.order_by(*_best_first(page))


@lru_cache(_FORMS)
def rank_walked_statement(names: frozenset[str], *, later: bool) -> Select[Any]:
    """Return the SQL of the best ``hits`` among the newest ``limit`` notifications."""
    walk = _walk(names, Order.NEWEST, later=False)
    newest = walk.with_only_columns(_TABLE.c.id).limit(1).scalar_subquery()
    return _rank(_joined_to_words(walk.subquery("walked")), newest, later=later)


class SearchPageRepository:
    """Searches of one unit of work. It must be a transaction, for which it changes how PostgreSQL plans."""

    def __init__(self, handle: Handle) -> None:
        self._connection = handle.connection

    async def walk(self, search: Search, after: Keyset | None, rows: int, limit: int) -> list[Hit]:
        """Return the first ``limit`` that match among the ``rows`` notifications that follow ``after``."""
        values = restrictions(search.wanted)
        statement = walk_statement(frozenset(values), search.order, later=after is not None)
        parameters = {**values, **_following(after), "limit": rows, "hits": limit, "matching": search.matching}
        return [Hit(*row) for row in await self._connection.execute(statement, parameters)]

    async def walk_end(self, search: Search, after: Keyset | None, rows: int) -> Keyset | None:
        """Return where those ``rows`` end; None if nothing follows them."""
        values = restrictions(search.wanted)
        statement = walk_end_statement(frozenset(values), search.order, later=after is not None)
        parameters = {**values, **_following(after), "skipped": rows - 1, "limit": 2}
        found = (await self._connection.execute(statement, parameters)).all()
        return Keyset(found[0].id, found[0].severity) if len(found) > 1 else None

    async def gather(self, search: Search, after: Keyset | None, bound: int, limit: int) -> list[Hit] | None:
        """Return the first ``limit`` of all that match after ``after``; None if more than ``bound`` may match."""
        values = restrictions(search.wanted)
        statement = gather_statement(frozenset(values), search.order, later=after is not None)
        parameters = {**values, **_following(after), "bound": bound, "hits": limit}
        return await self._gathered(search, statement, parameters)

    async def rank_gathered(
        self, search: Search, after: Keyset | None, bound: int, ranked: int, limit: int
    ) -> list[Hit] | None:
        """Return the best ``limit`` after ``after`` of the newest ``ranked`` that match; None as for `gather`."""
        values = {**restrictions(search.wanted), **_not_newer(after)}
        statement = rank_gathered_statement(frozenset(values), later=after is not None)
        parameters = {**values, **_following(after), "bound": bound, "ranked": ranked, "hits": limit}
        return await self._gathered(search, statement, parameters)

    async def rank_walked(self, search: Search, after: Keyset | None, rows: int, ranked: int, limit: int) -> list[Hit]:
        """Return the same of those that match among the newest ``rows`` notifications."""
        values = {**restrictions(search.wanted), **_not_newer(after)}
        statement = rank_walked_statement(frozenset(values), later=after is not None)
        parameters = {**values, **_following(after), "limit": rows, "ranked": ranked, "hits": limit}
        rows_found = await self._connection.execute(statement, parameters | {"matching": search.matching})
        return [Hit(*row) for row in rows_found]

    async def _gathered(self, search: Search, statement: Select[Any], parameters: dict[str, Any]) -> list[Hit] | None:
        await self._connection.execute(_BY_INDEX)
        words = {"required": search.required, "matching": search.matching}
        found = (await self._connection.execute(statement, parameters | words)).all()
        if found[0].gathered > parameters["bound"]:
            return None
        # Without hits there still is the row of the number.
        return [Hit(*row[1:]) for row in found if row[1] is not None]


def _following(after: Keyset | None) -> dict[str, Any]:
    return {"after_id": after.id, "after_severity": after.severity, "after_rank": after.rank} if after else {}


def _not_newer(after: Keyset | None) -> dict[str, Any]:
    return {"newest_id": after.newest} if after else {}
