"""Words, as they are searched: what a text is made of, and what the forms of a word have in common.

Letters and digits make words, and everything else stands between them, so that ``order-4711``, ``db_primary`` and
``api.example.com`` are words in a row, which are found together and one by one. Done here and not by PostgreSQL, whose
parser takes such names for single words of many kinds, and in a database with the locale C takes quotation marks,
dashes and capital letters beyond ASCII for whatever they are not.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

import Stemmer

WORD_MAX: Final = 64
"""Characters of a word that count."""

_WORD: Final = re.compile(r"[^\W_]+")
# Stress marks and other combining ones that have no letter of their own, soft hyphens, what has no width.
_INVISIBLE: Final = re.compile("[\u00ad\u0300-\u036f\u200b-\u200d\u2060\ufeff]")
_KNOWN_WORDS: Final = 32_768

_ENGLISH: Final = Stemmer.Stemmer("english", 0)
_RUSSIAN: Final = Stemmer.Stemmer("russian", 0)


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` in order, in lower case, with е for ё, and cut to `WORD_MAX` characters."""
    if text.isascii():
        found = _WORD.findall(text.lower())
    else:
        composed = unicodedata.normalize("NFC", text)
        found = _WORD.findall(_INVISIBLE.sub("", composed.lower()).replace("ё", "е"))
    return [word[:WORD_MAX] for word in found] if len(text) > WORD_MAX else found


def stem_of(word: str) -> str:
    """Return what the forms of ``word`` begin with, in Russian or English by its letters (https://snowballstem.org).

    A word that has digits, or letters of another alphabet, is its own stem.
    """
    if not word.isalpha():
        return word
    if word.isascii():
        return str(_ENGLISH.stemWord(word))
    return str(_RUSSIAN.stemWord(word)) if "а" <= word[0] <= "я" else word


@lru_cache(_KNOWN_WORDS)
def lexemes_of(word: str) -> tuple[str, ...]:
    """Return what ``word`` is kept as, so that each of its forms and beginnings finds it.

    That is its stem; and the word itself, if it has a beginning that neither begins the stem nor has the same one, as
    ``connectio`` is of ``connection``, whose stem is ``connect``.
    """
    stem = stem_of(word)
    beginnings = (word[:length] for length in range(1, len(word) + 1))
    found = all(stem.startswith(beginning) or stem_of(beginning) == stem for beginning in beginnings)
    return (stem,) if found else (stem, word)
