"""Every state of a command with every event, its instants, then random walks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import TransitionError
from rules.life.commanding import (
    APPROVAL_MS,
    ARRIVAL_MS,
    PATIENCE_MS,
    TABLE,
    WAITING,
    WORK_MS,
    CommandEvent,
    CommandState,
    Order,
    allowed,
    asked,
    overdue,
    step,
)

S, E = CommandState, CommandEvent
LEGAL = {
    S.AWAITING_SECOND: {E.APPROVE: S.SENT, E.CANCEL: S.CANCELLED, E.EXPIRE: S.EXPIRED},
    S.SENT: {E.ANSWER: S.SENT, E.END: S.ENDED, E.FAIL: S.FAILED, E.GIVE_UP: S.NO_ANSWER},
    S.ENDED: {E.ANSWER: S.ENDED, E.END: S.ENDED},
    S.FAILED: {E.ANSWER: S.SENT, E.END: S.ENDED},
    S.NO_ANSWER: {E.ANSWER: S.SENT, E.END: S.ENDED},
    S.CANCELLED: {},
    S.EXPIRED: {},
}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("event", E)
def test_every_state_with_every_event(state: CommandState, event: CommandEvent) -> None:
    order = Order(state, due_at=10)
    target = LEGAL[state].get(event)
    if target is None:
        with pytest.raises(TransitionError) as refused:
            step(order, event, 5, actor="li")
        assert (refused.value.machine, refused.value.state, refused.value.event) == ("command", state, event)
    else:
        assert step(order, event, 5, actor="li").state is target
    assert (event in allowed(state)) == (target is not None)


def test_one_person_is_enough_unless_two_are_wanted() -> None:
    order = asked(1000, two_people=False)
    assert order == Order(S.SENT, 1000 + ARRIVAL_MS + PATIENCE_MS, expires_at=1000 + ARRIVAL_MS)
    assert asked(1000, two_people=True) == Order(S.AWAITING_SECOND, 1000 + APPROVAL_MS)


def test_an_approval_comes_within_its_time_and_starts_the_way() -> None:
    order = asked(0, two_people=True)
    late = step(order, E.APPROVE, APPROVAL_MS, actor="li")
    assert (late.state, late.approved_by, late.approved_at) == (S.SENT, "li", APPROVAL_MS)
    assert late.expires_at == APPROVAL_MS + ARRIVAL_MS
    with pytest.raises(TransitionError, match="expired"):
        step(order, E.APPROVE, APPROVAL_MS + 1, actor="li")


def test_the_desk_acts_by_itself_only_where_it_waits_and_when_it_is_time() -> None:
    order = asked(0, two_people=True)
    assert overdue(order, order.due_at) is None
    assert overdue(order, order.due_at + 1) is E.EXPIRE
    order = asked(0, two_people=False)
    assert overdue(order, ARRIVAL_MS + PATIENCE_MS) is None
    assert overdue(order, ARRIVAL_MS + PATIENCE_MS + 1) is E.GIVE_UP
    order = step(order, E.ANSWER, 40_000)
    assert overdue(order, 40_000 + WORK_MS) is None
    assert overdue(order, 40_001 + WORK_MS) is E.GIVE_UP
    for state in set(S) - WAITING:
        assert overdue(Order(state, due_at=0), 10**15) is None


@given(st.lists(st.sampled_from(E), max_size=30), st.booleans())
def test_walks_never_send_what_was_not_approved(events: list[CommandEvent], two_people: bool) -> None:
    order = asked(0, two_people=two_people)
    for at, event in enumerate(events, start=1):
        try:
            order = step(order, event, at, actor="li")
        except TransitionError:
            continue
        beyond = order.state not in (S.AWAITING_SECOND, S.CANCELLED, S.EXPIRED)
        assert (order.expires_at is not None) == beyond
        assert beyond <= (not two_people or order.approved_by == "li")


def test_the_table_has_every_state_that_something_can_follow() -> None:
    assert set(S) - {state for state, _ in TABLE} == {S.CANCELLED, S.EXPIRED}
