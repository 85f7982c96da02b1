"""Requests per cycle of every shipped profile against one per tag, as the table of docs/requests.md has them."""

from __future__ import annotations

from scripts import request_table

ROWS = list(request_table.rows())
TARGET = 0.1
"""Of the requests of one per tag, over all shipped profiles."""


def test_the_table_is_true() -> None:
    assert request_table.FILE.read_text(encoding="utf-8") == request_table.text(), "make request-table"


def test_over_all_profiles_a_tenth_of_the_requests_is_enough() -> None:
    assert sum(row.planned for row in ROWS) <= TARGET * sum(row.alone for row in ROWS)


def test_no_profile_needs_more_than_one_request_a_point() -> None:
    assert [row.profile for row in ROWS if row.planned > row.alone * (1 + 1e-9)] == []
