"""The linkage of a site's fire panels, as a judge beside the engine: readings and ticks in, judgements out. Sans-IO.

A run begins when two devices of a zone agree or the panel says that it has started, whichever is earlier, and ends when
the fire is reset or everything has been decided for a while. Readings are only noted; ticks decide. `dirty` are the
runs that have to be written down again: their state goes into the records with the cursors of the rules, so that a
restart takes a run up with its T0 and all that was seen.

Outside any run two things are looked at: an effect that is there though nothing asked for it, and one whose feedback
has been bad for a minute: nobody would see it act.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from facility.assets import Asset
from facility.catalog import Catalog
from facility.readings import Sample, Value
from rules.effects import Judgement
from rules.language.expression import Compiled
from rules.linkage.alarms import UNEXPECTED, UNKNOWN, common, of_verdict, rules_of
from rules.linkage.matrix import Effect, Matrix, Term
from rules.linkage.run import Change, EffectRecord, Run, Seen, begin, copy
from rules.linkage.standing import Standing
from rules.linkage.verdicts import ALARMED
from rules.linkage.watch import Watched, watched
from rules.rule import Rule

FUTURE_MS = 300_000
"""A sample further ahead of the newest tick is not believed."""
OLD_MS = 300_000
"""What is found out so late pages nobody."""
UNEXPECTED_MS = 3_000
"""How long an effect has to be there unasked: its command may be read a moment later."""
BLIND_MS = 60_000
"""How long a feedback has to be bad outside a run."""

Key = tuple[str, int, str]
Mode = Callable[[str, int, int], str]
"""(panel, zone, instant) -> how a fire there is to be taken: real or drill."""


def always_real(_panel: str, _zone: int, _at: int) -> str:
    """The Mode of somebody who knows of no drill."""
    return "real"


class Linkage:
    """Every panel of a site that has a matrix; `mode` says which runs are drills."""

    def __init__(
        self,
        site: str,
        matrices: Iterable[Matrix],
        assets: Mapping[str, Asset],
        catalog: Catalog,
        mode: Mode = always_real,
    ) -> None:
        self._site = site
        self._ticked = 0
        found = tuple(matrices)
        names = [name for matrix in found for name in _assets(matrix)]
        self._watched = watched(names, assets, catalog)
        self._panels = [_Panel(site, matrix, self._watched, mode) for matrix in found]
        self.rules = tuple(rule for panel in self._panels for rule in panel.rules)
        self.keys = frozenset(
            (rule.id, rule.index, panel.matrix.panel) for panel in self._panels for rule in panel.rules
        )

    @property
    def runs(self) -> list[Run]:
        """Those that are being judged, and those whose fire has not been reset."""
        return [run for panel in self._panels for run in panel.runs.values()]

    def take_dirty(self) -> list[Run]:
        """The runs that changed since this was asked last, as they are now; `put_back` what could not be written."""
        return [copy(run) for panel in self._panels for run in panel.take_dirty()]

    def put_back(self, runs: Iterable[Run]) -> None:
        """They were not written after all."""
        for run in runs:
            for panel in self._panels:
                if panel.matrix.panel == run.panel:
                    panel.dirty.setdefault(run.id, panel.runs.get(run.id, run))

    @property
    def is_dirty(self) -> bool:
        """Whether a run has to be written."""
        return any(panel.dirty for panel in self._panels)

    def restore(self, runs: Iterable[Run], active: Iterable[Key]) -> None:
        """Take up the runs as they were written, and the alarms that stand."""
        alarms = set(active)
        for panel in self._panels:
            panel.restore([run for run in runs if run.panel == panel.matrix.panel], alarms)

    def warm(self, sample: Sample) -> None:
        """Take a stored sample as known; nothing is judged by it."""
        if watch := self._watched.get(sample.asset):
            watch.take(sample)

    def on_sample(self, sample: Sample) -> list[Judgement]:
        """Take one sample; judgements only when a run ends by it."""
        watch = self._watched.get(sample.asset)
        if watch is None or (self._ticked and sample.at > self._ticked + FUTURE_MS):
            return []
        taken = watch.take(sample)
        return [item for panel in self._panels for item in panel.look(sample.asset, taken, sample.at)]

    def on_tick(self, at: int) -> list[Judgement]:
        """Let time pass up to `at`; every reading up to then that will come in time has been given."""
        self._ticked = max(self._ticked, at)
        for name, watch in self._watched.items():
            if old := watch.pass_to(at):
                for panel in self._panels:
                    panel.note(name, old, at)
        found = [item for panel in self._panels for item in panel.tick(at)]
        return [replace(item, historical=item.at < at - OLD_MS) for item in found]

    def hush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """Nobody speaks for these points now."""
        return self._turn(asset, at, lambda watch: {slot.point.key for slot in watch.frame.hush(at, points)})

    def unhush(self, asset: str, points: Iterable[str], at: int) -> list[Judgement]:
        """They count again, as they were told last."""
        return self._turn(asset, at, lambda watch: {slot.point.key for slot in watch.frame.unhush(at, points)})

    def _turn(self, asset: str, at: int, turn: Callable[[Watched], set[str]]) -> list[Judgement]:
        watch = self._watched.get(asset)
        turned = turn(watch) if watch else set()
        return [item for panel in self._panels for item in panel.look(asset, turned, at)]


class _Panel:
    """One matrix with its runs: those that are judged, and those whose fire has not been reset."""

    def __init__(self, site: str, matrix: Matrix, watches: Mapping[str, Watched], mode: Mode) -> None:
        self._mode = mode
        self.matrix = matrix
        self.rules = rules_of([matrix])
        self.runs: dict[str, Run] = {}
        self.dirty: dict[str, Run] = {}
        self._site = site
        self._watches = watches
        self._panel = watches[matrix.panel]
        self._effects = {effect.number: effect for effect in matrix.effects}
        self._raised: dict[tuple[str, int], set[str]] = {}
        self._fresh = True
        self._standing = {
            number: (Standing(UNEXPECTED_MS, needs_rest=True), Standing(BLIND_MS)) for number in self._effects
        }
        self._causes = {point for condition in _causes(matrix) for point in condition.points}
        self._bind()

    def _bind(self) -> None:
        for condition in _causes(self.matrix):
            self._panel.bind(condition, condition.text + repr(condition.points))
        for effect in self.matrix.effects:
            for given in (effect.command, effect.unexpected):
                if given:
                    self._panel.bind(given, given.text)
            for proof in effect.proofs:
                for term in proof.terms:
                    self._watches[term.asset].bind(term.condition, term.text)

    def restore(self, runs: Iterable[Run], alarms: set[Key]) -> None:
        self.runs = {run.id: run for run in runs}
        for run in self.runs.values():
            for record in run.effects:
                effect = self._effects.get(record.number)
                rule = of_verdict(record.verdict, effect) if effect else None
                if rule:
                    self._raised.setdefault((rule.id, rule.index), set()).add(run.id)
        for number, (unasked, blind) in self._standing.items():
            unasked.active = (UNEXPECTED, number, self.matrix.panel) in alarms
            blind.active = (UNKNOWN, number, self.matrix.panel) in alarms and (UNKNOWN, number) not in self._raised
            for name, standing in ((UNEXPECTED, unasked), (UNKNOWN, blind)):
                if standing.active:
                    self._raised.setdefault((name, number), set()).add(name)

    def take_dirty(self) -> list[Run]:
        found, self.dirty = list(self.dirty.values()), {}
        return found

    # what is seen

    def look(self, asset: str, points: set[str], at: int) -> list[Judgement]:
        """Note what new readings say; a fire begins or ends by them at once."""
        self.note(asset, points, at)
        if asset == self.matrix.panel and (self._fresh or points & self._causes):
            self._fresh = False
            return self._cause(at)
        return []

    def note(self, asset: str, points: set[str], at: int) -> None:
        """Tell the live runs what became of the conditions that look at these points."""
        for run in self.runs.values():
            if run.is_live:
                for effect in run.effects:
                    self._note(run, effect.number, at, asset=asset, points=points)

    def _note(self, run: Run, number: int, at: int, *, asset: str = "", points: set[str] | None = None) -> None:
        """All conditions of an effect, or those that look at these points of this asset."""
        record, effect = run.effect(number), self._effects.get(number)
        if record is None or effect is None:
            return
        for seen, term in _pairs(record, effect, self.matrix.panel):
            used = term.condition.points
            if points is None or (term.asset == asset and points.intersection(used)):
                watch = self._watches[term.asset]
                if seen.note(watch.truth(term.condition, term.text), max(at, run.t0), watch.facts(used)):
                    self.dirty[run.id] = run

    # causes

    def _cause(self, at: int) -> list[Judgement]:
        """Begin a run for what is confirmed, end all when the fire is reset."""
        truth = self._truth
        if truth(self.matrix.fire) is False and not (self.matrix.started and truth(self.matrix.started)):
            return self._reset(at)
        for zone in self.matrix.zones:
            if self._is_confirmed(zone.confirmed, zone.devices):
                self._begin(zone.number, at, "zone")
        if self.matrix.started and truth(self.matrix.started) and not self.runs:
            self._begin(self._zone_in_alarm(), at, "started")
        return []

    def _truth(self, condition: Compiled) -> bool | None:
        return self._panel.truth(condition, condition.text + repr(condition.points))

    def _is_confirmed(self, confirmed: Compiled | None, devices: Iterable[Compiled]) -> bool:
        if confirmed is not None and self._truth(confirmed):
            return True
        return sum(self._truth(device) is True for device in devices) >= 2

    def _zone_in_alarm(self) -> int:
        return next((zone for zone, condition in self.matrix.alarm.items() if self._truth(condition)), 0)

    def _begin(self, zone: int, at: int, cause: str) -> None:
        for run in self.runs.values():
            if run.zone == zone:
                return
            if run.zone == 0 and run.is_live:  # the start signal came before the zone: it is the same fire
                run.zone = zone
                label = self.matrix.label(zone)
                run.zone_label = type(run.zone_label)(label.zh, label.en)
                self.dirty[run.id] = run
                return
        mark = hashlib.sha256(f"{self._site}|{self.matrix.panel}|{zone}".encode()).hexdigest()[:10]
        mode = self._mode(self.matrix.panel, zone, at)
        run = begin(self.matrix, run_id=f"L{at:011x}{mark}", site=self._site, zone=zone, t0=at, cause=cause, mode=mode)
        self.runs[run.id] = self.dirty[run.id] = run
        for effect in run.effects:
            self._note(run, effect.number, at)

    def _reset(self, at: int) -> list[Judgement]:
        found: list[Judgement] = []
        for run in list(self.runs.values()):
            if run.is_live:
                found += self._advance(run, at)
                found += self._told(run, run.close(at, "reset"))
            found += self._release(run, at)
        return found

    def _release(self, run: Run, at: int) -> list[Judgement]:
        """The fire is reset: nothing that was missing is missed any more."""
        run.held = False
        self.dirty[run.id] = run
        del self.runs[run.id]
        found = []
        for name, number in [key for key, holders in self._raised.items() if run.id in holders]:
            found += self._clear(name, number, run.id, at)
        return found

    # time

    def tick(self, at: int) -> list[Judgement]:
        """Decide what is due."""
        found: list[Judgement] = []
        if self._fresh:
            self._fresh = False
            newest = self._panel.newest(self._causes)
            if newest:
                found += self._cause(min(at, newest))
        for run in list(self.runs.values()):
            if run.is_live:
                found += self._advance(run, at)
                settled = run.settled_at
                if settled is not None and settled <= at:
                    found += self._told(run, run.close(settled, "settled"))
        return found + self._outside(at)

    def _advance(self, run: Run, at: int) -> list[Judgement]:
        return self._told(run, run.advance(at))

    def _told(self, run: Run, changes: Iterable[Change]) -> list[Judgement]:
        """The alarms that follow from verdicts."""
        found = []
        for number, before, after, at in changes:
            self.dirty[run.id] = run
            effect = self._effects.get(number)
            if effect is None:
                continue
            old = of_verdict(before, effect) if before in ALARMED else None
            new = of_verdict(after, effect) if after in ALARMED else None
            if old:
                found += self._clear(old.id, old.index, run.id, at)
            if new:
                found += self._raise(new, effect, run.id, at, since=run.t0)
        if not run.is_live:
            self.dirty[run.id] = run
        return found

    def _outside(self, at: int) -> list[Judgement]:
        """What is there unasked, and what could not be seen, while nothing burns."""
        found: list[Judgement] = []
        calm = not self.runs
        for number, (unasked, blind) in self._standing.items():
            effect = self._effects[number]
            if effect.excused:
                continue
            told = (
                (UNEXPECTED, unasked, self._unasked(unasked, effect, at) if calm else unasked.spare()),
                (UNKNOWN, blind, blind.step((calm or blind.active) and self._is_blind(effect), at)),
            )
            for name, standing, event in told:
                if event == "raise":
                    found += self._raise(common(name, effect), effect, name, at, since=standing.since)
                elif event == "clear":
                    found += self._clear(name, number, name, at)
        return found

    def _unasked(self, standing: Standing, effect: Effect, at: int) -> str:
        condition = effect.unexpected
        return standing.step(self._panel.truth(condition, condition.text), at) if condition else ""

    def _is_blind(self, effect: Effect) -> bool:
        if effect.fallback:  # what it replaces looks at the same
            return False
        terms = [term for proof in effect.proofs for term in proof.terms]
        return any(self._watches[term.asset].is_blind(term.condition.points) for term in terms)

    # alarms

    def _raise(self, rule: Rule, effect: Effect, holder: str, at: int, *, since: int) -> list[Judgement]:
        holders = self._raised.setdefault((rule.id, rule.index), set())
        first = not holders
        holders.add(holder)
        if not first:
            return []
        return [Judgement(rule, self.matrix.panel, "raise", at, min(since, at), self._facts(effect))]

    def _clear(self, name: str, number: int, holder: str, at: int) -> list[Judgement]:
        holders = self._raised.get((name, number), set())
        holders.discard(holder)
        if holders or (name, number) not in self._raised:
            return []
        del self._raised[name, number]
        effect = self._effects.get(number)
        rule = next((rule for rule in self.rules if (rule.id, rule.index) == (name, number)), None)
        return [Judgement(rule, self.matrix.panel, "clear", at, at, self._facts(effect))] if rule and effect else []

    def _facts(self, effect: Effect) -> dict[str, Value]:
        """The newest values that the proofs rest on; those of other assets under the asset's name."""
        found: dict[str, Value] = {}
        for proof in effect.proofs:
            for term in proof.terms:
                own = term.asset == self.matrix.panel
                for point, (value, _, _) in self._watches[term.asset].facts(term.condition.points).items():
                    found[point if own else f"{term.asset} {point}"] = value
        return found


def _pairs(record: EffectRecord, effect: Effect, panel: str) -> Iterator[tuple[Seen, Term]]:
    """What a run has seen of an effect, each beside its condition; what has changed in the matrix since is left out."""
    known = {(term.asset, term.text): term for proof in effect.proofs for term in proof.terms}
    for proof in record.proofs:
        for seen in proof.terms:
            if (seen.asset, seen.text) in known:
                yield seen, known[seen.asset, seen.text]
    if record.command and effect.command and record.command.text == effect.command.text:
        yield record.command, Term(panel, effect.command, effect.limit)


def _causes(matrix: Matrix) -> list[Compiled]:
    found = [matrix.fire, *([matrix.started] if matrix.started else []), *matrix.alarm.values()]
    for zone in matrix.zones:
        found += [*([zone.confirmed] if zone.confirmed else []), *zone.devices]
    return found


def _assets(matrix: Matrix) -> list[str]:
    terms = [term.asset for effect in matrix.effects for proof in effect.proofs for term in proof.terms]
    return [matrix.panel, *terms]
