"""Drills: for some hours the alarms of a scope are an exercise. The machine is one table; time moves it. Pure.

A drill changes who is told and in which words, never what is judged or recorded. Instants are ms UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from facility.errors import TransitionError
from rules.drills.scope import Ground, Scope, Subject


class DrillState(StrEnum):
    """Where a drill is."""

    PLANNED = "planned"
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


class DrillEvent(StrEnum):
    """What happens to a drill."""

    START = "start"
    END = "end"
    CANCEL = "cancel"


TABLE: Mapping[tuple[DrillState, DrillEvent], DrillState] = {
    (DrillState.PLANNED, DrillEvent.START): DrillState.RUNNING,
    (DrillState.PLANNED, DrillEvent.CANCEL): DrillState.CANCELLED,
    (DrillState.RUNNING, DrillEvent.END): DrillState.ENDED,
    (DrillState.RUNNING, DrillEvent.CANCEL): DrillState.CANCELLED,
}
"""Everything that can happen. A drill that is over stays over."""
OVER = frozenset({DrillState.ENDED, DrillState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill. `channels`: who is told of its alarms, empty: whom the routes name.

    `from_at` and `until_at` are as declared; `started_at` and `ended_at` as it was. `ended_by`: a person, or "system".
    """

    id: str
    site: str
    name: str
    state: DrillState
    scope: Scope
    channels: tuple[str, ...]
    reason: str
    from_at: int
    until_at: int
    declared_by: str
    declared_at: int
    started_at: int | None = None
    ended_at: int | None = None
    ended_by: str = ""
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Planned or running."""
        return self.state not in OVER

    def holds(self, at: int) -> bool:
        """Whether it runs, or ran, at an instant; never after the declared end, however late anybody looks."""
        end = self.until_at if self.ended_at is None else min(self.until_at, self.ended_at)
        return self.started_at is not None and self.started_at <= at < end


def step(drill: Drill, event: DrillEvent, at: int, *, actor: str) -> Drill:
    """The drill after an event; TransitionError when the table does not have it in this state."""
    state = TABLE.get((drill.state, event))
    if state is None:
        raise TransitionError("drill", drill.state, event)
    changed = replace(drill, state=state, version=drill.version + 1)
    if state is DrillState.RUNNING:
        return replace(changed, started_at=at)
    return replace(changed, ended_at=at, ended_by=actor)


def due(drill: Drill, at: int) -> DrillEvent | None:
    """What time asks for: a start, an end, or, when nobody was there to begin it, a cancellation."""
    if drill.state is DrillState.PLANNED and at >= drill.until_at:
        return DrillEvent.CANCEL
    if drill.state is DrillState.PLANNED and at >= drill.from_at:
        return DrillEvent.START
    if drill.state is DrillState.RUNNING and at >= drill.until_at:
        return DrillEvent.END
    return None


def refusal(drill: Drill, ground: Ground, channels: Iterable[str], *, longest: int, at: int) -> str:
    """Why a new drill can't be declared so at `at`; empty when it can. `longest`: ms."""
    unknown = ground.unknown(drill.scope)
    strangers = sorted(set(drill.channels) - set(channels))
    if not (drill.name.strip() and drill.reason.strip()):
        return "a drill needs a name and a reason"
    if drill.scope.is_empty:
        return "a drill needs a scope: the site, locations, classes, assets or zones of a panel"
    if unknown:
        return f"the site has no {', '.join(map(repr, unknown))}"
    if strangers:
        return f"the site has no channel {', '.join(map(repr, strangers))}"
    if drill.until_at <= max(drill.from_at, at):
        return "a drill ends after it begins, and in the future"
    if drill.until_at - drill.from_at > longest:
        return f"a drill lasts {longest / 3_600_000:g} hours at most"
    return ""


def drill_of(drills: Iterable[Drill], subject: Subject, ground: Ground, at: int) -> Drill | None:
    """The drill that an alarm raised at an instant belongs to, if any."""
    return next((drill for drill in drills if drill.holds(at) and ground.covers(drill.scope, subject)), None)
