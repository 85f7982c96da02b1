"""One run of a fire linkage: a confirmed fire, and what became of every effect since T0. Pure.

What is seen is noted with its own instant (`note`); what follows from it is decided by `advance`, so that how readings
are batched and how often time is told change no verdict. A run is also its own record: everything that a person wants
to know of it stands in it, with the texts as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from facility.readings import Value
from rules.linkage.matrix import Effect, Matrix, Proof, Term
from rules.linkage.verdicts import Event, Verdict, step

Facts = dict[str, tuple[Value, str, int]]
"""Point -> (value, quality, instant): what a condition rested on."""
NEVER = 1 << 53
_NOT_MISSED = (Verdict.PENDING, Verdict.CONFIRMED, Verdict.WEAK, Verdict.NOT_APPLICABLE)
"""While an effect is so, nothing has to come in its place."""


class Seen(msgspec.Struct):
    """What was seen of one condition. `limit`, `held_at` and the other instants in ms since 1970.

    `held_at`: when it was true first, T0 when it was before; `truth` since `truth_at` is the newest answer, None when
    it can't be seen; `by_limit` the last one within the limit, `seen_at` when it could be seen first after that;
    `fallen_at` when it was false first (for what has to stand).
    `facts` are the readings that made it true, else the newest ones.
    """

    asset: str
    text: str
    limit: int
    held_at: int | None = None
    truth: bool | None = None
    truth_at: int = 0
    by_limit: bool | None = None
    fallen_at: int | None = None
    facts: Facts = {}
    seen_at: int | None = None

    def note(self, truth: bool | None, at: int, facts: Facts) -> bool:
        """Take an answer; whether it is news."""
        news = truth is not self.truth
        if truth is not self.truth or not self.truth_at:
            self.truth_at = at
        self.truth = truth
        if at <= self.limit:
            self.by_limit = truth
        elif truth is not None and self.seen_at is None:
            self.seen_at = at
        if truth is False and self.fallen_at is None:
            self.fallen_at = at
        if truth and self.held_at is None:
            self.held_at = at
            self.facts = facts
        elif self.held_at is None:
            self.facts = facts
        return news

    @property
    def was_seen(self) -> bool:
        """Whether it is known what became of it by its limit, or it could be seen at some time since."""
        return self.by_limit is not None or self.seen_at is not None

    @property
    def in_time(self) -> bool:
        """Whether it was true within its limit."""
        return self.held_at is not None and self.held_at <= self.limit


class Text(msgspec.Struct, frozen=True):
    """A text in both languages, as it was when the run began."""

    zh: str
    en: str


class Part(msgspec.Struct):
    """One proof: `count` of its `terms` have to hold."""

    count: int
    part: str
    terms: list[Seen]

    def held(self, *, late: bool) -> int | None:
        """The instant at which enough of it held; None when too little did. `late`: also after the limits."""
        found = sorted(term.held_at for term in self.terms if term.held_at is not None and (late or term.in_time))
        return found[self.count - 1] if len(found) >= self.count else None

    def decided(self) -> tuple[int, Event]:
        """(when, what) is known of it at the latest: PROVEN, MISSING or BLIND."""
        held = self.held(late=False)
        if held is not None:
            return held, Event.PROVEN
        open_ = sorted(term.limit for term in self.terms if not term.in_time)
        there = len(self.terms) - len(open_)
        blind = sum(not term.in_time and term.by_limit is None for term in self.terms)
        event = Event.BLIND if there + blind >= self.count else Event.MISSING
        return open_[len(open_) - (self.count - there)], event

    def falls(self) -> int | None:
        """When too few of it were left standing; None while enough are."""
        fallen = sorted(term.fallen_at for term in self.terms if term.fallen_at is not None)
        spare = len(self.terms) - self.count
        return fallen[spare] if len(fallen) > spare else None

    def stands(self) -> bool | None:
        """Whether enough of it is true now; None when that can't be seen."""
        true = sum(term.truth is True for term in self.terms)
        unseen = sum(term.truth is None for term in self.terms)
        return True if true >= self.count else None if true + unseen >= self.count else False


class EffectRecord(msgspec.Struct):
    """One effect of the run. `limit` in ms since 1970; `at` when the verdict was reached, None while it is pending.

    `t_feedback` is when all of it was proven. `command` is what was seen of the command, if the panel repeats it.
    """

    number: int
    id: str
    label: Text
    action: Text
    basis: str
    limit: int
    verdict: Verdict
    at: int | None
    continuous: bool
    fallback: int
    reason: Text | None
    command: Seen | None
    proofs: list[Part]
    t_feedback: int | None = None

    @property
    def t_command(self) -> int | None:
        """When the panel commanded it; None when that was not seen."""
        return self.command.held_at if self.command else None

    @property
    def terms(self) -> Iterable[Seen]:
        """Every condition of it, the command too."""
        if self.command:
            yield self.command
        for proof in self.proofs:
            yield from proof.terms


class Change(NamedTuple):
    """An effect has another verdict since `at`."""

    effect: int
    before: Verdict
    after: Verdict
    at: int


class Run(msgspec.Struct):
    """A fire in one zone. `mode`: real, drill or test. `cause`: what began it (zone, started).

    `end`: reset or settled once it is over, empty before. `held`: the fire has not been reset yet, so that what stands
    of it is no new one. Instants are ms since 1970.
    """

    id: str
    site: str
    panel: str
    zone: int
    zone_label: Text
    t0: int
    cause: str
    mode: str
    effects: list[EffectRecord]
    settle: int
    ended_at: int | None = None
    end: str = ""
    held: bool = True

    @property
    def is_live(self) -> bool:
        """Whether it is still being judged."""
        return self.ended_at is None

    def effect(self, number: int) -> EffectRecord | None:
        """The effect with this number."""
        return next((effect for effect in self.effects if effect.number == number), None)

    def advance(self, now: int) -> list[Change]:
        """Decide what is known at `now`; the verdicts that changed, in their order of time."""
        if not self.is_live:
            return []
        changes: list[Change] = []
        for effect in sorted(self.effects, key=lambda item: item.fallback):
            if effect.verdict is not Verdict.NOT_APPLICABLE:
                changes += self._continuous(effect) if effect.continuous else self._decide(effect, now)
        return sorted(changes, key=lambda change: change.at)

    def close(self, at: int, end: str) -> list[Change]:
        """It is over: what has to stand has stood, or could not be seen."""
        changes = self.advance(at)
        for effect in self.effects:
            if effect.continuous and effect.verdict is Verdict.PENDING:
                stands = [proof.stands() for proof in effect.proofs]
                changes += self._move(effect, Event.PROVEN if all(stands) else Event.BLIND, at)
        self.ended_at, self.end = at, end
        return changes

    @property
    def settled_at(self) -> int | None:
        """When it is over because everything is decided; None while something is not."""
        open_ = [effect for effect in self.effects if effect.verdict is Verdict.PENDING and not effect.continuous]
        if open_:
            return None
        return max([self.t0, *(effect.at for effect in self.effects if effect.at is not None)]) + self.settle

    # verdicts

    def _decide(self, effect: EffectRecord, now: int) -> list[Change]:
        changes: list[Change] = []
        other = self.effect(effect.fallback) if effect.fallback else None
        if other and effect.verdict is Verdict.PENDING and other.verdict in _NOT_MISSED:
            at = other.at or self.t0
            return self._move(effect, Event.SPARED, at) if other.verdict is not Verdict.PENDING else []
        if effect.verdict is Verdict.PENDING:
            at, event = _at_limit(effect)
            if at > now:
                return []
            changes += self._move(effect, event, at)
        return changes + self._after(effect)

    def _after(self, effect: EffectRecord) -> list[Change]:
        """What comes after the limit: late proofs, and what can be seen at last."""
        if effect.verdict not in (Verdict.WEAK, Verdict.FAILED, Verdict.UNKNOWN) or not effect.proofs:
            return []
        decided = effect.at or 0
        held = [proof.held(late=True) for proof in effect.proofs]
        known = [at for at in held if at is not None]
        if len(known) == len(held):
            return self._move(effect, Event.PROVEN, max(decided, *known))
        parts = {proof.part for proof in effect.proofs}
        seen = {proof.part for proof, at in zip(effect.proofs, held, strict=True) if at is not None}
        if effect.verdict is not Verdict.WEAK and seen == parts:
            return self._move(effect, Event.PART, max(decided, *known))
        if effect.verdict is Verdict.UNKNOWN and all(term.was_seen for term in effect.terms):
            # whether it can be seen still, says nothing: when time is told must not decide what is found out
            return self._move(effect, Event.MISSING, max(decided, *(term.seen_at or 0 for term in effect.terms)))
        return []

    def _continuous(self, effect: EffectRecord) -> list[Change]:
        fallen = [at for proof in effect.proofs if (at := proof.falls()) is not None]
        if fallen and effect.verdict is not Verdict.FAILED:
            changes = self._move(effect, Event.BROKEN, min(fallen))
        else:
            changes = []
        if effect.verdict is Verdict.FAILED and all(proof.stands() for proof in effect.proofs):
            changes += self._move(effect, Event.PROVEN, max(effect.at or 0, *(term.truth_at for term in effect.terms)))
            for term in effect.terms:
                term.fallen_at = None
        return changes

    def _move(self, effect: EffectRecord, event: Event, at: int) -> list[Change]:
        before, after = effect.verdict, step(effect.verdict, event)
        if after is before:
            return []
        effect.verdict, effect.at = after, at
        if after in (Verdict.CONFIRMED, Verdict.LATE):
            effect.t_feedback = at
        return [Change(effect.number, before, after, at)]


def copy(run: Run) -> Run:
    """The run as it is now, whatever becomes of it."""
    return msgspec.json.decode(msgspec.json.encode(run), type=Run)


def begin(  # noqa: PLR0913 - a run is named by all of these
    matrix: Matrix, *, run_id: str, site: str, zone: int, t0: int, cause: str, mode: str = "real"
) -> Run:
    """A new run of a matrix, nothing seen yet."""
    label = matrix.label(zone)
    effects = [_record(effect, zone, t0) for effect in matrix.effects]
    return Run(
        run_id, site, matrix.panel, zone, Text(label.zh, label.en), t0, cause, mode, effects, matrix.settle
    )  # fmt: skip


def _record(effect: Effect, zone: int, t0: int) -> EffectRecord:
    excused = effect.excused
    elsewhere = bool(effect.zones) and zone not in effect.zones
    reason = (
        Text(excused.zh, excused.en) if excused else Text("与本防区无关", "Not for this zone") if elsewhere else None
    )
    command = None if reason or effect.command is None else Seen("", effect.command.text, t0 + effect.limit)
    return EffectRecord(
        number=effect.number,
        id=effect.id,
        label=Text(effect.label.zh, effect.label.en),
        action=Text(effect.action.zh, effect.action.en),
        basis=effect.basis,
        limit=t0 + effect.limit,
        verdict=Verdict.NOT_APPLICABLE if reason else Verdict.PENDING,
        at=None,
        continuous=effect.continuous,
        fallback=effect.fallback,
        reason=reason,
        command=command,
        proofs=[] if reason else [_proof(proof, t0, continuous=effect.continuous) for proof in effect.proofs],
    )


def _proof(proof: Proof, t0: int, *, continuous: bool) -> Part:
    return Part(proof.count, proof.part, [_seen(term, t0, continuous=continuous) for term in proof.terms])


def _seen(term: Term, t0: int, *, continuous: bool) -> Seen:
    return Seen(term.asset, term.text, NEVER if continuous else t0 + term.limit)


def _at_limit(effect: EffectRecord) -> tuple[int, Event]:
    """(when, what) is known of an effect at the latest, as far as was seen."""
    if not effect.proofs:
        command = effect.command
        if command is None:
            return effect.limit, Event.BLIND
        event = Event.PART if command.in_time else Event.BLIND if command.by_limit is None else Event.MISSING
        return effect.limit, event
    parts: dict[str, list[tuple[int, Event]]] = {}
    for proof in effect.proofs:
        parts.setdefault(proof.part, []).append(proof.decided())
    found = [_part(items) for items in parts.values()]
    missing = [at for at, event in found if event is Event.MISSING]
    if missing:
        return min(missing), Event.MISSING
    events = {event for _, event in found}
    event = next(item for item in (Event.BLIND, Event.PART, Event.PROVEN) if item in events)
    return max(at for at, _ in found), event


def _part(items: list[tuple[int, Event]]) -> tuple[int, Event]:
    """Proofs that support each other: all, one of several, or none of them."""
    at, events = max(at for at, _ in items), {event for _, event in items}
    if len(events) == 1:
        return at, events.pop()
    return at, Event.PART if Event.PROVEN in events else Event.BLIND
