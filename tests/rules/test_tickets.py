"""Every ticket state with every event, then random walks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import TransitionError
from rules.life.tickets import FINAL, TABLE, Ticket, TicketEvent, TicketState, allowed, step

S, E = TicketState, TicketEvent
LEGAL = {
    S.OPEN: {E.ASSIGN: S.ASSIGNED, E.ACCEPT: S.ACCEPTED, E.CANCEL: S.CANCELLED},
    S.ASSIGNED: {E.ASSIGN: S.ASSIGNED, E.ACCEPT: S.ACCEPTED, E.CANCEL: S.CANCELLED},
    S.ACCEPTED: {E.ASSIGN: S.ASSIGNED, E.ARRIVE: S.ON_SITE, E.FINISH: S.DONE, E.CANCEL: S.CANCELLED},
    S.ON_SITE: {E.ASSIGN: S.ASSIGNED, E.FINISH: S.DONE, E.CANCEL: S.CANCELLED},
    S.DONE: {E.VERIFY: S.VERIFIED, E.REOPEN: S.OPEN},
    S.VERIFIED: {E.CLOSE: S.CLOSED, E.REOPEN: S.OPEN},
    S.CLOSED: {E.REOPEN: S.OPEN},
    S.CANCELLED: {E.REOPEN: S.OPEN},
}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("event", E)
def test_every_state_with_every_event(state: TicketState, event: TicketEvent) -> None:
    ticket = Ticket(state=state, assignee="li")
    target = LEGAL[state].get(event)
    if target is None:
        with pytest.raises(TransitionError):
            step(ticket, event, 5, actor="wang", assignee="zhao")
    else:
        assert step(ticket, event, 5, actor="wang", assignee="zhao").state is target
    assert (event in allowed(state)) == (target is not None)


def test_the_whole_way_keeps_every_instant() -> None:
    ticket = Ticket()
    for at, event in enumerate((E.ASSIGN, E.ACCEPT, E.ARRIVE, E.FINISH, E.VERIFY, E.CLOSE), start=1):
        ticket = step(ticket, event, at, actor="wang", assignee="wang")
    assert ticket == Ticket(S.CLOSED, "wang", 1, 2, 3, 4, 5, 6)
    assert step(ticket, E.REOPEN, 7, actor="boss") == Ticket()


def test_who_accepts_has_it_and_a_handover_starts_anew() -> None:
    ticket = step(Ticket(), E.ACCEPT, 1, actor="wang")
    assert (ticket.assignee, ticket.accepted_at) == ("wang", 1)
    ticket = step(ticket, E.ASSIGN, 2, actor="boss", assignee="li")
    assert (ticket.state, ticket.assignee, ticket.accepted_at) == (S.ASSIGNED, "li", None)


def test_assign_needs_a_person() -> None:
    with pytest.raises(ValueError, match="person"):
        step(Ticket(), E.ASSIGN, 1, actor="boss")


@given(st.lists(st.sampled_from(E), max_size=30))
def test_walks_end_only_where_work_is_checked_or_cancelled(events: list[TicketEvent]) -> None:
    ticket, last = Ticket(), None
    for at, event in enumerate(events):
        try:
            ticket = step(ticket, event, at, actor="wang", assignee="li")
        except TransitionError:
            continue
        last = event
        if ticket.state is S.CLOSED:
            assert ticket.finished_at is not None
            assert ticket.verified_at is not None
        assert (ticket.state in FINAL) == (last in (E.CLOSE, E.CANCEL))
        assert bool(ticket.assignee) or ticket.state in (S.OPEN, S.CANCELLED)


def test_no_state_is_a_dead_end() -> None:
    assert {state for state, _ in TABLE} == set(S)
