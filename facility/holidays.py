"""The holidays of a site: dates and spans of dates."""

from __future__ import annotations

from datetime import date, timedelta

LONGEST = 60
"""Days of one span."""


def read_span(text: str) -> frozenset[date]:
    """The days of `2026-10-01` or `2026-10-01..2026-10-07`; ValueError with what is wrong."""
    first, dots, last = text.partition("..")
    begin = _day(first)
    end = _day(last) if dots else begin
    days = (end - begin).days + 1
    if days < 1:
        raise ValueError(f"{text!r} ends before it begins")
    if days > LONGEST:
        raise ValueError(f"{text!r} has {days} days; the limit is {LONGEST}")
    return frozenset(begin + timedelta(days=number) for number in range(days))


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or found.isoformat() != text.strip():
        raise ValueError(f"{text!r} is no date such as 2026-10-01")
    return found
