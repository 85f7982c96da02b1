"""What the engine keeps of each asset: its frame, its rules bound to it, and what their conditions have come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from zoneinfo import ZoneInfo

from facility.assets import Asset
from facility.catalog import Catalog
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.kinship import Kinship
from rules.conditions import NORMAL, Event, Phase, State, Timing, due
from rules.deriving import Deriving, Place
from rules.effects import Judgement, Kind, Seen
from rules.language.frame import Frame, Guard, Slot
from rules.language.relation import Relation
from rules.language.trends import seconds_of_readings
from rules.rule import Rule
from rules.schedule import Hours

NEVER = 1 << 62
MAX_ASKED = 20
"""Points of other assets that a judgement tells as facts."""
HOURS_SECONDS = 600.0
"""Rules with hours, or with `since`, are looked at as if they had a window of this length: every 10 s."""

Truth = Callable[[], bool | None]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local time of a site, and its holidays."""

    zone: ZoneInfo
    holidays: frozenset[date]


class Watched:
    """What the loop over all runners looks at, side by side in memory: most of its time is waiting for memory.

    While `idle` only a true condition changes anything, while `calm` a true one changes nothing.
    """

    __slots__ = ("calm", "idle", "when")


class Runner(Watched):
    """One rule at one asset. `slots` are its own points, `asked` those of other assets by `asset/point`.

    `inhibited`: what its `suppress` said when it was last known; `quiet`: the records have been told so.
    """

    __slots__ = (
        "asked", "clear", "enable", "guard", "inhibited", "order", "period", "quiet", "relations", "rule", "slots",
        "state", "suppress", "timing", "watched",
    )  # fmt: skip

    def __init__(self, item: CompiledRule, frame: Frame, *, order: int, calendar: Calendar) -> None:
        self.rule: Rule = item.rule
        self.order = order
        self.period = _period(item)
        self.timing = Timing(round(item.rule.delay * 1000), round(item.rule.clear_delay * 1000))
        self.slots: dict[str, Slot] = {key: frame.slot(key) for key in item.points}
        self.relations = item.relations
        self.asked: dict[str, Slot] = {}
        frame.blame(item.rule.id)
        self.when: Truth = item.when.bind(frame)
        self.clear: Truth | None = item.clear.bind(frame) if item.clear else None
        self.enable: tuple[Truth, ...] = (item.enable.bind(frame),) if item.enable else ()
        if item.rule.schedule:
            self.enable += (_hours(item.rule.schedule, frame, calendar),)
        self.watched = item.watched
        self.guard: Guard | None = frame.slot(item.guarded).guard if item.guarded else None
        self.suppress: Truth | None = item.suppress.bind(frame) if item.suppress else None
        self.inhibited = False
        self.quiet = False
        self.idle = self.suppress is None
        self.calm = False
        self.state = NORMAL

    @property
    def is_active(self) -> bool:
        """Whether the records have its alarm as active."""
        return self.state.phase in (Phase.ACTIVE, Phase.CLEARING)

    def look_at_design(self) -> None:
        """Whether the plant's own logic wants the alarm quiet; while that is unknown, as it was."""
        wanted = self.suppress() if self.suppress else False
        if wanted is not None:
            self.inhibited = wanted

    def truths(self, truth: bool | None) -> tuple[bool | None, bool | None]:
        """(raise, clear) with the enabling conditions: without them a rule neither raises nor clears."""
        cleared: bool | None = None if truth is None else not truth
        if self.clear is not None:
            cleared = self.clear()
        for enable in self.enable:
            enabled = enable()
            if enabled is True:
                continue
            cleared = None
            truth = None if enabled is None and truth is not False else False
        return truth, cleared


class Group:
    """The rules of an asset that time alone can change, looked at every `period` ms."""

    __slots__ = ("next_at", "period", "runners")

    def __init__(self, period: int, runners: Iterable[Runner]) -> None:
        self.period = period
        self.next_at = 0
        self.runners = dict.fromkeys(runner for runner in runners if runner.period == period)


class Watch:
    """One asset: its frame, its runners, and which of them look at which point.

    `outside`: point -> the watches of other assets, and those of their runners that look at it here. `owed`: runners
    that are to be judged by the next tick. `by_derived`: its own runners by the points that are worked out, which no
    device tells; `feeds`: the points that something is worked out from.
    """

    __slots__ = (
        "asset", "by_derived", "by_point", "changed", "feeds", "frame", "guarded", "is_fresh", "looking", "next_due",
        "open", "outside", "owed", "replaying", "runners", "timed",
    )  # fmt: skip

    def __init__(self, asset: str, frame: Frame, runners: list[Runner], deriving: Deriving) -> None:
        self.asset = asset
        self.feeds = deriving.looked_at(asset)
        derived = deriving.derived(asset)
        self.frame = frame
        self.runners = dict.fromkeys(runners)
        self.timed = [Group(period, runners) for period in sorted({item.period for item in runners if item.period})]
        self.open: dict[Runner, None] = {}
        self.changed: dict[Runner, None] = {}
        self.next_due = NEVER
        told = [runner for runner in runners if not runner.watched]
        looking = {key: dict.fromkeys(runner for runner in told if key in runner.slots) for key in frame.slots}
        self.by_point = {key: (slot, looking[key]) for key, slot in frame.slots.items() if key not in derived}
        self.by_derived = {key: looking[key] for key in derived}
        self.looking = dict.fromkeys(runner for runner in told if not derived.issuperset(runner.slots))
        self.guarded: dict[str, dict[Runner, None]] = {}
        for runner in runners:
            if runner.watched:
                self.guarded.setdefault(runner.watched, {})[runner] = None
        self.outside: dict[str, dict[Watch, dict[Runner, None]]] = {}
        self.owed: dict[Runner, None] = {}
        self.replaying = 0
        self.is_fresh = True

    def looking_at(
        self, touched: Sequence[dict[Runner, None]], turned: Sequence[dict[Runner, None]]
    ) -> Iterable[Runner]:
        """All rules of the points of one sample (`touched`), and those whose guard has something to say (`turned`)."""
        if turned:
            return dict.fromkeys(chain.from_iterable(chain(touched, turned)))
        if len(touched) == len(self.by_point):
            return self.looking
        return touched[0] if len(touched) == 1 else dict.fromkeys(chain.from_iterable(touched))

    def lookers(self, key: str) -> dict[Runner, None]:
        """The asset's own runners that look at one of its points."""
        if key in self.by_derived:
            return self.by_derived[key]
        return self.by_point[key][1] | self.guarded.get(key, {})

    def seen_by(self, keys: Iterable[str]) -> dict[Watch, dict[Runner, None]]:
        """The runners of other assets that look at one of these points, by their watch."""
        found: dict[Watch, dict[Runner, None]] = {}
        for key in keys:
            for watch, runners in self.outside.get(key, {}).items():
                found.setdefault(watch, {}).update(runners)
        return found

    @property
    def faults(self) -> Counter[str]:
        """How often an expression had no finite answer, by rule id."""
        return Counter({rule: tally.count for rule, tally in self.frame.tallies.items() if tally.count})

    def later(self, at: int) -> int:
        """The instant of another asset's reading, to this one: not before what it has seen itself."""
        self.frame.now = max(self.frame.now, at)
        return self.frame.now

    def expire(self, at: int) -> list[str]:
        """Let points grow too old, and owe their lookers a judgement; which points."""
        keys = [slot.point.key for slot in self.frame.expire(at)]
        for key in keys:
            self.owed |= self.lookers(key)
        return keys

    def take_changed(self) -> list[tuple[Runner, State | None]]:
        """The runners whose delay changed since this was last asked, with their state, None where none waits."""
        waiting = (Phase.PENDING, Phase.CLEARING)
        found = [(runner, runner.state if runner.state.phase in waiting else None) for runner in self.changed]
        self.changed.clear()
        return found

    def become(self, runner: Runner, state: State) -> None:
        """Keep the runner's new state, and note whether a delay is running."""
        runner.state = state
        self.changed[runner] = None
        is_free = runner.suppress is None and not runner.quiet
        runner.idle = is_free and state.phase is Phase.NORMAL
        running = state.phase is Phase.PENDING and state.running is not None and not runner.enable
        runner.calm = is_free and (running or state.phase is Phase.ACTIVE)
        if runner.guard is not None:
            runner.guard.distrust = state.phase in (Phase.ACTIVE, Phase.CLEARING)
        instant = due(state, runner.timing)
        if instant is None:
            self.open.pop(runner, None)
        else:
            self.open[runner] = None
            self.next_due = min(self.next_due, instant)


def link(watches: Mapping[str, Watch], kinship: Kinship) -> list[Watch]:
    """Tell every watch which runners of other assets look at its points; the watches that somebody looks at."""
    for watch in watches.values():
        for runner in watch.runners:
            for relation in runner.relations:
                for other in kinship.related(watch.asset, relation):
                    _show(watches[other], watch, runner, relation.points)
    return [watch for watch in watches.values() if watch.outside or watch.feeds]


def _show(seen: Watch, watch: Watch, runner: Runner, points: Iterable[str]) -> None:
    for key in points:
        seen.outside.setdefault(key, {}).setdefault(watch, {})[runner] = None
        if len(runner.asked) < MAX_ASKED:
            runner.asked[f"{seen.asset}/{key}"] = seen.frame.slots[key]


def frames_of(rules: Rulebook, assets: Mapping[str, Asset], catalog: Catalog, zone: ZoneInfo) -> dict[str, Frame]:
    """An empty frame for each asset; each knows those that its relations ask."""
    frames = {
        name: Frame(catalog.classes[assets[name].asset_class].points, assets[name].rated, zone=zone)
        for name in rules.by_asset
    }
    for name, frame in frames.items():

        def relatives(relation: Relation, name: str = name) -> list[Frame]:
            return [frames[other] for other in rules.kinship.related(name, relation)]

        frame.relatives = relatives
    return frames


def concerned(watches: Mapping[str, Watch], derived: Iterable[Place]) -> dict[Watch, dict[Runner, None]]:
    """The runners, of whatever asset, that look at these derived points."""
    found: dict[Watch, dict[Runner, None]] = {}
    for asset, key in derived:
        watch = watches[asset]
        found.setdefault(watch, {}).update(watch.lookers(key))
        for other, runners in watch.seen_by([key]).items():
            found.setdefault(other, {}).update(runners)
    return found


def end_hours(watches: Iterable[Watch], at: int) -> None:
    """Complete the hours of the series that change so seldom that nobody else does."""
    for watch in watches:
        if watch.replaying <= at:
            for hours in watch.frame.hours.values():
                hours.advance(at)


class Verdicts:
    """Judgements as they come; `sorted` puts them into their time's and their rules' order."""

    __slots__ = ("_items", "_since")

    def __init__(self, since: int) -> None:
        self._items: list[tuple[int, int, Judgement]] = []
        self._since = since

    def add(self, watch: Watch, runner: Runner, event: Event, *, historical: bool) -> None:
        """One event as a judgement; what is suppressed is so before it is raised."""
        if event.kind == "raise" and runner.inhibited and not runner.quiet:
            self.turn(watch, runner, event.at, quiet=True, historical=historical)
        self._put(watch, runner, event.kind, event.at, event.since, historical=historical)

    def turn(self, watch: Watch, runner: Runner, at: int, *, quiet: bool, historical: bool) -> None:
        """The plant's own logic keeps the alarm quiet from now on, or no longer."""
        runner.quiet = quiet
        self._put(watch, runner, "suppress" if quiet else "release", at, at, historical=historical)

    def _put(self, watch: Watch, runner: Runner, kind: Kind, at: int, since: int, *, historical: bool) -> None:
        """A judgement with the values that the rule looked at."""
        slots = runner.slots | runner.asked
        facts = {key: slot.value for key, slot in slots.items()}
        seen = {key: Seen(slot.value, slot.quality, slot.at) for key, slot in slots.items()}
        old = historical and at < self._since
        judgement = Judgement(runner.rule, watch.asset, kind, at, since, facts, old, seen)
        self._items.append((at, runner.order, judgement))

    def sorted(self) -> list[Judgement]:
        """All of them."""
        if len(self._items) > 1:
            self._items.sort(key=lambda item: item[:2])
        return [judgement for _, _, judgement in self._items]


def _period(item: CompiledRule) -> int:
    """How often (ms) ticks look at a rule: a sixtieth of its shortest window, at least every second; 0 for never."""
    if not item.is_timed:
        return 0
    windows = [window for expression in item.expressions for window in expression.windows]
    spans = [HOURS_SECONDS if name == "since" else seconds_of_readings(name, seconds) for name, seconds in windows]
    return max(1000, round(min(spans, default=HOURS_SECONDS) * 1000 / 60))


def _hours(schedule: Sequence[Hours], frame: Frame, calendar: Calendar) -> Truth:
    """Whether the frame's instant lies in the local hours."""

    def evaluate() -> bool:
        local = datetime.fromtimestamp(frame.now / 1000, calendar.zone)
        return any(hours.holds(local, calendar.holidays) for hours in schedule)

    return evaluate
