"""Holidays as people write them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.holidays import LONGEST, read_span


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, LONGEST - 1))
def test_a_span_has_every_day_of_it(first: date, more: int) -> None:
    last = first + timedelta(days=more)
    found = read_span(f"{first}..{last}")
    assert (min(found), max(found), len(found)) == (first, last, more + 1)
    assert read_span(str(first)) == {first}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-13-01", "'2026-13-01' is no date such as"),
        ("2026-02-29", "is no date"),
        ("20260101", "is no date"),
        ("2026-W01-1", "is no date"),
        ("spring", "is no date"),
        ("", "is no date"),
        ("2026-10-07..2026-10-01", "ends before it begins"),
        ("2026-10-01..", "'' is no date"),
        ("2026-01-01..2026-12-31", "has 365 days; the limit is 60"),
        ("0001-01-01..9999-12-31", "the limit is 60"),
    ],
)
def test_what_is_no_holiday_is_told_why(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_span(text)
