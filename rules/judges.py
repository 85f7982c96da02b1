"""All that judges the readings of a site, as one: its rules, its fire linkage, and how much of it is watched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from facility.catalog import Catalog
from facility.config import Site
from facility.readings import Sample
from rules.coverage import Coverage, Key
from rules.drills.scope import Ground
from rules.effects import Judgement
from rules.engine import Engine
from rules.linkage.judge import Linkage
from rules.linkage.run import Run
from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Judges:
    """Each is told everything; what it makes of it is put together in this order. `ground` follows the fire zones."""

    engine: Engine
    linkage: Linkage
    coverage: Coverage
    ground: Ground = field(default_factory=Ground)

    @classmethod
    def of(cls, engine: Engine, linkage: Linkage, site: Site, catalog: Catalog, ground: Ground) -> Judges:
        """These, and the coverage of the site."""
        return cls(engine, linkage, Coverage(site, catalog), ground)

    @property
    def apart(self) -> frozenset[Key]:
        """The alarms that are judged beside the engine."""
        return self.linkage.keys | self.coverage.keys

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of those alarms: one id may have several texts at once."""
        return self.linkage.rules + self.coverage.rules

    def restore(self, runs: Iterable[Run], active: Iterable[Key]) -> None:
        """Give those beside the engine what the records know: fires that are not over, alarms that stand."""
        standing = tuple(active)
        self.linkage.restore(runs, standing)
        self.coverage.restore(standing)

    def warm(self, sample: Sample) -> None:
        """Take a stored sample as known, before the first tick."""
        self.ground.take(sample)
        self.engine.warm(sample)
        self.linkage.warm(sample)
        self.coverage.take(sample)

    def on_sample(self, sample: Sample, *, historical: bool = False) -> list[Judgement]:
        """Take one sample. `historical`: it was replayed, not sent live."""
        self.coverage.take(sample)
        self.ground.take(sample)
        return [*self.engine.on_sample(sample, historical=historical), *self.linkage.on_sample(sample)]

    def on_tick(self, at: int) -> list[Judgement]:
        """Let time pass up to `at` (ms)."""
        return [*self.engine.on_tick(at), *self.linkage.on_tick(at), *self.coverage.on_tick(at)]

    def hush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """Whoever told these points is gone: they are unknown."""
        keys = tuple(points)
        self.coverage.hush(asset, keys, hushed=True)
        return [*self.engine.hush(asset, keys, at), *self.linkage.hush(asset, keys, at)]

    def unhush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """They count again."""
        keys = tuple(points)
        self.coverage.hush(asset, keys, hushed=False)
        return [*self.engine.unhush(asset, keys, at), *self.linkage.unhush(asset, keys, at)]
