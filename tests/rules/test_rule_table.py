"""The page of what is watched says what the packs say."""

from __future__ import annotations

from scripts import rule_table


def test_the_page_is_as_the_packs_are() -> None:
    assert rule_table.FILE.read_text(encoding="utf-8") == rule_table.text(), "run make rule-table"
