"""Whether an alarm is told now, on its own: causes, repeats, floods. Pure; instants are ms.

`Sifter` is what the rules role remembers of a site between transactions, `Sift` what one transaction makes of it: kept
only when it was committed. The stages, in their order; the first that says no gives the reason:

1. an emergency is told, always, at once;
2. a consequence of an alarm that was told is listed under that (`folded`); what may be one is held for a moment
   (`settling`), for its cause may come a little later;
3. an alarm that keeps coming back is told so often and then not for a while (`repeat`);
4. in a flood only summaries are told (`flood`), beside what is urgent, within a limit.

Whatever is quiet has somebody who sees to it later: rules/role/settling.py tells what was held too long, what outlived
its cause, and what the flood has held back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from facility.config import Site
from facility.settings import AlarmSettings
from rules import coverage
from rules.book.compiled import Rulebook
from rules.effects import Look, blind
from rules.life.changed import changed
from rules.life.rows import AlarmRow
from rules.notification.flood import Flood, Limits, raised
from rules.notification.folding import Folding, Relations
from rules.notification.notify import ROUTED, Decision, Routing, is_emergency, targets
from rules.notification.repeat import Limit, quiet_until, remembered
from rules.rule import Escalation, Severity

SETTLING, FOLDED, REPEAT, FLOOD = "settling", "folded", "repeat", "flood"
QUIET = (SETTLING, FOLDED, REPEAT, FLOOD)
"""Why an alarm is not told on its own; the texts are in rules.notify.REASONS."""
NOBODY = frozenset({"no_route", "no_channel", "drill_nobody"})
"""Reasons that say that there is nobody to tell."""
COUNTED = frozenset({ROUTED, FLOOD, *NOBODY})
"""Reasons with which an alarm counts towards a flood: each is one more thing to look at."""
MINUTE = 60_000

Key = tuple[str, int, str]


@dataclass
class Sifter:
    """What is remembered of one site. `reasons` counts what came of the alarms since the start.

    `release`: ms that a consequence may outlive its cause untold; `steps`: how alarms escalate, by their rule's id;
    `look`: what the points of a rule are now.
    """

    routing: Routing
    folding: Folding = field(default_factory=Folding)
    limits: Limits = field(default_factory=Limits)
    limit: Limit = field(default_factory=Limit)
    release: int = 120_000
    steps: Mapping[str, tuple[Escalation, ...]] = field(default_factory=dict)
    flood: Flood = field(default_factory=Flood)
    told: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    urgent: tuple[int, ...] = ()
    reasons: Counter[str] = field(default_factory=Counter)
    look: Look = blind

    @classmethod
    def of(cls, site: Site, rulebook: Rulebook, routing: Routing, look: Look = blind) -> Sifter:
        """That of a site, with its settings; it remembers nothing yet."""
        return cls(routing, look=look, **_settings(site.settings.alarms, site, rulebook))  # type: ignore[arg-type]

    def begin(self, standing: Iterable[AlarmRow] = ()) -> Sift:
        """For one transaction; `standing` are the live alarms that may be causes."""
        causes = {row.id: row for row in standing if self.folding.is_cause(row)}
        return Sift(self, causes, self.flood, self.urgent)

    def keep(self, sift: Sift) -> None:
        """The transaction was committed."""
        self.flood, self.urgent = sift.flood, sift.urgent
        self.told |= sift.told
        self.reasons += sift.reasons


@dataclass
class Sift:
    """The stages, over one transaction."""

    sifter: Sifter
    standing: dict[str, AlarmRow]
    flood: Flood
    urgent: tuple[int, ...]
    told: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def note(self, row: AlarmRow) -> None:
        """The newest form of an alarm, so that those after it find their cause."""
        if self.sifter.folding.is_cause(row):
            self.standing[row.id] = row
        else:
            self.standing.pop(row.id, None)

    def decide(
        self, row: AlarmRow, decision: Decision, at: int, *, settled: bool = False, again: bool = False
    ) -> tuple[AlarmRow, Decision]:
        """The alarm and who is told of it at `at`, after all stages; `decision` is who would be told otherwise.

        `settled`: it was held long enough. `again`: it is told of something new, so it is no repetition.
        """
        if row.quiet or row.cause_id:
            row = changed(row, quiet="", tell_at=None, cause_id=None)
        if decision.reason != ROUTED and decision.reason not in NOBODY:
            return row, decision
        row, reason = self._stages(row, decision, at, settled=settled, again=again)
        if reason:
            decision = Decision((), reason)
        if decision.reason in COUNTED:
            self.flood = raised(self.flood, at, self.sifter.limits)
        if decision.is_told:
            key = (row.rule, row.rule_index, row.asset)
            self.told[key] = remembered(self._told(key), at, self.sifter.limit)
        self.reasons[decision.reason] += 1
        return row, decision

    def _stages(
        self, row: AlarmRow, decision: Decision, at: int, *, settled: bool, again: bool
    ) -> tuple[AlarmRow, str]:
        if is_emergency(row):
            return row, ""
        folding = self.sifter.folding
        verdict = folding.verdict(row, self.standing, lambda cause: self._heard(cause, decision), at)
        if verdict.cause:
            return changed(row, quiet=FOLDED, cause_id=verdict.cause.id), FOLDED
        if verdict.look_again and verdict.look_again > at:
            return changed(row, quiet=SETTLING, tell_at=verdict.look_again), SETTLING
        if not settled and folding.settle and folding.is_effect(row):
            return changed(row, quiet=SETTLING, tell_at=at + folding.settle), SETTLING
        if not decision.is_told:
            return row, ""
        until = None if again else quiet_until(self._told((row.rule, row.rule_index, row.asset)), at, self.sifter.limit)
        if until is not None:
            return changed(row, quiet=REPEAT, tell_at=until), REPEAT
        if self._drowned(row, at):
            return changed(row, quiet=FLOOD), FLOOD
        return row, ""

    def _heard(self, cause: AlarmRow, decision: Decision) -> bool:
        """Whether everybody who would be told of the effect was told of this cause."""
        return set(decision.channels) <= set(targets(cause, "raise", self.sifter.routing).channels)

    def _told(self, key: Key) -> tuple[int, ...]:
        return self.told.get(key) or self.sifter.told.get(key, ())

    def _drowned(self, row: AlarmRow, at: int) -> bool:
        """Whether the flood, which this alarm may begin, takes it."""
        limits = self.sifter.limits
        lately = tuple(instant for instant in self.urgent if at - MINUTE < instant)
        on = raised(self.flood, at, limits).is_on
        if on and (row.severity > Severity.URGENT or len(lately) >= limits.urgent_per_minute):
            return True
        if row.severity == Severity.URGENT:
            self.urgent = (*lately, at)[-max(1, limits.urgent_per_minute) :]
        return False


def _settings(alarms: AlarmSettings, site: Site, rulebook: Rulebook) -> dict[str, object]:
    flood, repeat, folding = alarms.flood, alarms.repeat, alarms.folding
    related = {rule.id: rule for rule in (*rulebook.rules, coverage.RULE) if rule.cause or rule.effect_of}
    relations = Relations.of(site.assets, site.devices)
    return {
        "folding": Folding(relations, related, round(folding.settle * 1000), round(folding.window * 1000)),
        "limits": Limits(
            flood.start, flood.end, round(flood.window * 1000), round(flood.summary * 1000), flood.urgent_per_minute
        ),
        "limit": Limit(repeat.times, round(repeat.within * 1000)),
        "release": round(folding.release * 1000),
        "steps": {rule.id: rule.escalate for rule in rulebook.rules if rule.escalate},
    }
