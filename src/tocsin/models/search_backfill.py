"""How far search has got with the notifications that were there before it."""

from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base


class SearchBackfill(Base):
    """One row, as long as there is work: notifications with a lower id than ``before`` are still to be looked at."""

    __tablename__ = "search_backfill"
    __table_args__ = (CheckConstraint("id = 1", "one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default="1")
    before: Mapped[UUID]
