"""Old rules against new ones over the same stored readings, on the engine that runs live. Sans-IO, one pass, by time.

Only rules whose texts differ are run: what is the same on both sides can't raise anything else. The readings before the
span fill windows and start delays. What stands at its beginning is raised there on both sides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from facility.assets import Asset, Location
from facility.catalog import Catalog
from facility.readings import Sample
from rules.book.compiled import Rulebook
from rules.book.rulebook import SHADOW, Definition, assign
from rules.effects import Judgement
from rules.engine import Engine, Key
from rules.trial.compare import Episode
from rules.versions import stamped

MAX_EPISODES = 200_000
"""Alarms of one side that are kept; a rule that raises more is not worth comparing."""
WARM_MS = 15 * 60_000
FINE_MS = 2 * 86_400_000
"""Spans up to this one are ticked every second, longer ones every ten: windows are looked at that often."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The rules that differ, by id: those of before and those of after. `same` is how many do not."""

    old: tuple[Definition, ...]
    new: tuple[Definition, ...]
    same: int

    @property
    def ids(self) -> list[str]:
        """Every rule that differs."""
        return sorted({item.rule.id for item in (*self.old, *self.new)})


def sides(old: Iterable[Definition], new: Iterable[Definition]) -> Sides:
    """What differs. A shadow rule of the new side takes the place of the live one: that is what is asked."""
    before = {item.rule.id: item for item in old if not item.rule.shadow}
    after = {item.rule.id: item for item in new if not item.rule.shadow}
    for item in new:
        if item.rule.shadow:
            name = item.rule.shadow_of or item.rule.id.removesuffix(SHADOW)
            after[name] = replace(item, rule=stamped(replace(item.rule, id=name, shadow=False, shadow_of="")))
    same = {name for name in before.keys() & after.keys() if before[name].rule.version == after[name].rule.version}
    return Sides(
        tuple(item for name, item in before.items() if name not in same),
        tuple(item for name, item in after.items() if name not in same),
        len(same),
    )


@dataclass
class Side:
    """One set of rules at work: `episodes` are its alarms, those that stand included once `finish` was called."""

    engine: Engine
    episodes: list[Episode] = field(default_factory=list)
    overflown: bool = False
    _standing: dict[Key, int] = field(default_factory=dict)

    def take(self, judgements: Iterable[Judgement]) -> None:
        """What the engine said."""
        for item in judgements:
            key = item.rule.id, item.rule.index, item.asset
            if item.event == "raise":
                self._standing.setdefault(key, item.at)
            elif key in self._standing:
                self._keep(Episode(key, self._standing.pop(key), item.at))

    def finish(self) -> None:
        """The span is over."""
        for key, at in self._standing.items():
            self._keep(Episode(key, at))

    def _keep(self, episode: Episode) -> None:
        if len(self.episodes) < MAX_EPISODES:
            self.episodes.append(episode)
        else:
            self.overflown = True


class Backtest:
    """Both sides over [start, end) (ms UTC). Feed every sample from `warm_from` on, in order, then `finish`."""

    def __init__(  # noqa: PLR0913 - each is a part of the question
        self,
        rules: Sides,
        assets: Mapping[str, Asset],
        points: Mapping[str, frozenset[str]],
        catalog: Catalog,
        *,
        time_zone: str,
        locations: Mapping[str, Location],
        start: int,
        end: int,
    ) -> None:
        books = [
            _used(assign(side, assets, points, time_zone=time_zone, locations=locations))
            for side in (rules.old, rules.new)
        ]
        self.old, self.new = (Side(Engine(book, assets, catalog)) for book in books)
        self.unused = {item.rule: item.reason for book in books for item in book.unused}
        self.assets = sorted({asset for book in books for asset in book.by_asset})
        self.start, self.end = start, end
        windows = [seconds for book in books for seconds in (book.usual_window, *book.patient.values())]
        self.warm_from = start - max(WARM_MS, round(max(windows) * 1000))
        self.step = 1000 if end - start <= FINE_MS else 10_000
        self.samples = 0
        self._next = start
        self._mine = frozenset(self.assets)

    def feed(self, sample: Sample) -> None:
        """The next stored sample."""
        if sample.asset not in self._mine:
            return
        self.samples += 1
        if sample.at < self.start:
            for side in (self.old, self.new):
                side.engine.warm(sample)
            return
        self._tick(sample.at)
        for side in (self.old, self.new):
            side.take(side.engine.on_sample(sample))

    def finish(self) -> None:
        """Let time pass up to the end."""
        self._tick(self.end)
        for side in (self.old, self.new):
            side.finish()

    def _tick(self, until: int) -> None:
        """Every tick before `until`: a tick says that no more readings of before come."""
        while self._next < until:
            for side in (self.old, self.new):
                side.take(side.engine.on_tick(self._next))
            self._next += self.step


def _used(book: Rulebook) -> Rulebook:
    """Without the assets that no rule looks at: nothing has to be ticked for them."""
    asked = {
        other
        for asset, items in book.by_asset.items()
        for item in items
        for relation in item.relations
        for other in book.kinship.related(asset, relation)
    }
    used = {asset: items for asset, items in book.by_asset.items() if items or asset in asked}
    return replace(book, by_asset=used)


async def run(backtest: Backtest, samples: AsyncIterator[Sample], progress: Callable[[int], None]) -> None:
    """Feed what the store gives; `progress` is called with the instant reached every few thousand samples."""
    number = 0
    async for sample in samples:
        backtest.feed(sample)
        number += 1
        if number % 5000 == 0:
            progress(sample.at)
    backtest.finish()
