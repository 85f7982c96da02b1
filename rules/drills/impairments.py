"""The impairment ledger: what protects the building and is out of action, who answers for it, and until when. Pure.

The machine is one table. What is past its expiry stays open and becomes louder; rounds that make up for it are due at
fixed distances and each is confirmed by a person. Instants are ms UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from facility.errors import TransitionError
from rules.drills.scope import Ground, Scope

HOUR = 3_600_000
LONGEST_ROUND_M = 24 * 60
"""Minutes: rounds are at least daily."""


class ImpairmentState(StrEnum):
    """Where an impairment is."""

    OPEN = "open"
    OVERDUE = "overdue"
    RESTORED = "restored"
    CLOSED = "closed"


class ImpairmentEvent(StrEnum):
    """What happens to an impairment."""

    EXPIRE = "expire"
    EXTEND = "extend"
    RESTORE = "restore"
    CLOSE = "close"


TABLE: Mapping[tuple[ImpairmentState, ImpairmentEvent], ImpairmentState] = {
    (ImpairmentState.OPEN, ImpairmentEvent.EXPIRE): ImpairmentState.OVERDUE,
    (ImpairmentState.OPEN, ImpairmentEvent.EXTEND): ImpairmentState.OPEN,
    (ImpairmentState.OPEN, ImpairmentEvent.RESTORE): ImpairmentState.RESTORED,
    (ImpairmentState.OVERDUE, ImpairmentEvent.EXTEND): ImpairmentState.OPEN,
    (ImpairmentState.OVERDUE, ImpairmentEvent.RESTORE): ImpairmentState.RESTORED,
    (ImpairmentState.RESTORED, ImpairmentEvent.CLOSE): ImpairmentState.CLOSED,
}
"""Everything that can happen: in action again first, signed off then."""
LASTS = frozenset({ImpairmentState.OPEN, ImpairmentState.OVERDUE})
"""Something is out of action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """One entry. `what`: what is out of action; `owner` the person who answers for it; `measures` what makes up for it.

    `rounds_every`: minutes between rounds, 0 without; `round_due`: when the next one is, `missed` how many were missed
    since the last. `suppress`: rules whose alarms of the scope are out of service until it expires. `told_level`: how
    often its expiry was told, `tell_at` when it is told next.
    """

    id: str
    site: str
    state: ImpairmentState
    scope: Scope
    what: str
    reason: str
    owner: str
    measures: str
    ticket_id: str | None
    suppress: tuple[str, ...]
    rounds_every: int
    round_due: int | None
    last_round: int | None = None
    missed: int = 0
    opened_at: int
    opened_by: str
    expires_at: int
    told_level: int = 0
    tell_at: int | None = None
    restored_at: int | None = None
    closed_at: int | None = None
    version: int = 1

    @property
    def lasts(self) -> bool:
        """Something is out of action."""
        return self.state in LASTS

    def is_round_due(self, at: int) -> bool:
        """Whether somebody should be going round now."""
        return self.lasts and self.round_due is not None and (self.missed > 0 or self.round_due <= at)

    @property
    def suppresses(self) -> bool:
        """Whether it keeps alarms quiet: until it expires, not longer than somebody answers for."""
        return self.state is ImpairmentState.OPEN and bool(self.suppress)


def step(item: Impairment, event: ImpairmentEvent, at: int, *, until: int | None = None) -> Impairment:
    """The entry after an event; `extend` needs the new expiry (ValueError unless it is later than `at`).

    TransitionError when the table does not have the event in this state.
    """
    state = TABLE.get((item.state, event))
    if state is None:
        raise TransitionError("impairment", item.state, event)
    item = replace(item, state=state, version=item.version + 1)
    match event:
        case ImpairmentEvent.EXTEND:
            if until is None or until <= at:
                raise ValueError("the new expiry lies in the future")
            return replace(item, expires_at=until, told_level=0, tell_at=None)
        case ImpairmentEvent.EXPIRE:
            return replace(item, tell_at=at)
        case ImpairmentEvent.RESTORE:
            return replace(item, restored_at=at, round_due=None, tell_at=None)
        case ImpairmentEvent.CLOSE:
            return replace(item, closed_at=at)


def gone_round(item: Impairment, at: int) -> Impairment:
    """Somebody has gone round; the next one is due a whole distance later. TransitionError when none is wanted."""
    if not item.lasts or not item.rounds_every:
        raise TransitionError("impairment", item.state, "round")
    due = at + item.rounds_every * 60_000
    return replace(item, last_round=at, round_due=due, missed=0, version=item.version + 1)


def missed_round(item: Impairment, at: int) -> Impairment:
    """Rounds were due and nobody has confirmed them: counted, and the next one is due in the future."""
    if not item.lasts or item.round_due is None or item.round_due > at:
        return item
    every = item.rounds_every * 60_000
    number = (at - item.round_due) // every + 1
    due = item.round_due + number * every
    return replace(item, missed=item.missed + number, round_due=due, version=item.version + 1)


def told_again(item: Impairment, at: int) -> Impairment:
    """Its expiry was told at `at`; the next time is an hour later, and one level higher."""
    return replace(item, told_level=item.told_level + 1, tell_at=at + HOUR, version=item.version + 1)


def severity_of(item: Impairment) -> int:
    """The severity with which an overdue one is told: 3 at first, an hour later 2, then 1."""
    return max(1, 3 - item.told_level)


def refusal(item: Impairment, ground: Ground, *, longest: int) -> str:
    """Why a new entry can't be opened so; empty when it can. `longest`: ms."""
    unknown = ground.unknown(item.scope)
    for text, word in ((item.what, "what is impaired"), (item.reason, "a reason"), (item.owner, "an owner")):
        if not text.strip():
            return f"an impairment needs {word}"
    if item.scope.is_empty or item.scope.site:
        return "an impairment needs a scope: locations, classes, assets or zones of a panel"
    if unknown:
        return f"the site has no {', '.join(map(repr, unknown))}"
    if not 0 <= item.rounds_every <= LONGEST_ROUND_M:
        return f"rounds are every 1 to {LONGEST_ROUND_M} minutes, or 0 for none"
    return late(item.expires_at, item.opened_at, longest)


def late(expires_at: int, at: int, longest: int) -> str:
    """Why an expiry is not possible as seen from `at`; empty when it is."""
    if expires_at <= at:
        return "the expiry lies in the future"
    if expires_at - at > longest:
        return f"an impairment may stand for {longest / 86_400_000:g} days at most"
    return ""
