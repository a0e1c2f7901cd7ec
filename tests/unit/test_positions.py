"""Positions are read only if we wrote them."""

import contextlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InvalidPosition
from tocsin.services.positions import Position

EPOCH = UUID("4c17216d-7d87-4052-b5b3-bb47f4aea759")


@given(epoch=st.uuids(), version=st.integers(0, 2**63 - 1))
def test_what_was_written_is_read(epoch: UUID, version: int) -> None:
    position = Position(epoch, version)

    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "5",
        f"{EPOCH.hex}",
        f"{EPOCH.hex}.",
        f"{EPOCH.hex}.-1",
        f"{EPOCH.hex}.1.2",
        f"{EPOCH.hex}.01",
        f"{EPOCH.hex}.１",
        f"{EPOCH}.1",
        f"{EPOCH.hex.upper()}.1",
        f"{EPOCH.hex}.9223372036854775808",
        f"{EPOCH.hex}.{'9' * 40}",
        f"{EPOCH.hex} .1",
        f"g{EPOCH.hex[1:]}.1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidPosition):
        Position.parse(text)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(InvalidPosition):
        assert str(Position.parse(text)) == text
