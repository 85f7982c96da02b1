"""One asset's rules played again over its readings, to be looked at from inside. Pure; instants are ms.

The engine is the one that raises the alarms, with a rulebook of this asset alone: its rules, what its relations ask,
and the derived points that they need. Whoever plays it gives the readings of a bounded span before the instant (as
much as the windows of its rules want), and the hourly summaries of what baselines and trends look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from facility.assets import Asset
from facility.catalog import Catalog
from facility.points import Point
from facility.presence import HEARTBEAT_MS
from facility.readings import Quality, Sample, Value
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.derived import DerivedPoints
from rules.conditions import Phase, State, Timing, due
from rules.engine import Engine
from rules.language.expression import Compiled
from rules.language.relation import Relation
from rules.language.summaries import Hour
from rules.language.terms import Type
from rules.language.trace import Form, Node, Trace
from rules.rule import Rule
from rules.watching import Runner, Watch

MAX_DELAY_MS = 24 * 3_600_000
"""How much of a delay is played. How long a longer one has run is known from the records alone."""
_MIN_SPAN_MS = HEARTBEAT_MS + 60_000
_TICKS = 600
"""Ticks in a span at least; never more often than one a second."""


@dataclass(frozen=True, slots=True)
class Input:
    """One point that a rule looks at: its newest reading (value None unless good), and since when (0: none yet)."""

    asset: str
    point: Point
    value: Value
    quality: Quality | None
    at: int


@dataclass(frozen=True, slots=True)
class Account:
    """A rule at an asset at an instant: what each expression gives, its inputs, and its condition's delays.

    `truth`: whether it wants to raise, enabling conditions included. `in_hours` None where it has no hours. `due`: when
    the delay that runs will be over.
    """

    asset: str
    rule: Rule
    at: int
    when: Node
    clear: Node | None
    enable: Node | None
    suppress: Node | None
    in_hours: bool | None
    truth: bool | None
    cleared: bool | None
    inputs: tuple[Input, ...]
    state: State
    timing: Timing

    @property
    def due(self) -> int | None:
        """When the delay that runs will be over if nothing changes."""
        return due(self.state, self.timing)

    @property
    def is_check(self) -> bool:
        """Whether it is a check of the data itself, of which each point has several."""
        return self.when.form is Form.CHECK

    @property
    def verdict(self) -> str:
        """One word: active, clearing, pending, paused, unknown, outside_hours, disabled, or watching."""
        phase = self.state.phase
        if phase in (Phase.ACTIVE, Phase.CLEARING):
            return phase.value
        if phase is Phase.PENDING:
            return "paused" if self.state.running is None else "pending"
        if self.truth is None:
            return "unknown"
        if self.in_hours is False:
            return "outside_hours"
        return "disabled" if self.when.value and not self.truth else "watching"


def span_of(items: Iterable[CompiledRule]) -> int:
    """How much (ms) has to be played before an instant: windows, delays, and the longest that a reading holds."""
    wanted = [_MIN_SPAN_MS]
    for item in items:
        delay = min(_delay_ms(item), MAX_DELAY_MS)
        wanted.append(round(item.longest_window * 1000) + delay + _MIN_SPAN_MS)
    return max(wanted)


def is_cut(item: CompiledRule) -> bool:
    """Whether a delay of it is longer than is ever played."""
    return _delay_ms(item) > MAX_DELAY_MS


def _delay_ms(item: CompiledRule) -> int:
    return round(max(item.rule.delay, item.rule.clear_delay) * 1000)


class Scene:
    """Some rules of one asset, ready to be played. `assets` are those whose readings it wants."""

    def __init__(
        self,
        book: Rulebook,
        asset: str,
        items: Sequence[CompiledRule],
        assets: Mapping[str, Asset],
        catalog: Catalog,
    ) -> None:
        self._catalog = catalog
        self._asset = asset
        self._site = assets
        self._kinship = book.kinship
        self._items = {(item.rule.id, item.rule.index): item for item in items}
        self.assets = _asked(book, asset, items)
        derived = DerivedPoints(tuple(item for item in book.derived.order if item[0] in self.assets))
        by_asset = {name: tuple(items) if name == asset else () for name in sorted(self.assets)}
        self._engine = Engine(replace(book, by_asset=by_asset, derived=derived, linkage=()), assets, catalog)
        self._watches: Mapping[str, Watch] = self._engine.watches
        self._next_tick = 0

    def play(self, samples: Iterable[Sample], start: int, until: int) -> int:
        """Tell it the readings up to `until`, the oldest first, with the time between them; how many there were."""
        step, count = max(1000, (until - start) // _TICKS), 0
        self._next_tick = self._next_tick or start
        for sample in samples:
            if sample.at > until:
                break
            self._pass(sample.at, step)
            self._engine.on_sample(sample)
            count += 1
        self._pass(until, step)
        self._engine.on_tick(until)
        return count

    @property
    def series(self) -> frozenset[str]:
        """The texts of the series whose hourly summaries its baselines and trends want."""
        return frozenset(series for _, series, _ in self._engine.summaries)

    def load(self, summaries: Mapping[tuple[str, str], Sequence[Hour]]) -> None:
        """Take up the complete hours of its series, by (asset, series), the oldest first; before it is played."""
        for asset, series, hours in self._engine.summaries:
            hours.load(summaries.get((asset, series), ()))

    def hush(self, points: Iterable[tuple[str, str]], at: int) -> None:
        """These (asset, point) have nobody to speak for them now."""
        for asset, point in points:
            self._engine.hush(asset, [point], at)

    def recorded(self, seen: Mapping[str, Mapping[str, Value]], at: int) -> bool:
        """Take the readings that a transition kept (JournalRow.seen) where they differ; whether any did."""
        differed = False
        for place, kept in seen.items():
            asset, _, key = place.rpartition("/")
            watch = self._watches.get(asset or self._asset)
            slot = watch.frame.slots.get(key) if watch else None
            if watch is None or slot is None or slot.value == kept.get("value"):
                continue
            quality, told_at = kept.get("quality"), kept.get("at")
            if not isinstance(quality, str) or not isinstance(told_at, int):
                continue
            slot.take(told_at, kept.get("value"), Quality(quality))
            watch.frame.fed(at, [slot])
            differed = True
        return differed

    def account(self, rule: Rule, at: int, *, state: State | None = None) -> Account:
        """What a rule comes to at `at`, up to which it was played. `state`: its condition's, where that is known."""
        item = self._items[rule.id, rule.index]
        watch = self._watches[self._asset]
        runner = next(found for found in watch.runners if (found.rule.id, found.rule.index) == (rule.id, rule.index))
        watch.frame.now = at
        truth, cleared = runner.truths(runner.when())
        clear, enable, suppress = (
            self._laid_open(found, item) if found else None for found in (item.clear, item.enable, item.suppress)
        )
        return Account(
            asset=self._asset,
            rule=item.rule,
            at=at,
            when=self._laid_open(item.when, item),
            clear=clear,
            enable=enable,
            suppress=suppress,
            in_hours=runner.enable[-1]() if item.rule.schedule else None,
            truth=truth,
            cleared=cleared,
            inputs=tuple(self._inputs(runner)),
            state=state or runner.state,
            timing=runner.timing,
        )

    def _laid_open(self, item: Compiled, of_rule: CompiledRule) -> Node:
        frame = self._watches[self._asset].frame
        if of_rule.watched or of_rule.guarded:
            name = item.text.split("(", 1)[0]
            point = frame.slot(of_rule.watched or of_rule.guarded).point
            return Node(Form.CHECK, Type.TRUTH, item.text, item.bind(frame)(), name=name, point=point)
        of = self._catalog.classes[self._site[self._asset].asset_class]
        trace = Trace(item.text, of, index=of_rule.rule.index, classes=self._catalog.classes)
        return trace.over(frame, self._names)

    def _names(self, relation: Relation) -> Sequence[str]:
        return self._kinship.related(self._asset, relation)

    def _inputs(self, runner: Runner) -> Iterable[Input]:
        for key, slot in {**runner.slots, **runner.asked}.items():
            asset = key.rpartition("/")[0] or self._asset
            yield Input(asset, slot.point, slot.value, slot.quality, slot.at)

    def _pass(self, until: int, step: int) -> None:
        while self._next_tick < until:
            self._engine.on_tick(self._next_tick)
            self._next_tick += step


def _asked(book: Rulebook, asset: str, items: Iterable[CompiledRule]) -> frozenset[str]:
    """The asset, and every other one that its rules and its derived points look at, however far that goes."""
    derived: dict[str, list[Compiled]] = {}
    for name, point in book.derived.order:
        derived.setdefault(name, []).append(point.compiled)
    found: set[str] = set()
    ahead = [(asset, relation) for item in items for relation in item.relations]
    names = [asset]
    while names or ahead:
        for name, relation in ahead:
            names += book.kinship.related(name, relation)
        ahead = []
        for name in names:
            if name not in found:
                found.add(name)
                ahead += [(name, relation) for item in derived.get(name, ()) for relation in item.relations]
        names = []
    return frozenset(found)
