"""What makes an answer of an AI a verdict."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import AnalyzerUnintelligible
from tocsin.integrations.answers import clean_keywords, parse_verdict
from tocsin.models.verdict import Category, Verdict

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from([category.value for category in Category]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["category", "confidence", "keywords"]), inner),
)


def test_reads_what_fits() -> None:
    payload = b'{"category": "critical", "confidence": 0.9, "keywords": ["disk", "full"], "model": "x"}'

    assert parse_verdict(payload, "http") == Verdict(Category.CRITICAL, 0.9, ("disk", "full"), "http")


def test_takes_what_was_read_already() -> None:
    assert parse_verdict({"category": "info", "confidence": 1}, "x") == Verdict(Category.INFO, 1.0, (), "x")


@pytest.mark.parametrize("category", ["warning", "WARNING", " Warning\n"])
def test_category_is_taken_in_any_case(category: str) -> None:
    assert parse_verdict({"category": category, "confidence": 0.5}, "x").category is Category.WARNING


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, 0.25])
def test_confidence_may_be_any_number_within_bounds(confidence: float) -> None:
    verdict = parse_verdict({"category": "info", "confidence": confidence}, "x")

    assert verdict.confidence == confidence
    assert isinstance(verdict.confidence, float)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON"),
        (b"fine", "not JSON"),
        (b"<html></html>", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"category": "info"', "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"9" * 5_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"info"', "not a JSON object"),
        (b"{}", "category and confidence"),
        (b'{"category": "info"}', "confidence"),
        (b'{"confidence": 0.5}', "category"),
        (b'{"category": "urgent", "confidence": 0.5}', "category"),
        (b'{"category": "", "confidence": 0.5}', "category"),
        (b'{"category": null, "confidence": 0.5}', "category"),
        (b'{"category": ["info"], "confidence": 0.5}', "category"),
        (b'{"category": "info", "confidence": 7}', "confidence"),
        (b'{"category": "info", "confidence": -0.01}', "confidence"),
        (b'{"category": "info", "confidence": 1.0001}', "confidence"),
        (b'{"category": "info", "confidence": NaN}', "confidence"),
        (b'{"category": "info", "confidence": Infinity}', "confidence"),
        (b'{"category": "info", "confidence": 1e999}', "confidence"),
        (b'{"category": "info", "confidence": 1%s}' % (b"0" * 400), "confidence"),
        (b'{"category": "info", "confidence": true}', "confidence"),
        (b'{"category": "info", "confidence": "0.5"}', "confidence"),
        (b'{"category": "info", "confidence": null}', "confidence"),
    ],
)
def test_refuses_what_does_not_fit(payload: bytes, reason: str) -> None:
    with pytest.raises(AnalyzerUnintelligible) as caught:
        parse_verdict(payload, "x")

    assert caught.value.detail.endswith(f"{reason}.")


def test_error_quotes_nothing_of_the_answer() -> None:
    with pytest.raises(AnalyzerUnintelligible) as caught:
        parse_verdict({"category": "leaked " * 10_000, "confidence": 0.5}, "x")

    assert "leaked" not in caught.value.detail
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, ()),
        ("disk", ()),
        ({"disk": 1}, ()),
        ([], ()),
        (["disk", 1, None, True, ["full"], "full"], ("disk", "full")),
        ([" disk ", "disk", "\tdisk\n", "Disk"], ("disk", "Disk")),
        (["", "   ", "\0", "\ud800"], ()),
        (["di\0sk", "f\ud800ull\udfff"], ("disk", "full")),
        (["\0 disk \0"], ("disk",)),
        (["🔔" * 101], ("🔔" * 100,)),
        (["x" * 99 + " y"], ("x" * 99,)),
        (["x" * 100 + "a", "x" * 100 + "b"], ("x" * 100,)),
        ([str(number) for number in range(30)], tuple(str(number) for number in range(20))),
    ],
)
def test_keywords_are_cleaned_and_not_refused(found: object, expected: tuple[str, ...]) -> None:
    assert clean_keywords(found) == expected


@given(ANYTHING)
def test_any_answer_is_a_sound_verdict_or_unintelligible(document: object) -> None:
    for payload in (document, json.dumps(document), json.dumps(document).encode()):
        try:
            verdict = parse_verdict(payload, "x")
        except AnalyzerUnintelligible:
            continue
        assert 0 <= verdict.confidence <= 1
        assert len(set(verdict.keywords)) == len(verdict.keywords) <= 20
        for keyword in verdict.keywords:
            assert keyword == keyword.strip()
            assert 1 <= len(keyword) <= 100
            assert "\0" not in keyword
            keyword.encode()
