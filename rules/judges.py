"""All that judges the readings of a site, as one: the engine with its rules, and the linkage of its fire panels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from facility.readings import Sample
from rules.effects import Judgement
from rules.engine import Engine
from rules.linkage.judge import Linkage
from rules.scope import Ground


@dataclass(frozen=True, slots=True)
class Judges:
    """Each is told everything; what it makes of it is put together in this order. `ground` follows the fire zones."""

    engine: Engine
    linkage: Linkage
    ground: Ground = field(default_factory=Ground)

    def warm(self, sample: Sample) -> None:
        """Take a stored sample as known, before the first tick."""
        self.ground.take(sample)
        self.engine.warm(sample)
        self.linkage.warm(sample)

    def on_sample(self, sample: Sample, *, historical: bool = False) -> list[Judgement]:
        """Take one sample. `historical`: it was replayed, not sent live."""
        self.ground.take(sample)
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
