"""Pure: the life of a command as one table, and the reasons to refuse one.

A command comes to its end in one of seven ways, each `final`: it is refused (nothing was written), done, held (done,
and put back later), replaced (a newer command on the same point has taken its override over), failed (it did not come
about; what was written is taken back), reverted (its override is over and taken back), or revert_failed (the value from
before is not back; it is tried again until it is, or until a newer command takes over).

============== ==========================================================================
step           what is going on
============== ==========================================================================
received       waits for its turn
checking       the points that must hold are read from the device, and the value from before
writing        on its way to the device
reading_back   the device has confirmed; does it show what was written?
watching       does the equipment do it? (the feedback point)
undoing        it went wrong half-way: the value from before is written
reverting      the override is over: the value from before is written
============== ==========================================================================

`fail` says that nothing has to be put back, `undo` that something was, or may have been, written. Anything that is not
in the table raises TransitionError.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from facility.classfile import AssetClass
from facility.errors import TransitionError
from facility.points import Kind, Point, Register, Writing
from facility.wire import Command
from gateway.encoding import encode

LONGEST = 31_536_000.0
"""Seconds; no override is longer than a year, whatever a profile says."""
LONGEST_ID = 128
"""Characters of a command's id."""


class Step(StrEnum):
    """Where a command is."""

    RECEIVED = "received"
    CHECKING = "checking"
    WRITING = "writing"
    READING_BACK = "reading_back"
    WATCHING = "watching"
    UNDOING = "undoing"
    DONE = "done"
    HELD = "held"
    REVERTING = "reverting"
    REVERTED = "reverted"
    REPLACED = "replaced"
    REFUSED = "refused"
    FAILED = "failed"
    REVERT_FAILED = "revert_failed"


class Event(StrEnum):
    """What may happen to it."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    MEET = "meet"
    WRITE = "write"
    WATCH = "watch"
    FINISH = "finish"
    HOLD = "hold"
    FAIL = "fail"
    UNDO = "undo"
    EXPIRE = "expire"
    REPLACE = "replace"
    RESTORE = "restore"
    LOSE = "lose"


TABLE: Mapping[tuple[Step, Event], Step] = {
    (Step.RECEIVED, Event.ACCEPT): Step.CHECKING,
    (Step.RECEIVED, Event.REFUSE): Step.REFUSED,
    (Step.CHECKING, Event.MEET): Step.WRITING,
    (Step.CHECKING, Event.REFUSE): Step.REFUSED,
    (Step.CHECKING, Event.FAIL): Step.FAILED,
    (Step.WRITING, Event.WRITE): Step.READING_BACK,
    (Step.WRITING, Event.FAIL): Step.FAILED,
    (Step.WRITING, Event.UNDO): Step.UNDOING,
    (Step.READING_BACK, Event.WATCH): Step.WATCHING,
    (Step.READING_BACK, Event.FINISH): Step.DONE,
    (Step.READING_BACK, Event.HOLD): Step.HELD,
    (Step.READING_BACK, Event.FAIL): Step.FAILED,
    (Step.READING_BACK, Event.UNDO): Step.UNDOING,
    (Step.WATCHING, Event.FINISH): Step.DONE,
    (Step.WATCHING, Event.HOLD): Step.HELD,
    (Step.WATCHING, Event.FAIL): Step.FAILED,
    (Step.WATCHING, Event.UNDO): Step.UNDOING,
    (Step.UNDOING, Event.RESTORE): Step.FAILED,
    (Step.UNDOING, Event.LOSE): Step.REVERT_FAILED,
    (Step.HELD, Event.EXPIRE): Step.REVERTING,
    (Step.HELD, Event.REPLACE): Step.REPLACED,
    (Step.REVERTING, Event.RESTORE): Step.REVERTED,
    (Step.REVERTING, Event.LOSE): Step.REVERT_FAILED,
    (Step.REVERT_FAILED, Event.EXPIRE): Step.REVERTING,
    (Step.REVERT_FAILED, Event.REPLACE): Step.REPLACED,
}

FINAL = frozenset({Step.DONE, Step.HELD, Step.REVERTED, Step.REPLACED, Step.REFUSED, Step.FAILED, Step.REVERT_FAILED})
"""Nothing follows, except that an override is reverted or replaced."""
STANDING = frozenset({Step.HELD, Step.REVERT_FAILED})
"""The value from before is still to be put back."""


def advance(step: Step, event: Event) -> Step:
    """The step after `event`; TransitionError when the table has none."""
    try:
        return TABLE[step, event]
    except KeyError:
        raise TransitionError("command", step, event) from None


@dataclass(slots=True)
class Life:
    """One command and how far it has come."""

    command: Command
    step: Step = Step.RECEIVED

    def on(self, event: Event) -> Step:
        """Go on to the next step; TransitionError when the table has none."""
        self.step = advance(self.step, event)
        return self.step


def refusal(command: Command, register: Register, point: Point, asset_class: AssetClass, now: int) -> str:
    """Why a command on a point of this class must not be carried out at `now` (ms UTC); empty when it may."""
    writing = register.writing
    if asset_class.life_safety:
        return f"the class {asset_class.id} is life safety: it is observed, never commanded"
    if writing is None:
        return f"{command.point} can't be commanded: the profile does not say how it is written"
    return (
        _late(command, now)
        or _anonymous(command, writing)
        or _overlong(command, writing)
        or _improper(command, writing, point)
        or _unencodable(command, register, point)
    )


def _late(command: Command, now: int) -> str:
    if now >= command.expires:
        return f"expired {(now - command.expires) / 1000:.1f} s ago"
    return ""


def _anonymous(command: Command, writing: Writing) -> str:
    if not 0 < len(command.id) <= LONGEST_ID:
        return f"the id of a command has 1 to {LONGEST_ID} characters"
    by, second = command.by.strip().casefold(), command.second.strip().casefold()
    if not by:
        return "it does not say who asks for it"
    if writing.two_people and not second:
        return f"{command.point} takes two people: somebody else has to approve"
    if writing.two_people and second == by:
        return f"{command.point} takes two people: {command.by} can't approve what {command.by} asks for"
    return ""


def _overlong(command: Command, writing: Writing) -> str:
    longest = writing.longest or LONGEST
    if not math.isfinite(command.ttl) or command.ttl < 0:
        return f"{command.ttl} is no duration"
    if command.ttl > longest:
        return f"an override of {command.ttl:g} s is too long: {longest:g} s at most"
    if writing.longest and not command.ttl:
        return f"{command.point} can't be set for ever: say for how long (ttl), {longest:g} s at most"
    return ""


def _improper(command: Command, writing: Writing, point: Point) -> str:
    """What is wrong with the value."""
    value = command.value
    if point.kind is Kind.DISCRETE:
        return "" if isinstance(value, bool) else f"{command.point} is true or false, not {value}"
    if isinstance(value, bool):
        return f"{command.point} is a number, not {str(value).lower()}"
    if point.kind is Kind.ENUM:
        if isinstance(value, float) or value not in point.states:
            known = ", ".join(f"{state.number} ({state.code})" for state in point.states.values())
            return f"{value} is no state of {command.point}: {known}"
    elif not math.isfinite(value):
        return f"{value} is no number"
    low = -math.inf if writing.low is None else writing.low
    high = math.inf if writing.high is None else writing.high
    if not low <= value <= high:
        return f"{value:g} is outside of what may be written to {command.point}: {low:g} to {high:g}"
    return ""


def _unencodable(command: Command, register: Register, point: Point) -> str:
    try:
        encode(register.written(), point, command.value)
    except ValueError as error:
        return str(error)
    return ""
