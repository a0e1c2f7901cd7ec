"""The epoch: which history the versions of all inboxes belong to."""

from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base


class Epoch(Base):
    """One random value in one row, renewed when a backup was restored, so that positions of a lost future are known."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("id = 1", "one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default="1")
    value: Mapped[UUID]
