"""Versions of rules: what changes one and what does not, and that a text gives the rule back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facility.catalog import load_catalog
from rules.book.rulebook import PACKS, read_rules
from rules.life.rows import NotFoundError
from rules.records.records import Records
from rules.records.rule_texts import note_versions, running_versions, version, versions
from rules.rule import Severity
from rules.versions import rule_of, stamped
from tests.rules.builders import a_judgement, a_routing, a_rule

CATALOG = load_catalog()
RULES = [item.rule for item in read_rules([PACKS], CATALOG, assets={})]


def test_every_shipped_rule_comes_back_from_its_text() -> None:
    for rule in RULES:
        assert rule_of(rule.text, origin=rule.origin) == rule
    assert len({rule.version for rule in RULES}) == len(RULES)


def test_where_a_rule_stands_is_no_part_of_its_version() -> None:
    assert stamped(replace(RULES[0], origin="elsewhere:1")).version == RULES[0].version


@pytest.mark.parametrize(
    "changed", [{"when": "false"}, {"delay": 61.5}, {"severity": Severity.ADVISORY}, {"guidance": a_rule().label}]
)
def test_what_it_does_and_says_is(changed: dict[str, object]) -> None:
    assert stamped(replace(RULES[0], **changed)).version != RULES[0].version  # type: ignore[arg-type]


def test_a_rule_made_for_an_index_keeps_the_version() -> None:
    definition = next(item for item in read_rules([PACKS], CATALOG, assets={}) if item.is_indexed)
    made = definition.compile(3).rule
    assert (made.index, made.version, made.text) == (3, definition.rule.version, definition.rule.text)


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no rule"):
        rule_of('{"id": 3}')


async def test_texts_are_kept_and_the_newest_start_says_which_run(records: Records) -> None:
    first = stamped(a_rule())
    second = stamped(replace(first, when="pump.on"))
    await note_versions(records, "s1", [first, stamped(a_rule("other"))], 1000)
    await note_versions(records, "s1", [first], 2000)
    await note_versions(records, "s1", [second], 3000)
    rows = await versions(records, "s1", first.id)
    assert [(row.version, row.first_seen) for row in rows] == [(second.version, 3000), (first.version, 1000)]
    assert (await version(records, "s1", first.id, first.version)).text == first.text
    running = await running_versions(records, "s1")
    assert {rule: row.version for rule, row in running.items()} == {first.id: second.version}
    for missing in ((first.id, "nothing"), ("nobody", first.version)):
        with pytest.raises(NotFoundError):
            await version(records, "s1", *missing)


async def test_an_alarm_and_its_journal_say_which_version_raised_it(records: Records, tmp_path: Path) -> None:
    first = stamped(a_rule())
    second = stamped(replace(first, delay=9.0))
    judgements = [
        a_judgement(rule=first, at=1000),
        a_judgement("clear", rule=second, at=2000),
        a_judgement(rule=second, at=3000),
    ]
    for judgement in judgements:
        await records.apply([judgement], a_routing(), judgement.at)
    (row,) = (await records.alarms()).items
    assert row.rule_version == second.version
    found = [entry.rule_version for entry in await records.journal(row.id)]
    assert found == [first.version, second.version, second.version]
