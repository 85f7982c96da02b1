"""All that judges the readings of a site, as one: the engine with its rules, and the linkage of its fire panels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facility.readings import Sample
from rules.compiled import Rulebook
from rules.effects import Judgement
from rules.engine import Engine, Key
from rules.linkage.judge import Linkage
from rules.linkage.run import Run


@dataclass(frozen=True, slots=True)
class Judges:
    """Each is told everything; what it makes of it is put together in this order."""

    engine: Engine
    linkage: Linkage
    rulebook: Rulebook

    @property
    def keys(self) -> frozenset[Key]:
        """Every alarm that any of them may raise."""
        book = self.rulebook.by_asset.items()
        rules = frozenset((item.rule.id, item.rule.index, asset) for asset, items in book for item in items)
        return rules | self.linkage.keys

    def restore(self, active: Sequence[Key], runs: Iterable[Run]) -> list[Key]:
        """Take up the alarms whose condition holds and the open linkage runs; the keys that nobody answers to."""
        self.linkage.restore(runs, active)
        return self.engine.restore([key for key in active if key not in self.linkage.keys])

    def warm(self, sample: Sample) -> None:
        """Take a stored sample as known, before the first tick."""
        self.engine.warm(sample)
        self.linkage.warm(sample)

    def on_sample(self, sample: Sample, *, historical: bool = False) -> list[Judgement]:
        """Take one sample. `historical`: it was replayed, not sent live."""
        return [*self.engine.on_sample(sample, historical=historical), *self.linkage.on_sample(sample)]

    def on_tick(self, at: int) -> list[Judgement]:
        """Let time pass up to `at` (ms)."""
        return [*self.engine.on_tick(at), *self.linkage.on_tick(at)]

    def hush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """Whoever told these points is gone: they are unknown."""
        keys = tuple(points)
        return [*self.engine.hush(asset, keys, at), *self.linkage.hush(asset, keys, at)]

    def unhush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """They count again."""
        keys = tuple(points)
        return [*self.engine.unhush(asset, keys, at), *self.linkage.unhush(asset, keys, at)]
