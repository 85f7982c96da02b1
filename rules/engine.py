"""The sans-IO heart of the rules: readings and ticks in, judgements out. It never looks at a clock.

Each asset has a frame (the newest reading of each point, and windows) and one runner a rule (the rule's bound
expressions and the state of its condition). A sample updates the frame, then judges only the rules that look at one
of its points. A tick lets delays run out, tells the silent points (no good reading for heartbeat + 3 intervals) as
stale, and judges the rules that time alone can change, those with windows or hours, each every sixtieth of its
shortest window.

Time is the readings' own. A delay runs out at `since + delay`, whether a tick or a later reading finds it out, so how
samples are batched and how often the engine is ticked changes no judgement. `on_tick(at)` says: every reading up to
`at` that will come in time has been given; tick a little behind the clock where readings travel for long.

Only what is newer counts: a reading not newer than the last one of its asset and point is counted and passed over, be
it a duplicate or history that comes after live readings. History that *is* newer (a gateway was cut off and tells
what it missed) is judged in its own order, and delays are not run out by ticks while it is coming in. What it raises
or clears is marked `historical` when it is older than five minutes.

After a restart: `restore` with the alarms that the records hold as active and the delays that ran, `warm` with stored
samples in order (fills frames, starts delays of which nothing is known, judges nothing), then readings and ticks. The
first tick looks at every rule, so a condition that began while nobody watched is raised then, and one that ended is
cleared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from zoneinfo import ZoneInfo

from facility.assets import Asset
from facility.catalog import Catalog
from facility.readings import Quality, Sample
from rules.book.compiled import Rulebook
from rules.conditions import ACTIVE, Phase, State, observe, settle, step
from rules.deriving import Deriving
from rules.effects import Judgement, Seen, Standing
from rules.language.frame import Frame, Slot
from rules.language.summaries import Hours
from rules.watching import NEVER, Calendar, Runner, Verdicts, Watch, concerned, end_hours, frames_of, link

FUTURE_MS = 300_000
"""A sample further ahead of the newest tick is not believed: it makes its points bad now, and shuts out nothing."""
OLD_MS = 300_000
"""History older than this pages nobody."""
SHOWN_FAULTS = 20
"""Rules whose faults (divisions by zero, overflows) are shown one by one."""
REPLAY_MS = 5_000
"""How long after the last historical sample of an asset its delays wait for more of them."""
QUARTER_MS = 900_000
"""Hours begin at a quarter of an hour, everywhere."""

Key = tuple[str, int, str]
"""What an alarm is known by: rule id, index, asset."""
Turn = Callable[[Frame, int, Iterable[str]], list[Slot]]


class Engine:
    """Judges a site's readings by its rulebook.

    `counts`: what was not used, by reason: unknown_asset, old, future, mistyped. `assets` gives the rated values.
    `watches`: what is kept of each asset, for whoever explains it.
    """

    def __init__(
        self, rules: Rulebook, assets: Mapping[str, Asset], catalog: Catalog, *, future_ms: int = FUTURE_MS
    ) -> None:
        self._future_ms = future_ms
        self.counts: Counter[str] = Counter()
        self._now = 0
        self._ticked = 0
        self._settled: set[Runner] = set()
        self._next_hour = 0
        calendar = Calendar(ZoneInfo(rules.time_zone), rules.holidays)
        frames = frames_of(rules, assets, catalog, calendar.zone)
        # a watch counts the points of its frame, and rules of other assets put theirs there too: all are bound first
        bound = {
            name: [Runner(item, frames[name], order=order, calendar=calendar) for order, item in enumerate(items)]
            for name, items in rules.by_asset.items()
        }
        self._deriving = Deriving(rules.derived.order, frames, rules.kinship)
        self.watches = {name: Watch(name, frames[name], runners, self._deriving) for name, runners in bound.items()}
        self._seen = link(self.watches, rules.kinship)
        self._by_key: dict[Key, tuple[Watch, Runner]] = {
            (item.rule.id, item.rule.index, watch.asset): (watch, item)
            for watch in self.watches.values()
            for item in watch.runners
        }

    def faults_by_rule(self) -> Counter[str]:
        """How often an expression had no finite answer (a division by zero, an overflow), by rule id."""
        return sum((watch.faults for watch in self.watches.values()), Counter[str]())

    def metrics(self) -> dict[str, float]:
        """Its counts and faults, and those of the rules that have the most, for /metrics (`rule_faults:<rule>`)."""
        faults = self.faults_by_rule()
        shown = {f"rule_faults:{rule}": number for rule, number in faults.most_common(SHOWN_FAULTS)}
        counts = {f"engine_{name}": number for name, number in self.counts.items()}
        return {name: float(n) for name, n in (counts | shown | {"engine_faults": faults.total()}).items()}

    @property
    def summaries(self) -> Iterator[tuple[str, str, Hours]]:
        """(asset, text of the series, hours) of everything that a baseline or a trend looks at."""
        for watch in self.watches.values():
            for series, hours in watch.frame.hours.items():
                yield watch.asset, series, hours

    def on_sample(self, sample: Sample, *, historical: bool = False) -> list[Judgement]:
        """Take one sample and judge what it changes. `historical`: it was replayed, not sent live."""
        at = sample.at
        watch = self.watches.get(sample.asset)
        if watch is None:
            self.counts["unknown_asset"] += 1
            return []
        if self._ticked and at > self._ticked + self._future_ms:
            self.counts["future"] += 1
            at = max(self._ticked, watch.frame.now + 1)
            sample = Sample(sample.asset, at, dict.fromkeys(sample.values), dict.fromkeys(sample.values, Quality.CLOCK))
        if historical:
            watch.replaying = self._ticked + REPLAY_MS
        elif at > self._now:
            self._now = at
        verdicts = Verdicts(self._now - OLD_MS)
        if watch.next_due <= at and (historical or watch.replaying <= self._ticked):
            self._settle(watch, at, verdicts, historical=historical)
        todo: Iterable[Runner] = self._take(watch, sample)
        if watch.is_fresh:
            watch.is_fresh = False
            watch.frame.begin(at)
            todo = watch.runners
        others = self._follow(watch, sample.values, at) if watch.outside or watch.feeds else {}
        if watch in others:
            todo = dict.fromkeys(chain(todo, others.pop(watch)))
        self._judge(watch, todo, at, verdicts, historical=historical)
        self._judge_others(others, at, verdicts, historical=historical)
        return verdicts.sorted()

    def on_tick(self, at: int) -> list[Judgement]:
        """Let time pass up to `at` (ms); every reading up to then that will come in time has been given."""
        self._ticked = max(self._ticked, at)
        self._now = max(self._now, at)
        verdicts = Verdicts(self._now - OLD_MS)
        self._expire_seen(at, verdicts)
        if at >= self._next_hour:
            self._next_hour = (at // QUARTER_MS + 1) * QUARTER_MS
            end_hours(self.watches.values(), at)
        for watch in self.watches.values():
            if watch.replaying > at:
                continue
            if watch.is_fresh:
                watch.frame.begin(at)
            if watch.next_due <= at:
                self._settle(watch, at, verdicts, historical=False)
            todo = dict(watch.runners) if watch.is_fresh else {}
            watch.is_fresh = False
            for group in watch.timed:
                if at >= group.next_at:
                    group.next_at = at + group.period
                    todo |= group.runners
            if watch.owed:
                todo |= watch.owed
                watch.owed = {}
            for slot in watch.frame.expire(at):
                todo |= watch.lookers(slot.point.key)
            watch.frame.now = max(watch.frame.now, at)
            self._judge(watch, todo, at, verdicts, historical=False)
        return verdicts.sorted()

    def hush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """Whoever told these points is gone: they are unknown from now on, and neither raise nor clear anything."""
        return self._turn(asset, Frame.hush, points, at)

    def unhush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """They count again, as they were told last."""
        return self._turn(asset, Frame.unhush, points, at)

    def warm(self, sample: Sample) -> None:
        """Take a stored sample as known: fills frames and starts delays, judges nothing. Before the first tick.

        What `restore` has set stands as it is: it knows of everything that these samples did.
        """
        watch = self.watches.get(sample.asset)
        if watch is None:
            return
        todo = self._take(watch, sample)
        others = self._follow(watch, sample.values, sample.at)
        self._observe(watch, dict.fromkeys(chain(todo, others.pop(watch, ()))), sample.at)
        for other, runners in others.items():
            self._observe(other, runners, other.later(sample.at))

    def learn(self, sample: Sample) -> None:
        """Take a stored sample into frames only: for summaries of a past that is not to be judged."""
        watch = self.watches.get(sample.asset)
        if watch is not None:
            self._take(watch, sample)
            self._follow(watch, sample.values, sample.at)

    def is_active(self, key: Key) -> bool:
        """Whether the rule's alarm stands."""
        return key in self._by_key and self._by_key[key][1].is_active

    def take_over(self, standing: Iterable[Standing]) -> None:
        """Take up conditions of an engine that judged a past which this one never saw; the next tick judges them.

        What is active here already stays as it is.
        """
        for item in standing:
            watch, runner = self._by_key[item.key]
            if not runner.is_active:
                watch.become(runner, item.state)
                watch.owed[runner] = None

    def take_told(self) -> list[Sample]:
        """The readings of derived points since the last call, the oldest first, without those that the store has."""
        return self._deriving.take_told()

    def snapshot(self) -> list[Standing]:
        """Every condition that is not normal, to be given to `restore`."""
        found = ((key, runner.state) for key, (_, runner) in self._by_key.items())
        return [Standing(key, state) for key, state in found if state.phase is not Phase.NORMAL]

    def condition(self, key: Key) -> tuple[bool | None, State] | None:
        """What a rule's `when` says now (None: unknown) and where its delays are; None if no such rule runs."""
        if key not in self._by_key:
            return None
        _, runner = self._by_key[key]
        return runner.truths(runner.when())[0], runner.state

    def changed_delays(self) -> dict[Key, State | None]:
        """The delays that changed since this was last asked: the condition's state, None where none waits any more."""
        return {
            (runner.rule.id, runner.rule.index, watch.asset): state
            for watch in self.watches.values()
            for runner, state in watch.take_changed()
        }

    def seen(self, asset: str, points: Iterable[str]) -> dict[str, Seen]:
        """What is known of these points of an asset now, as far as some rule looks at them."""
        watch = self.watches.get(asset)
        slots = watch.frame.slots if watch else {}
        return {key: Seen(slots[key].value, slots[key].quality, slots[key].at) for key in points if key in slots}

    def restore(
        self, active: Iterable[Key] = (), *, standing: Iterable[Standing] = (), quiet: Iterable[Key] = ()
    ) -> list[Key]:
        """Take up conditions where they stood: `active` alarms as the records have them, then a `snapshot`.

        `quiet` are the alarms that the records have as suppressed by the plant's own logic. Returns the keys that no
        rule answers to any more: their alarms will not clear by themselves.
        """
        lost = []
        for key, state in [*((key, ACTIVE) for key in active), *((item.key, item.state) for item in standing)]:
            if key in self._by_key:
                watch, runner = self._by_key[key]
                watch.become(runner, state)
                self._settled.add(runner)
            else:
                lost.append(key)
        for key in quiet:
            if key in self._by_key:
                watch, runner = self._by_key[key]
                runner.quiet = runner.inhibited = True
                watch.become(runner, runner.state)
        return lost

    def _observe(self, watch: Watch, runners: Iterable[Runner], at: int) -> None:
        """Take note of what the expressions say, without judging."""
        for runner in runners:
            runner.look_at_design()
            if runner in self._settled:
                continue
            truth, clear = runner.truths(runner.when())
            state = observe(runner.state, truth, clear, at=at, timing=runner.timing)
            if state is not runner.state:
                watch.become(runner, state)

    def _turn(self, asset: str, turn: Turn, points: Iterable[str], at: int) -> list[Judgement]:
        watch = self.watches.get(asset)
        if watch is None:
            return []
        at = max(at, watch.frame.now)
        verdicts = Verdicts(self._now - OLD_MS)
        if watch.next_due <= at:
            self._settle(watch, at, verdicts, historical=False)
        turned = turn(watch.frame, at, points)
        watch.frame.now = at
        keys = [slot.point.key for slot in turned]
        others = self._follow(watch, keys, at)
        runners = dict.fromkeys(chain(chain.from_iterable(map(watch.lookers, keys)), others.pop(watch, ())))
        self._judge(watch, runners, at, verdicts, historical=False)
        self._judge_others(others, at, verdicts, historical=False)
        return verdicts.sorted()

    def _expire_seen(self, at: int, verdicts: Verdicts) -> None:
        """Let points that other assets look at grow too old before any rule is judged by this tick."""
        for watch in self._seen:
            if watch.replaying > at:
                continue
            if watch.is_fresh:
                watch.frame.begin(at)
            if watch.next_due <= at:
                self._settle(watch, at, verdicts, historical=False)
            self._expire(watch, at)
        due = [node for node in self._deriving.due(at) if self.watches[node.asset].replaying <= at]
        for other, runners in concerned(self.watches, self._deriving.ripple((), at, also=due)).items():
            other.owed |= runners

    def _follow(self, watch: Watch, keys: Iterable[str], at: int) -> dict[Watch, dict[Runner, None]]:
        """Work out what follows from changed points of an asset; the runners that this and they concern elsewhere."""
        found = watch.seen_by(keys)
        if watch.feeds:
            changed = [(watch.asset, key) for key in keys if key in watch.feeds]
            for other, runners in concerned(self.watches, self._deriving.ripple(changed, at)).items():
                found.setdefault(other, {}).update(runners)
        return found

    def _judge_others(
        self, others: Mapping[Watch, Iterable[Runner]], at: int, verdicts: Verdicts, *, historical: bool
    ) -> None:
        """Judge the rules of other assets that something concerns; where history is told, the next tick does."""
        for other, runners in others.items():
            if other.replaying > self._ticked and not historical:
                other.owed.update(dict.fromkeys(runners))
            else:
                self._judge(other, runners, other.later(at), verdicts, historical=historical)

    def _take(self, watch: Watch, sample: Sample) -> Iterable[Runner]:
        """Put the readings into the frame; which rules have to be looked at."""
        at, quality, by_point = sample.at, sample.quality, watch.by_point
        if watch.by_derived:
            self._deriving.stored(sample)
        touched: list[dict[Runner, None]] = []
        turned: list[dict[Runner, None]] = []
        fed: list[Slot] = []
        for key, value in sample.values.items():
            entry = by_point.get(key)
            if entry is None:
                continue
            slot, runners = entry
            if at <= slot.at:
                self.counts["old"] += 1
                continue
            if not slot.take(at, value, quality.get(key, Quality.GOOD) if quality else Quality.GOOD):
                self.counts["mistyped"] += 1
            guard = slot.guard
            if guard is not None and guard.take(at):
                turned.append(watch.guarded[key])
            if slot.feeds:
                fed.append(slot)
            touched.append(runners)
        if at > watch.frame.now:
            watch.frame.now = at
        if fed:
            watch.frame.fed(at, fed)
        return watch.looking_at(touched, turned)

    def _judge(self, watch: Watch, runners: Iterable[Runner], at: int, verdicts: Verdicts, *, historical: bool) -> None:
        for runner in runners:
            truth = runner.when()
            if runner.calm if truth else runner.idle:
                continue
            truth, clear = runner.truths(truth)
            is_free = runner.suppress is None and not runner.quiet
            if not is_free:
                runner.look_at_design()
            before = runner.state
            state, event = step(before, truth, clear, at=at, timing=runner.timing)
            if state is not before:
                watch.become(runner, state)
            if event is not None:
                verdicts.add(watch, runner, event, historical=historical)
            if is_free:
                continue
            if runner.inhibited != runner.quiet and (runner.quiet or runner.is_active):
                verdicts.turn(watch, runner, at, quiet=runner.inhibited, historical=historical)
                watch.become(runner, runner.state)

    def _expire(self, watch: Watch, at: int) -> None:
        """Let points of an asset grow too old; whoever looks at them is owed a judgement."""
        for other, runners in self._follow(watch, watch.expire(at), at).items():
            other.owed |= runners

    def _settle(self, watch: Watch, at: int, verdicts: Verdicts, *, historical: bool) -> None:
        """Let delays run out, but none on what had grown too old before: a tick or a reading may come late."""
        for instant in () if watch.is_fresh else watch.frame.expiries(at):
            self._run_out(watch, instant, verdicts, historical=historical)
            self._expire(watch, instant)
            owed, watch.owed = watch.owed, {}
            self._judge(watch, owed, watch.later(instant), verdicts, historical=historical)
        self._run_out(watch, at, verdicts, historical=historical)

    def _run_out(self, watch: Watch, at: int, verdicts: Verdicts, *, historical: bool) -> None:
        runners = list(watch.open)
        watch.next_due = NEVER
        for runner in runners:
            state, event = settle(runner.state, at=at, timing=runner.timing)
            watch.become(runner, state)
            if event is not None:
                verdicts.add(watch, runner, event, historical=historical)
