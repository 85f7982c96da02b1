"""What explains an alarm that is judged beside the rules: one of the fire linkage, or of the coverage.

A linkage's alarm is explained from the record of its run; one that stood outside any run from the readings of its
feedback. The rest (the version of its rule, messages, what comes next) is as with any other alarm.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from facility.catalog import Catalog
from facility.config import Site
from facility.errors import StoreError
from facility.points import Label
from facility.readings import Quality, Sample
from ingest.store import ReadingStore
from rules.book.compiled import CompiledRule, compiled
from rules.coverage import RULE as COVERAGE
from rules.explain.linkage import JudgedEffect, laid_open, reading_words, run_about
from rules.explain.scene import Input
from rules.language.expression import compile_expression
from rules.language.grammar import ExpressionError
from rules.life.rows import AlarmRow
from rules.linkage.alarms import UNEXPECTED, rules_of
from rules.linkage.judge import UNEXPECTED_MS
from rules.linkage.matrix import Matrix
from rules.linkage.run import Run
from rules.records.linkage_runs import runs_before
from rules.records.records import Records
from rules.rule import Rule

FIRE_ALARM = "fire_alarm"
READ_BACK_MS = 3_600_000
"""How far back the newest readings of a point are looked for."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of such an alarm. `rule` is its text when it was raised, else as it would be now.

    Of these it has one: `run` (of a linkage), `item` (a rule that says the same, to be laid open as any other), or
    `wanted`, the points whose readings explain it.
    """

    rule: Rule | None
    run: Run | None = None
    item: CompiledRule | None = None
    wanted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Besides:
    """Finds it out, for one site."""

    site: Site
    catalog: Catalog
    records: Records
    store: ReadingStore

    async def of(self, row: AlarmRow, kept: Rule | None, matrices: Iterable[Matrix]) -> Beside | None:
        """What explains an alarm; None where it is none of these. `kept`: its rule as it was. StoreError (records)."""
        if row.rule == COVERAGE.id:
            missing = str(row.facts.get("missing") or "").split(" +", 1)[0]
            return Beside(kept or COVERAGE, wanted=tuple((row.asset, key) for key in missing.split(", ") if key))
        rule = kept or _from(matrices, row)
        definition = _definition(rule)
        if rule is None or row.asset_class != FIRE_ALARM or "proofs" not in definition:
            return None
        if row.rule == UNEXPECTED:
            return Beside(rule, item=self._unexpected(rule, definition))
        at = row.raised_at or row.opened_at
        runs = await runs_before(self.records, self.site.id, row.asset, at)
        run = run_about(runs, row.rule_index, since=row.since, at=at)
        return Beside(rule, run) if run else Beside(rule, wanted=tuple(self._feedback(definition)))

    def effect(self, found: Beside, row: AlarmRow, at: int) -> JudgedEffect | None:
        """Its effect at an instant."""
        return laid_open(found.run, row, at, self.site.assets, self.catalog) if found.run else None

    async def readings(self, found: Beside, at: int) -> tuple[tuple[Input, ...], tuple[str, ...]]:
        """The newest readings of what explains it, and remarks (codes of NOTES)."""
        newest: dict[tuple[str, str], Sample] = {}
        wanted, notes = set(found.wanted), []
        if wanted:
            assets = sorted({asset for asset, _ in wanted})
            try:
                async for sample in self.store.samples(at - READ_BACK_MS, at + 1, assets=assets):
                    for key in sample.values:
                        if (sample.asset, key) in wanted:
                            newest[sample.asset, key] = sample
            except StoreError:
                notes.append("store_down")
        inputs = [self._input(asset, key, newest.get((asset, key))) for asset, key in found.wanted]
        return tuple(item for item in inputs if item), tuple(notes)

    def said(self, found: Beside, row: AlarmRow, inputs: Iterable[Input], at: int) -> Label | None:
        """A sentence about what has no run."""
        if not found.wanted:
            return None
        listed = {
            language: ("；" if language == "zh" else "; ").join(
                f"{item.asset} {item.point.label.to(language)}" + (f"（{read}）" if language == "zh" else f" ({read})")
                for item in inputs
                if (read := reading_words(item, at, language))
            )
            for language in ("zh", "en")
        }
        if row.rule == COVERAGE.id:
            share = row.facts.get("coverage")
            return Label(
                f"应监测的点位只有 {share}% 有可信读数：{listed['zh']}",
                f"Only {share} % of its points have readings to be believed: {listed['en']}",
            )
        return Label(
            f"没有火警，但反馈读数持续无效，火灾时无法证实其动作：{listed['zh']}",
            f"Nothing burns, but its feedback stays bad, so that in a fire nothing would prove it: {listed['en']}",
        )

    def _unexpected(self, rule: Rule, definition: Mapping[str, Any]) -> CompiledRule | None:
        kind = self.catalog.classes[FIRE_ALARM]
        made = replace(rule, when=definition["unexpected"], delay=UNEXPECTED_MS / 1000)
        try:
            return compiled(made, kind, self.catalog.classes) if made.when else None
        except ExpressionError:  # the class has changed since: no tree of it can be drawn
            return None

    def _feedback(self, definition: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        found: dict[tuple[str, str], None] = {}
        for proof in definition["proofs"]:
            for term in proof["terms"]:
                asset = self.site.assets.get(term["asset"])
                kind = self.catalog.classes.get(asset.asset_class) if asset else None
                if asset is None or kind is None:
                    continue
                try:
                    points = compile_expression(term["when"], kind).points
                except ExpressionError:
                    continue
                found.update(dict.fromkeys((asset.id, key) for key in points))
        return found

    def _input(self, asset: str, key: str, sample: Sample | None) -> Input | None:
        known = self.site.assets.get(asset)
        point = self.catalog.classes[known.asset_class].points.get(key) if known else None
        if point is None:
            return None
        if sample is None:
            return Input(asset, point, None, None, 0)
        quality = sample.quality_of(key)
        return Input(asset, point, sample.values[key] if quality is Quality.GOOD else None, quality, sample.at)


def _from(matrices: Iterable[Matrix], row: AlarmRow) -> Rule | None:
    """The rule as the matrix of now has it."""
    mine = [matrix for matrix in matrices if matrix.panel == row.asset]
    return next((rule for rule in rules_of(mine) if (rule.id, rule.index) == (row.rule, row.rule_index)), None)


def _definition(rule: Rule | None) -> Mapping[str, Any]:
    found = json.loads(rule.text).get("definition") if rule and rule.text else None
    return found if isinstance(found, dict) else {}
