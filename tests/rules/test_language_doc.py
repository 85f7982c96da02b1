"""What docs/rules.md says of the language holds: each example is tried, each figure is the program's."""

from __future__ import annotations

import re
from pathlib import Path

from facility.catalog import load_catalog
from rules.book.rulebook import PACKS, read_rules
from rules.language.cost import MAX_COST, RELATION, WINDOWS
from rules.language.expression import compile_expression
from rules.language.functions import FUNCTIONS
from rules.language.windows import MAX_ROWS
from rules.schedule import parse_hours

TEXT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
CATALOG = load_catalog()


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its first two lines."""
    section = TEXT.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_example_of_the_language_is_a_condition_over_a_pump_set() -> None:
    examples = [cells[1].strip("`") for cells in rows("## The language")]
    assert len(examples) > 20
    for text in examples:
        compile_expression(text, CATALOG.classes["water_pump"], index=1 if "[n]" in text else 0)


def test_every_function_is_told() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)(?:\(|`)", TEXT))
    assert set(FUNCTIONS) <= told


def test_the_entries_of_schedules_are_entries() -> None:
    for entry, _ in rows("### Hours and holidays"):
        parse_hours(entry.strip("`"))


def test_the_costs_are_those_of_the_program() -> None:
    told: dict[str, tuple[float, float]] = {}
    for names, fixed, hourly in rows("### What a rule costs"):
        figures = float(fixed.split(",")[0]), float(hourly or 0)
        told |= dict.fromkeys(re.findall(r"`([a-z_0-9]+)`", names), figures)
    assert told == dict(WINDOWS) | dict.fromkeys(("upstream", "members", "nearby"), (float(RELATION), 0.0))
    assert f"together stay within {MAX_COST};" in TEXT
    assert f"more than {MAX_ROWS:,} changes" in TEXT


def test_the_dearest_shipped_rule_costs_less_than_half_of_the_limit() -> None:
    costs = [item.compile(1 if item.is_indexed else 0).cost for item in read_rules([PACKS], CATALOG, assets={})]
    assert max(costs) < MAX_COST / 2
