"""What a reader types to search, and what PostgreSQL is asked for it.

The syntax is that of PostgreSQL's `websearch_to_tsquery`: words must all be there, ``"words in quotes"`` one after the
other, ``-word`` must not, and ``or`` between two parts means either; it binds less than "and". Whatever is typed means
something: no text is an error. Unlike there, no word is too common to count, and the last one may be unfinished.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from tocsin.models.notification_search import inbox_lexeme
from tocsin.models.words import stem_of, words_of

QUERY_MAX: Final = 200
"""Characters of a query, without the white space around it."""

_MIN_BEGINNING: Final = 2
"""Shorter beginnings are those of so many words that the index is not asked for them."""
_QUOTES: Final = str.maketrans("“”„«»", '"""""')
_PART: Final = re.compile(r'(?P<minus>-?)"(?P<quoted>[^"]*)(?P<closed>"?)|(?P<bare>[^\s"]+)')


@dataclass(frozen=True, slots=True)
class _Term:
    """Words that must follow each other, or must not; ``open`` says that the last one may go on."""

    words: tuple[str, ...]
    excluded: bool
    open: bool
    is_or: bool

    @property
    def matching(self) -> str:
        row = " <-> ".join([*map(_stem, self.words[:-1]), self._last])
        return f"!({row})" if self.excluded else f"({row})"

    @property
    def required(self) -> list[str]:
        """What the index can be asked for: words without their order."""
        if self.excluded:
            return []
        too_short = self.open and len(self.words[-1]) < _MIN_BEGINNING
        return [*map(_stem, self.words[:-1]), *([] if too_short else [self._last])]

    @property
    def _last(self) -> str:
        word = self.words[-1]
        if not self.open:
            return _stem(word)
        # As it is written, or, if it is whole, in another form.
        return f"'{word}':*" if stem_of(word) == word else f"({_stem(word)} | '{word}':*)"


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query, as it was typed and as PostgreSQL reads a ``tsquery``.

    ``matching`` is what a notification must match; None if the query has no word, so that nothing can.
    ``required`` is the part of it that narrows the search down and that the index can tell; None if there is none.
    """

    typed: str
    matching: str | None
    required: str | None

    @classmethod
    def parse(cls, typed: str) -> "SearchQuery":
        """Understand what was typed."""
        choices = _choices(_terms(typed))
        if not choices:
            return cls(typed, None, None)
        needed = [[word for term in choice for word in term.required] for choice in choices]
        return cls(
            typed,
            matching=" | ".join(" & ".join(term.matching for term in choice) for choice in choices),
            required=" | ".join(map(" & ".join, needed)) if all(needed) else None,
        )

    def required_in(self, user_id: UUID | None) -> str | None:
        """Return what the index is asked for one inbox, or for all of them."""
        if user_id is None:
            return self.required
        inbox = inbox_lexeme(user_id)
        return f"{inbox} & ({self.required})" if self.required else inbox


def _terms(typed: str) -> list[_Term]:
    """Return the parts of a query that have words, only the last of which may be open."""
    found = [_term(part) for part in _PART.finditer(typed.translate(_QUOTES))]
    terms = [term for term in found if term.words]
    return [*(replace(term, open=False) for term in terms[:-1]), *terms[-1:]]


def _term(part: re.Match[str]) -> _Term:
    bare = part["bare"]
    if bare is None:
        excluded = bool(part["minus"])
        return _Term(tuple(words_of(part["quoted"])), excluded, open=not (excluded or part["closed"]), is_or=False)
    excluded = bare.startswith("-")
    return _Term(tuple(words_of(bare)), excluded, open=not excluded, is_or=bare.lower() == "or")


def _choices(terms: Sequence[_Term]) -> list[list[_Term]]:
    """Split at each "or" that stands between others; any other is a word."""
    choices: list[list[_Term]] = [[]] if terms else []
    for place, term in enumerate(terms, 1):
        if term.is_or and choices[-1] and place < len(terms):
            choices.append([])
        else:
            choices[-1].append(term)
    return choices


def _stem(word: str) -> str:
    return f"'{stem_of(word)}'"
