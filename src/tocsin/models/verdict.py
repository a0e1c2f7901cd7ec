"""What an analyzer says of a notification."""

import enum
from dataclasses import dataclass


class Category(enum.StrEnum):
    """How much a notification matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement on one notification.

    ``confidence`` is within 0..1; ``keywords`` are stripped, not blank, distinct, each of at most 100
    characters; ``analyzer`` tells who judged.
    """

    category: Category
    confidence: float
    keywords: tuple[str, ...]
    analyzer: str
