"""The life of a ticket as one table: open, assigned, accepted, on site, done, verified, closed; or cancelled.

A crew may take an open ticket without being asked (`accept`), and may finish from afar what needs no visit. Whoever
checks the work sends it back with `reopen`. A ticket handed to somebody else is assigned anew, and has to be accepted
anew. Instants are ms since 1970 UTC and come in as an argument; a reopened ticket forgets the later ones (the journal
keeps them), so that they always tell of the present round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from facility.errors import TransitionError


class TicketState(StrEnum):
    """Where the work stands."""

    OPEN = "open"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ON_SITE = "on_site"
    DONE = "done"
    VERIFIED = "verified"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class TicketEvent(StrEnum):
    """What a person does with a ticket."""

    ASSIGN = "assign"
    ACCEPT = "accept"
    ARRIVE = "arrive"
    FINISH = "finish"
    VERIFY = "verify"
    CLOSE = "close"
    CANCEL = "cancel"
    REOPEN = "reopen"


_S, _E = TicketState, TicketEvent

TABLE: Mapping[tuple[TicketState, TicketEvent], TicketState] = {
    (_S.OPEN, _E.ASSIGN): _S.ASSIGNED,
    (_S.OPEN, _E.ACCEPT): _S.ACCEPTED,
    (_S.OPEN, _E.CANCEL): _S.CANCELLED,
    (_S.ASSIGNED, _E.ASSIGN): _S.ASSIGNED,
    (_S.ASSIGNED, _E.ACCEPT): _S.ACCEPTED,
    (_S.ASSIGNED, _E.CANCEL): _S.CANCELLED,
    (_S.ACCEPTED, _E.ASSIGN): _S.ASSIGNED,
    (_S.ACCEPTED, _E.ARRIVE): _S.ON_SITE,
    (_S.ACCEPTED, _E.FINISH): _S.DONE,
    (_S.ACCEPTED, _E.CANCEL): _S.CANCELLED,
    (_S.ON_SITE, _E.ASSIGN): _S.ASSIGNED,
    (_S.ON_SITE, _E.FINISH): _S.DONE,
    (_S.ON_SITE, _E.CANCEL): _S.CANCELLED,
    (_S.DONE, _E.VERIFY): _S.VERIFIED,
    (_S.DONE, _E.REOPEN): _S.OPEN,
    (_S.VERIFIED, _E.CLOSE): _S.CLOSED,
    (_S.VERIFIED, _E.REOPEN): _S.OPEN,
    (_S.CLOSED, _E.REOPEN): _S.OPEN,
    (_S.CANCELLED, _E.REOPEN): _S.OPEN,
}

FINAL = frozenset({TicketState.CLOSED, TicketState.CANCELLED})
"""No work is left; only `reopen` leads out."""

PENDING = frozenset({_S.OPEN, _S.ASSIGNED, _S.ACCEPTED, _S.ON_SITE})
"""The work itself is not done yet."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The part of a ticket that the table moves. `assignee` is a user's name, empty for nobody yet."""

    state: TicketState = TicketState.OPEN
    assignee: str = ""
    assigned_at: int | None = None
    accepted_at: int | None = None
    arrived_at: int | None = None
    finished_at: int | None = None
    verified_at: int | None = None
    closed_at: int | None = None


def allowed(state: TicketState) -> tuple[TicketEvent, ...]:
    """The events that the table has in this state, for buttons."""
    return tuple(event for (source, event) in TABLE if source is state)


def step(ticket: Ticket, event: TicketEvent, at: int, *, actor: str, assignee: str = "") -> Ticket:
    """The ticket after `actor` did `event` at `at`.

    `assign` needs an `assignee` (ValueError without one); `accept` makes the actor the assignee.
    TransitionError when the table does not have the event in this state.
    """
    state = TABLE.get((ticket.state, event))
    if state is None:
        raise TransitionError("ticket", ticket.state, event)
    match event:
        case TicketEvent.ASSIGN:
            if not assignee:
                raise ValueError("assign needs a person")
            return replace(ticket, state=state, assignee=assignee, assigned_at=at, accepted_at=None, arrived_at=None)
        case TicketEvent.ACCEPT:
            return replace(ticket, state=state, assignee=actor, accepted_at=at)
        case TicketEvent.ARRIVE:
            return replace(ticket, state=state, arrived_at=at)
        case TicketEvent.FINISH:
            return replace(ticket, state=state, finished_at=at)
        case TicketEvent.VERIFY:
            return replace(ticket, state=state, verified_at=at)
        case TicketEvent.CLOSE | TicketEvent.CANCEL:
            return replace(ticket, state=state, closed_at=at)
        case TicketEvent.REOPEN:
            return Ticket(state=state)
