"""What search looks into: a row per notification, written together with it and never again.

So a change of status, which rewrites the notification, takes no full text index along.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base
from tocsin.models.words import lexemes_of, words_of

# What is new waits in a list, which every search reads, until maintenance merges it into the index. Where no worker
# runs, the create that makes the list longer than this does it: half a second for every 19 000 notifications.
_MAX_LIST_KB: Final = 16 * 1024


class NotificationSearch(Base):
    """The words of a notification; gone when its text is blanked."""

    __tablename__ = "notification_search"
    __table_args__ = (
        Index(
            "ix_notification_search_document",
            "document",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": _MAX_LIST_KB},
        ),
    )

    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"), primary_key=True)
    document: Mapped[str] = mapped_column(TSVECTOR)


def search_document(user_id: UUID, title: str, source: str | None, text: str) -> str:
    """Return the words of a notification as PostgreSQL reads a ``tsvector``.

    The title has weight A, the source B, the text D. One more lexeme names the inbox, so that the index itself
    intersects the words with the inbox.
    """
    places: dict[str, list[str]] = {}
    place = 0
    for part, weight in ((title, "A"), (source, "B"), (text, "")):
        for word in words_of(part) if part else ():
            place += 1
            at = f"{place}{weight}"
            for lexeme in lexemes_of(word):
                places.setdefault(lexeme, []).append(at)
        # The last word of one part and the first of the next are no phrase.
        place += 1
    lexemes = [f"'{lexeme}':{','.join(where)}" for lexeme, where in places.items()]
    return " ".join([inbox_lexeme(user_id), *lexemes])


def inbox_lexeme(user_id: UUID) -> str:
    """Return the lexeme that all notifications of an inbox have, quoted; no word is like it."""
    return f"'@{user_id.hex}'"
