"""The Retry-After header."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.integrations.ai_transport import MAX_RETRY_AFTER, parse_retry_after

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("3601", 3600.0),
        ("9" * 5_000, 3600.0),
        ("Sun, 01 Nov 2026 12:00:45 GMT", 45.0),
        ("Sun, 01 Nov 2026 13:00:45 +0100", 45.0),
        ("Sun, 01 Nov 2026 12:00:45 -0000", 45.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Nov 2099 11:00:00 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("NaN", None),
        ("inf", None),
        ("1e3", None),
        ("0x10", None),
        ("٣٠", None),
        ("1,5", None),
        ("Sun, 99 Foo 2026", None),
    ],
)
def test_reads_seconds_and_dates_and_ignores_the_rest(value: str | None, expected: float | None) -> None:
    assert parse_retry_after(value, NOW) == expected


@given(st.text())
@example("Mon, 01 Jan 99999 00:00:00 GMT")
@example("Mon, 01 Jan 0001 00:00:00 +9999")
@example("Mon, 01 Jan 2026 00:00:00 +99999999999")
def test_survives_any_header(value: str) -> None:
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER
