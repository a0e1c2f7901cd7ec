"""What of an inbox is wanted; all members may be left out, and None is as good as that."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from tocsin.client.models import Category, Order, ProcessingStatus


class Selection(TypedDict, total=False):
    """Conditions that all must hold."""

    category: Category | str | None
    """Judged so."""
    status: ProcessingStatus | str | None
    """So far in its analysis."""
    min_confidence: float | None
    """Judged with at least this, within 0..1."""
    created_after: datetime | None
    """Exclusive, with a time zone."""
    created_before: datetime | None
    """Likewise."""


class Filters(Selection, total=False):
    """What is listed, and in which order."""

    user_id: UUID | str | None
    """Whose inbox; without it a service key sees all, an inbox token its own."""
    read: bool | None
    """Only read ones, or only unread ones."""
    search: str | None
    """Words, in English or Russian."""
    order: Order | str | None
    """The newest first unless it says otherwise."""
