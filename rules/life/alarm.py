"""The alarm machine of ISA-18.2 / IEC 62682, as two tables.

An alarm answers three independent questions, and each has a field of its own:

* **process state**: is the condition abnormal, and does somebody still owe an acknowledgement?
* **suppression**: is it kept quiet on purpose (shelved by a person, by the plant's own logic, out of service)?
* **severity**: how bad it is. It belongs to the rule and never changes the machine, so it is not here.

Tools that put them into one list of states lose a fact on every suppression: an alarm that is shelved, returns and is
released comes back as normal although nobody ever acknowledged it. Here the process state goes on changing underneath
a suppression, so that a released alarm shows exactly what it is. The standard's figure sends a released alarm to
normal or unacknowledged; where and why we differ is in docs/decisions/0003-released-alarm.md.

Process states, with the letters of the standard's figure:

====================== ===== ============= ===========
state                  ISA   condition     owed an ack
====================== ===== ============= ===========
normal                 A     normal        no
unacknowledged         B     abnormal      yes
acknowledged           C     abnormal      no
returned               D     normal        yes
latched_unacknowledged E     normal, held  yes
latched_acknowledged   F     normal, held  no
====================== ===== ============= ===========

Shelved (G), suppressed by design (H) and out of service (I) are the other field. One of them is shown at a time, but
what the plant's own logic wants (`inhibited`) is remembered underneath the two that people set: a shelved alarm whose
shelving ends while the logic still suppresses it is suppressed by design, and told by nobody in between.

`raise`, `clear`, `suppress` and `release` come from the engine and are legal in every state: the machine decides that a
second raise of an active alarm is nothing new, and that a clear of a quiet one is nothing at all. `acknowledge` is
legal exactly where an acknowledgement is owed, and `reset` only where a latched alarm has been acknowledged: a latch
exists so that a person looks at the equipment before the alarm goes, so it can't be reset unseen, nor while the
condition lasts. Anything that is not in a table raises TransitionError, which becomes HTTP 409.

A latching alarm differs in one column only: where its condition clears, it is held instead of returned. An inhibited
one differs in one column only: where a person's suppression ends, it is suppressed by design instead of free.

Instants are ms since 1970 UTC and come in as an argument. `raised_at` is the newest entry into an active state, and
the acknowledgement and the clearing that belong to it are forgotten when it is raised anew; the journal keeps them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from facility.errors import TransitionError


class State(StrEnum):
    """The process state: the condition, and the acknowledgement owed for it."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"


class Suppression(StrEnum):
    """Whether the alarm is kept from people, and by whom."""

    NONE = "none"
    SHELVED = "shelved"
    BY_DESIGN = "by_design"
    OUT_OF_SERVICE = "out_of_service"


class Event(StrEnum):
    """What may happen to an alarm: the first four move its process state, the others its suppression."""

    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    RELEASE = "release"
    REMOVE = "remove"
    RETURN = "return"


ACTIVE = frozenset({State.UNACKNOWLEDGED, State.ACKNOWLEDGED})
"""The condition is abnormal now."""

OWED = frozenset({State.UNACKNOWLEDGED, State.RETURNED, State.LATCHED_UNACKNOWLEDGED})
"""Somebody still has to acknowledge."""

_N, _U, _A, _R = State.NORMAL, State.UNACKNOWLEDGED, State.ACKNOWLEDGED, State.RETURNED
_LU, _LA = State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED

PROCESS: Mapping[tuple[State, Event], tuple[State, State]] = {
    # from, event                to, and to when it latches
    (_N, Event.RAISE): (_U, _U),
    (_N, Event.CLEAR): (_N, _N),
    (_U, Event.RAISE): (_U, _U),
    (_U, Event.CLEAR): (_R, _LU),
    (_U, Event.ACKNOWLEDGE): (_A, _A),
    (_A, Event.RAISE): (_A, _A),
    (_A, Event.CLEAR): (_N, _LA),
    (_R, Event.RAISE): (_U, _U),
    (_R, Event.CLEAR): (_R, _R),
    (_R, Event.ACKNOWLEDGE): (_N, _N),
    (_LU, Event.RAISE): (_U, _U),
    (_LU, Event.CLEAR): (_LU, _LU),
    (_LU, Event.ACKNOWLEDGE): (_LA, _LA),
    (_LA, Event.RAISE): (_U, _U),
    (_LA, Event.CLEAR): (_LA, _LA),
    (_LA, Event.RESET): (_N, _N),
}

_NONE, _SHELVED, _DESIGN, _OUT = (
    Suppression.NONE,
    Suppression.SHELVED,
    Suppression.BY_DESIGN,
    Suppression.OUT_OF_SERVICE,
)

SUPPRESSION: Mapping[tuple[Suppression, Event], tuple[Suppression, Suppression]] = {
    # from, event                 to, and to while the plant's logic wants it quiet
    (_NONE, Event.SHELVE): (_SHELVED, _SHELVED),
    (_NONE, Event.SUPPRESS): (_DESIGN, _DESIGN),
    (_NONE, Event.RELEASE): (_NONE, _NONE),
    (_NONE, Event.REMOVE): (_OUT, _OUT),
    (_SHELVED, Event.SHELVE): (_SHELVED, _SHELVED),  # a new end of the same shelving
    (_SHELVED, Event.UNSHELVE): (_NONE, _DESIGN),
    (_SHELVED, Event.SUPPRESS): (_SHELVED, _SHELVED),
    (_SHELVED, Event.RELEASE): (_SHELVED, _SHELVED),
    (_SHELVED, Event.REMOVE): (_OUT, _OUT),
    (_DESIGN, Event.SUPPRESS): (_DESIGN, _DESIGN),
    (_DESIGN, Event.RELEASE): (_NONE, _NONE),
    (_DESIGN, Event.REMOVE): (_OUT, _OUT),
    (_OUT, Event.SUPPRESS): (_OUT, _OUT),
    (_OUT, Event.RELEASE): (_OUT, _OUT),
    (_OUT, Event.RETURN): (_NONE, _DESIGN),
}

PROCESS_EVENTS = frozenset({Event.RAISE, Event.CLEAR, Event.ACKNOWLEDGE, Event.RESET})


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one rule on one asset. Instants are ms, None while they have not happened.

    `raises` counts how often it became active since it was last normal and free. `inhibited`: the plant's own logic
    wants it quiet now, whatever people have done to it.
    """

    latch: bool = False
    state: State = State.NORMAL
    suppression: Suppression = Suppression.NONE
    raised_at: int | None = None
    cleared_at: int | None = None
    acknowledged_at: int | None = None
    shelved_until: int | None = None
    raises: int = 0
    inhibited: bool = False

    @property
    def is_active(self) -> bool:
        """The condition is abnormal now."""
        return self.state in ACTIVE

    @property
    def is_owed(self) -> bool:
        """Somebody still has to acknowledge."""
        return self.state in OWED

    @property
    def is_live(self) -> bool:
        """It is not over: not normal, or suppressed. When it is neither, the next raise is a new alarm."""
        return self.state is not State.NORMAL or self.suppression is not Suppression.NONE

    @property
    def shown(self) -> str:
        """The one name that a person sees: the suppression if there is one, else the process state."""
        return self.state.value if self.suppression is Suppression.NONE else self.suppression.value

    def is_expired(self, at: int) -> bool:
        """Whether its shelving has run out."""
        return self.suppression is Suppression.SHELVED and (self.shelved_until or 0) <= at


def step(alarm: Alarm, event: Event, at: int, *, until: int | None = None) -> Alarm:
    """The alarm after `event` at `at`; the very same object when the table says that nothing is new.

    `until` is needed by `shelve` and by nothing else; ValueError when it does not lie after `at`.
    TransitionError when the tables do not have the event in this state.
    """
    if event in PROCESS_EVENTS:
        return _process(alarm, event, at)
    return _suppression(alarm, event, at, until)


def _process(alarm: Alarm, event: Event, at: int) -> Alarm:
    targets = PROCESS.get((alarm.state, event))
    if targets is None:
        raise TransitionError("alarm", alarm.state, event)
    state = targets[alarm.latch]
    if state is alarm.state:
        return alarm
    if event is Event.RAISE:
        return replace(alarm, state=state, raised_at=at, cleared_at=None, acknowledged_at=None, raises=alarm.raises + 1)
    if event is Event.CLEAR:
        return replace(alarm, state=state, cleared_at=at)
    if event is Event.ACKNOWLEDGE:
        return replace(alarm, state=state, acknowledged_at=at)
    return replace(alarm, state=state)


def _suppression(alarm: Alarm, event: Event, at: int, until: int | None) -> Alarm:
    targets = SUPPRESSION.get((alarm.suppression, event))
    if targets is None:
        raise TransitionError("alarm", alarm.suppression, event)
    inhibited = {Event.SUPPRESS: True, Event.RELEASE: False}.get(event, alarm.inhibited)
    suppression = targets[inhibited]
    if event is Event.SHELVE:
        if until is None or until <= at:
            raise ValueError("shelving needs an end in the future")
        return replace(alarm, suppression=suppression, shelved_until=until)
    if (suppression, inhibited) == (alarm.suppression, alarm.inhibited):
        return alarm
    kept = alarm.shelved_until if suppression is Suppression.SHELVED else None
    return replace(alarm, suppression=suppression, inhibited=inhibited, shelved_until=kept)
