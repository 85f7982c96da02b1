"""Writes docs/watched.md, every shipped rule in a table per class: `make rule-table`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facility.catalog import load_catalog
from rules.book.rulebook import PACKS, read_rules
from rules.rule import Rule

FILE = Path(__file__).resolve().parent.parent / "docs" / "watched.md"
HEAD = """\
# What is watched 监视内容

Made from `rules/packs/*.yaml` by `make rule-table`. How a rule works and how a site replaces one: [rules.md](rules.md).

Severity 1 is an emergency, 2 urgent, 3 maintenance, 4 advisory. *Delay* is how long it must last before anybody is
told; *latched* alarms stay until somebody has reset them; some get more severe when they last. A rule runs where the
asset has the points that it looks at; `{n}` stands for each pump, door, camera.
"""
COLUMNS = "| rule | when | severity | delay | follows |"
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
FOLLOWS = {"emergency": "emergency", "ticket": "ticket", "nothing": "-"}


def text() -> str:
    """The whole page."""
    return HEAD + "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    catalog = load_catalog()
    rules = [definition.rule for definition in read_rules([PACKS], catalog, assets={})]
    rules.sort(key=lambda rule: (rule.asset_class, rule.severity, rule.id))
    for owner, own in groupby(rules, key=lambda rule: rule.asset_class):
        label = catalog.classes[owner].label
        yield f"\n## {label.en} {label.zh}\n\n{COLUMNS}\n| --- | --- | --- | --- | --- |"
        yield from (_row(rule) for rule in own)


def _row(rule: Rule) -> str:
    follows = FOLLOWS[rule.raises.value] + (", latched" if rule.latch else "")
    follows += "".join(f", severity {step.severity:d} {_span(step.after)} later" for step in rule.escalate)
    return f"| `{rule.id}` | {rule.label.en} {rule.label.zh} | {rule.severity:d} | {_span(rule.delay)} | {follows} |"


def _span(seconds: float) -> str:
    """A delay in its largest whole unit; nothing for none."""
    for size, unit in UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s" if seconds else ""


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
