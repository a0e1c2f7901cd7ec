"""Cursors are read only by those filters and that order they were issued for."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InvalidCursor
from tocsin.models.notification import ProcessingStatus
from tocsin.models.search_query import SearchQuery
from tocsin.models.verdict import Category
from tocsin.repositories.notification_pages import Keyset, NotificationFilter, Order
from tocsin.services.cursors import CursorCodec

USER = UUID("018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01")
WANTED = NotificationFilter(user_id=USER)
KEYSET = Keyset(UUID("018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e02"), 3)
CODEC = CursorCodec("a" * 64)


@given(
    keyset=st.builds(
        Keyset,
        st.uuids(),
        st.integers(0, 3),
        frequent=st.booleans(),
        rank=st.floats(0, 1, width=32),
        newest=st.uuids(),
    ),
    order=st.sampled_from(Order),
)
def test_what_was_written_is_read(keyset: Keyset, order: Order) -> None:
    if order is not Order.RELEVANCE:
        keyset = Keyset(keyset.id, keyset.severity, keyset.frequent)

    assert CODEC.decode(CODEC.encode(keyset, WANTED, order), WANTED, order) == keyset


@pytest.mark.parametrize(
    "other",
    [
        NotificationFilter(),
        replace(WANTED, category=Category.INFO),
        replace(WANTED, status=ProcessingStatus.FAILED),
        replace(WANTED, read=False),
        replace(WANTED, min_confidence=0.5),
        replace(WANTED, created_after=datetime(2026, 1, 1, tzinfo=UTC)),
        replace(WANTED, created_before=datetime(2026, 1, 1, tzinfo=UTC)),
        replace(WANTED, search=SearchQuery.parse("words")),
    ],
    ids=str,
)
def test_other_filters_refuse_it(other: NotificationFilter) -> None:
    with pytest.raises(InvalidCursor):
        CODEC.decode(CODEC.encode(KEYSET, WANTED, Order.NEWEST), other, Order.NEWEST)


def test_another_order_refuses_it() -> None:
    with pytest.raises(InvalidCursor):
        CODEC.decode(CODEC.encode(KEYSET, WANTED, Order.NEWEST), WANTED, Order.OLDEST)


def test_a_cursor_is_read_while_its_secret_is_the_previous_one() -> None:
    cursor = CODEC.encode(KEYSET, WANTED, Order.NEWEST)
    renewed = CursorCodec("b" * 64, "a" * 64)

    assert renewed.decode(cursor, WANTED, Order.NEWEST) == KEYSET
    assert renewed.encode(KEYSET, WANTED, Order.NEWEST) == CursorCodec("b" * 64).encode(KEYSET, WANTED, Order.NEWEST)


def test_another_secret_refuses_it() -> None:
    with pytest.raises(InvalidCursor):
        CursorCodec("b" * 64).decode(CODEC.encode(KEYSET, WANTED, Order.NEWEST), WANTED, Order.NEWEST)


@pytest.mark.parametrize("position", range(0, 33, 4))
def test_a_changed_byte_is_noticed(position: int) -> None:
    cursor = CODEC.encode(KEYSET, WANTED, Order.NEWEST)
    changed = "A" if cursor[position] != "A" else "B"

    with pytest.raises(InvalidCursor):
        CODEC.decode(cursor[:position] + changed + cursor[position + 1 :], WANTED, Order.NEWEST)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(InvalidCursor):
        CODEC.decode(text, WANTED, Order.NEWEST)
