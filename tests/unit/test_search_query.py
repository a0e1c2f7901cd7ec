"""Search queries: whatever is typed means something, and nothing of it reaches PostgreSQL but words."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.models.search_query import SearchQuery

USER = UUID("018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01")
INBOX = "'@018f2f6e7c1a7a539d2b3f1f4a6c8e01'"

# Words in quotes, a beginning, operators, parentheses: all that a query may consist of.
WORD = re.compile(r"'[^\W_]+'(:\*)?")
REST = re.compile(r"[ &|!()]|<->")


@pytest.mark.parametrize(
    ("typed", "matching", "required"),
    [
        ("paym", "('paym':*)", "'paym':*"),
        ("payments failed", "('payment') & (('fail' | 'failed':*))", "'payment' & ('fail' | 'failed':*)"),
        ("PAYMENTS Платёж ok", "('payment') & ('платеж') & ('ok':*)", "'payment' & 'платеж' & 'ok':*"),
        ('"card was declined"', "('card' <-> 'was' <-> 'declin')", "'card' & 'was' & 'declin'"),
        ('"card was decl', "('card' <-> 'was' <-> 'decl':*)", "'card' & 'was' & 'decl':*"),
        ("«платёж отклонён»", "('платеж' <-> 'отклон')", "'платеж' & 'отклон'"),
        ("“card“", "('card')", "'card'"),
        ("order-4711", "('order' <-> '4711':*)", "'order' & '4711':*"),
        ("api.example.com down", "('api' <-> 'exampl' <-> 'com') & ('down':*)", "'api' & 'exampl' & 'com' & 'down':*"),
        ("card -bank", "('card') & !('bank')", "'card'"),
        ('card -"the bank"', "('card') & !('the' <-> 'bank')", "'card'"),
        ("-order-4711 card", "!('order' <-> '4711') & ('card':*)", "'card':*"),
        ("card or bank fee", "('card') | ('bank') & ('fee':*)", "'card' | 'bank' & 'fee':*"),
        ("card OR bank", "('card') | ('bank':*)", "'card' | 'bank':*"),
        ("or", "('or':*)", "'or':*"),
        ("or card", "('or') & ('card':*)", "'or' & 'card':*"),
        ("card or", "('card') & ('or':*)", "'card' & 'or':*"),
        ("card or or bank", "('card') | ('or') & ('bank':*)", "'card' | 'or' & 'bank':*"),
        ('"or" card', "('or') & ('card':*)", "'or' & 'card':*"),
        ("card or !!! bank", "('card') | ('bank':*)", "'card' | 'bank':*"),
        ("card !!!", "('card':*)", "'card':*"),
        ('card "', "('card':*)", "'card':*"),
        ("card-", "('card':*)", "'card':*"),
        ("- card", "('card':*)", "'card':*"),
        ('foo"bar baz"', "('foo') & ('bar' <-> 'baz')", "'foo' & 'bar' & 'baz'"),
    ],
)
def test_words_quotes_exclusions_and_alternatives_are_understood(typed: str, matching: str, required: str) -> None:
    query = SearchQuery.parse(typed)

    assert query.typed == typed
    assert query.matching == matching
    assert query.required == required


@pytest.mark.parametrize("typed", ["-card", "5", '-"the bank"', "card or -bank", "card or 5", "-card -bank"])
def test_what_does_not_narrow_the_search_down_is_not_looked_up_across_inboxes(typed: str) -> None:
    query = SearchQuery.parse(typed)

    assert query.matching
    assert query.required_in(None) is None
    assert query.required_in(USER) == INBOX


def test_within_an_inbox_its_words_are_looked_up_together_with_it() -> None:
    query = SearchQuery.parse("card or bank")

    assert query.required_in(USER) == f"{INBOX} & ('card' | 'bank':*)"
    assert query.required_in(None) == "'card' | 'bank':*"


@pytest.mark.parametrize("typed", ["!!!", "-", '""', "🔔", '-""', "_", "' & | ! ( ) : * < > \\"])
def test_without_a_word_nothing_can_match(typed: str) -> None:
    assert SearchQuery.parse(typed) == SearchQuery(typed, None, None)


@given(st.text() | st.text(alphabet=" \"'-:*&|!()<>\\orя1"))
def test_of_any_text_only_words_reach_postgresql(typed: str) -> None:
    query = SearchQuery.parse(typed)

    for tsquery in (query.matching, query.required):
        assert REST.sub("", WORD.sub("", tsquery or "")) == ""
