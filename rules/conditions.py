"""One rule's condition at one asset, over time: on-delay, off-delay, hysteresis, and what unknown does to them.

    NORMAL --true--> PENDING --its whole `for`--> ACTIVE --clear true--> CLEARING --its whole `clear_for`--> NORMAL
                        |  <--false-- back to NORMAL             back to ACTIVE --not clear-->  |

Time is the readings' own (ms). `observe` takes what the expressions say at an instant; `settle` lets delays run out.
They are apart so that a caller may take notice of readings without judging them (when windows are warmed after a
restart), and so that a delay runs out at its own instant, however late the caller asks.

Unknown neither raises nor clears: it stops the clock of a running delay and does not reset it, because one bad
reading must not put off an emergency. A raise has therefore always seen its whole `for` of known truth, without one
known false in between. Knowledge that is interrupted for longer than the delay itself, and for more than a minute, is
worth nothing any more: then the delay begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

FORGET_MS = 60_000
"""A running delay survives at least this much unknown."""


class Phase(StrEnum):
    """Where a condition is."""

    NORMAL = "normal"
    PENDING = "pending"
    ACTIVE = "active"
    CLEARING = "clearing"


@dataclass(frozen=True, slots=True)
class State:
    """A condition's state. `since`: when the truth that it waits for, or rests on, began.

    `spent`: ms of the delay already seen before `running`; `running`: since when the clock runs, None while it stands;
    `stopped`: since when it stands.
    """

    phase: Phase = Phase.NORMAL
    since: int = 0
    spent: int = 0
    running: int | None = None
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """The condition was raised or cleared at `at`; `since` is when the truth behind it began."""

    kind: Literal["raise", "clear"]
    at: int
    since: int


_PENDING, _CLEARING = Phase.PENDING, Phase.CLEARING
_WAITING = (_PENDING, _CLEARING)
_RAISING = (Phase.NORMAL, _PENDING)
NORMAL = State()
ACTIVE = State(Phase.ACTIVE)


@dataclass(frozen=True, slots=True)
class Timing:
    """The two delays in ms."""

    raise_ms: int = 0
    clear_ms: int = 0

    def delay(self, phase: Phase) -> int:
        """The delay that runs in this phase."""
        return self.clear_ms if phase is _CLEARING else self.raise_ms


def observe(state: State, truth: bool | None, clear: bool | None, *, at: int, timing: Timing) -> State:
    """The state after an observation. `truth` is `when`, `clear` the clearing condition; a true `when` never clears."""
    phase = state.phase
    waiting = phase in _WAITING
    raising = phase in _RAISING
    wanted = truth if raising else clear
    if not raising and (truth or (truth is None and clear)):
        wanted = False if truth else None
    if wanted is None:
        return _stand(state, at) if waiting else state
    if not wanted:
        return _back(state) if waiting else state
    if waiting:
        return _run(state, at, timing.delay(phase))
    return State(_PENDING if raising else _CLEARING, at, 0, at)


def due(state: State, timing: Timing) -> int | None:
    """When the running delay will be over if nothing changes; None if none runs."""
    if state.running is None or state.phase not in _WAITING:
        return None
    return state.running + timing.delay(state.phase) - state.spent


def settle(state: State, *, at: int, timing: Timing) -> tuple[State, Event | None]:
    """Let the running delay be over, if it is by `at`. The event carries its own instant, which may be earlier."""
    instant = due(state, timing)
    if instant is None or instant > at:
        return state, None
    if state.phase is _PENDING:
        return State(Phase.ACTIVE, since=state.since), Event("raise", instant, state.since)
    return NORMAL, Event("clear", instant, state.since)


def step(
    state: State, truth: bool | None, clear: bool | None, *, at: int, timing: Timing
) -> tuple[State, Event | None]:
    """One observation with all that follows from it: delays over by now first, then the observation, then what it ends.

    At most one event: an observation at an instant where an earlier delay ran out can only begin a new one, unless that
    one is zero, and then it waits for the next call.
    """
    state, event = settle(state, at=at, timing=timing)
    state = observe(state, truth, clear, at=at, timing=timing)
    return (state, event) if event else settle(state, at=at, timing=timing)


def _back(state: State) -> State:
    return NORMAL if state.phase is _PENDING else State(Phase.ACTIVE, since=state.since)


def _stand(state: State, at: int) -> State:
    if state.running is None:
        return state
    return replace(state, spent=state.spent + max(at - state.running, 0), running=None, stopped=at)


def _run(state: State, at: int, delay: int) -> State:
    if state.running is not None:
        return state
    if at - state.stopped > max(delay, FORGET_MS):
        return State(state.phase, since=at, running=at)
    return replace(state, running=at)
