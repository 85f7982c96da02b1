"""The desk's side of a checked command as one table: asked, perhaps approved by a second person, sent, answered.

What the equipment did is told by the gateway, step by step; its words are opaque here. The table knows only whether a
gateway has spoken (`answer`), has said its last word (`end`), or never did (`give_up`). A gateway that speaks late is
believed: a command that was thought lost, or that could not be delivered for certain, then stands as what became of
it. After its last word only an override that reverts can follow. Instants are ms since 1970 UTC and come in as an
argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from facility.errors import TransitionError

APPROVAL_MS = 300_000
"""How long a command waits for its second person."""
ARRIVAL_MS = 30_000
"""How long a command may be on its way; a gateway refuses one that comes later."""
PATIENCE_MS = 10_000
"""How long after that the first answer may come."""
WORK_MS = 660_000
"""How long after one answer the next one may come: a feedback point has at most ten minutes."""


class CommandState(StrEnum):
    """Where a command stands, as the desk knows it."""

    AWAITING_SECOND = "awaiting_second"
    SENT = "sent"
    ENDED = "ended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    NO_ANSWER = "no_answer"


class CommandEvent(StrEnum):
    """What happens to it: the first two by a person, `answer` and `end` by its gateway, the others by the desk."""

    APPROVE = "approve"
    CANCEL = "cancel"
    ANSWER = "answer"
    END = "end"
    EXPIRE = "expire"
    FAIL = "fail"
    GIVE_UP = "give_up"


_S, _E = CommandState, CommandEvent

TABLE: Mapping[tuple[CommandState, CommandEvent], CommandState] = {
    (_S.AWAITING_SECOND, _E.APPROVE): _S.SENT,
    (_S.AWAITING_SECOND, _E.CANCEL): _S.CANCELLED,
    (_S.AWAITING_SECOND, _E.EXPIRE): _S.EXPIRED,
    (_S.SENT, _E.ANSWER): _S.SENT,
    (_S.SENT, _E.END): _S.ENDED,
    (_S.SENT, _E.FAIL): _S.FAILED,
    (_S.SENT, _E.GIVE_UP): _S.NO_ANSWER,
    (_S.ENDED, _E.ANSWER): _S.ENDED,
    (_S.ENDED, _E.END): _S.ENDED,
    (_S.FAILED, _E.ANSWER): _S.SENT,
    (_S.FAILED, _E.END): _S.ENDED,
    (_S.NO_ANSWER, _E.ANSWER): _S.SENT,
    (_S.NO_ANSWER, _E.END): _S.ENDED,
}

WAITING = frozenset({_S.AWAITING_SECOND, _S.SENT})
"""The desk still waits for somebody, and does something by itself when nobody comes."""


@dataclass(frozen=True, slots=True)
class Order:
    """The part of a command that the table moves. `due_at`: when the desk acts by itself, unless something happens."""

    state: CommandState
    due_at: int
    approved_by: str = ""
    approved_at: int | None = None
    expires_at: int | None = None


def asked(at: int, *, two_people: bool) -> Order:
    """A fresh command: to be sent at once, or to wait for a second person."""
    if two_people:
        return Order(_S.AWAITING_SECOND, at + APPROVAL_MS)
    return _sent(Order(_S.SENT, at), at)


def allowed(state: CommandState) -> tuple[CommandEvent, ...]:
    """The events that the table has in this state, for buttons."""
    return tuple(event for (source, event) in TABLE if source is state)


def step(order: Order, event: CommandEvent, at: int, *, actor: str = "") -> Order:
    """The command after `event` at `at`. TransitionError when the table does not have it, or its time is over."""
    state = TABLE.get((order.state, event))
    if state is None:
        raise TransitionError("command", order.state, event)
    if event is _E.APPROVE:
        if at > order.due_at:
            raise TransitionError("command", _S.EXPIRED, event)
        return _sent(replace(order, state=state, approved_by=actor, approved_at=at), at)
    if event is _E.ANSWER:
        return replace(order, state=state, due_at=at + WORK_MS)
    return replace(order, state=state)


def overdue(order: Order, at: int) -> CommandEvent | None:
    """What the desk has to do by itself by now, if anything."""
    if order.state not in WAITING or at <= order.due_at:
        return None
    return _E.EXPIRE if order.state is _S.AWAITING_SECOND else _E.GIVE_UP


def _sent(order: Order, at: int) -> Order:
    expires = at + ARRIVAL_MS
    return replace(order, expires_at=expires, due_at=expires + PATIENCE_MS)
