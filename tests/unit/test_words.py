"""Words: what counts as one, and which forms belong together."""

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.models.notification_search import search_document
from tocsin.models.words import WORD_MAX, lexemes_of, stem_of, words_of

USER = UUID("018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Payment FAILED!", ["payment", "failed"]),
        ("order-4711, #4711", ["order", "4711", "4711"]),
        ("HTTP/500", ["http", "500"]),
        ("db_primary and api.example.com", ["db", "primary", "and", "api", "example", "com"]),
        ("anna@example.com", ["anna", "example", "com"]),
        ("«Платёж» — отклонён", ["платеж", "отклонен"]),
        ("ПЛАТЁЖ", ["платеж"]),
        ("пла\u0442\u0435\u0308ж и\u0306од", ["платеж", "йод"]),
        ("за\u0301мок", ["замок"]),
        ("soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zerowidth"]),
        ("café Ärger", ["café", "ärger"]),
        ("Acme™ №7 🔔", ["acme", "7"]),
        ("a" * 100, ["a" * WORD_MAX]),
        ("", []),
        (" _-.!\n", []),
    ],
)
def test_letters_and_digits_make_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    "forms",
    [
        ("payment", "payments"),
        ("fail", "failed", "failing"),
        ("платеж", "платежа", "платежей", "платежами"),
        ("ошибка", "ошибки", "ошибками"),
        ("отклонен", "отклонено"),
    ],
    ids=str,
)
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem_of(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["4711", "v2", "db1s", "сервера2", "ärgers", "支付", "is", "down", "не"])
def test_other_words_are_their_own_stem(word: str) -> None:
    assert stem_of(word) == word


LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyzабвгдежзийклмнопрстуфхцчшщъыьэюя7")
ENDINGS = st.sampled_from(["ing", "ation", "fulness", "ies", "ement", "ically", "ённость", "ениями", "ующийся", "ость"])


@given(st.builds("".join, st.lists(LETTERS | ENDINGS, min_size=1, max_size=8)))
@example("notifications")
@example("уведомлениями")
def test_a_word_is_kept_so_that_each_of_its_beginnings_finds_it(text: str) -> None:
    (word,) = words_of(text)

    for length in range(1, len(word) + 1):
        beginning = word[:length]
        assert any(kept == stem_of(beginning) or kept.startswith(beginning) for kept in lexemes_of(word)), beginning


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("payments", ("payment",)),
        ("failed", ("fail",)),
        ("connection", ("connect", "connection")),
        ("уведомления", ("уведомлен",)),
        ("4711", ("4711",)),
    ],
)
def test_most_words_are_kept_by_their_stem_alone(word: str, kept: tuple[str, ...]) -> None:
    assert lexemes_of(word) == kept


@given(st.text())
def test_words_of_any_text_are_words_again_however_they_are_put_together(text: str) -> None:
    words = words_of(text)

    assert words_of(" ".join(words)) == words
    assert all(0 < len(word) <= WORD_MAX and "'" not in word and "\\" not in word for word in words)


def test_a_document_has_stems_and_words_with_their_place_and_weight() -> None:
    document = search_document(USER, "Payments failed", "billing", "Failed: order-4711")

    assert document == (
        "'@018f2f6e7c1a7a539d2b3f1f4a6c8e01' 'payment':1A 'fail':2A,6 'bill':4B 'billing':4B 'order':7 '4711':8"
    )


def test_a_document_without_words_names_its_inbox() -> None:
    assert search_document(USER, "!", None, "?") == "'@018f2f6e7c1a7a539d2b3f1f4a6c8e01'"
