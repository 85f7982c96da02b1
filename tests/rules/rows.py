"""Rows of the records without a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rules.effects import Judgement
from rules.life.rows import AlarmRow
from rules.records.judging import judge
from rules.records.transitions import Changes, Key
from tests.rules.builders import a_judgement, a_routing


def an_alarm_row(judgement: Judgement | None = None, **changed: Any) -> AlarmRow:
    """What a raise makes of nothing, then changed as the test wants."""
    changes = Changes(a_routing(), 1000, lambda prefix, at: f"{prefix}{at}")
    live: dict[Key, AlarmRow] = {}
    judge(changes, live, judgement or a_judgement())
    (row,) = changes.opened.values()
    return replace(row, **changed)
