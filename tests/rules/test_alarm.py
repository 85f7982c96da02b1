"""Every state with every event, then random walks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import TransitionError
from rules.life.alarm import ACTIVE, OWED, PROCESS, PROCESS_EVENTS, SUPPRESSION, Alarm, Event, State, Suppression, step

N, U, A, R = State.NORMAL, State.UNACKNOWLEDGED, State.ACKNOWLEDGED, State.RETURNED
LU, LA = State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED
NO = None

# state: raise, clear, acknowledge, reset; written out once more on purpose, from ISA-18.2 and not from the table
PLAIN = {
    N: (U, N, NO, NO),
    U: (U, R, A, NO),
    A: (A, N, NO, NO),
    R: (U, R, N, NO),
    LU: (U, LU, LA, NO),
    LA: (U, LA, NO, N),
}
LATCHING = PLAIN | {U: (U, LU, A, NO), A: (A, LA, NO, NO)}
EVENTS = (Event.RAISE, Event.CLEAR, Event.ACKNOWLEDGE, Event.RESET)
ROWS = [
    pytest.param(latch, state, event, targets[state][number], id=f"{state}-{event}-{'latching' if latch else 'plain'}")
    for latch, targets in ((False, PLAIN), (True, LATCHING))
    for state in State
    for number, event in enumerate(EVENTS)
]


@pytest.mark.parametrize(("latch", "state", "event", "target"), ROWS)
def test_every_process_state_with_every_event(latch: bool, state: State, event: Event, target: State | None) -> None:
    alarm = Alarm(latch=latch, state=state)
    if target is None:
        with pytest.raises(TransitionError) as caught:
            step(alarm, event, 5)
        assert (caught.value.machine, caught.value.state, caught.value.event) == ("alarm", state, event)
    else:
        after = step(alarm, event, 5)
        assert after.state is target
        assert after.suppression is Suppression.NONE
        assert (after is alarm) == (target is state)


@pytest.mark.parametrize("suppression", Suppression)
@pytest.mark.parametrize("event", [event for event in Event if event not in PROCESS_EVENTS])
def test_every_suppression_with_every_event(suppression: Suppression, event: Event) -> None:
    none, shelved, design, out = Suppression
    # written out once more on purpose: to, and to while the plant's logic wants the alarm quiet
    legal = {
        (none, Event.SHELVE): (shelved, shelved),
        (none, Event.SUPPRESS): (design, design),
        (none, Event.RELEASE): (none, none),
        (none, Event.REMOVE): (out, out),
        (shelved, Event.SHELVE): (shelved, shelved),
        (shelved, Event.UNSHELVE): (none, design),
        (shelved, Event.SUPPRESS): (shelved, shelved),
        (shelved, Event.RELEASE): (shelved, shelved),
        (shelved, Event.REMOVE): (out, out),
        (design, Event.SUPPRESS): (design, design),
        (design, Event.RELEASE): (none, none),
        (design, Event.REMOVE): (out, out),
        (out, Event.SUPPRESS): (out, out),
        (out, Event.RELEASE): (out, out),
        (out, Event.RETURN): (none, design),
    }
    for inhibited in (False, True):
        until = 9 if suppression is shelved else None
        alarm = Alarm(state=A, suppression=suppression, inhibited=inhibited, shelved_until=until)
        targets = legal.get((suppression, event))
        if targets is None:
            with pytest.raises(TransitionError):
                step(alarm, event, 5, until=99)
            continue
        after = step(alarm, event, 5, until=99 if event is Event.SHELVE else None)
        assert after.inhibited == {Event.SUPPRESS: True, Event.RELEASE: False}.get(event, inhibited)
        assert (after.suppression, after.state) == (targets[after.inhibited], A)
        end = 99 if event is Event.SHELVE else until
        assert after.shelved_until == (end if after.suppression is shelved else None)


def test_the_tables_name_only_their_own_events() -> None:
    assert {event for _, event in PROCESS} == PROCESS_EVENTS
    assert {event for _, event in SUPPRESSION} == set(Event) - PROCESS_EVENTS


@pytest.mark.parametrize("until", [None, 4, 5])
def test_a_shelving_needs_an_end_in_the_future(until: int | None) -> None:
    with pytest.raises(ValueError, match="end"):
        step(Alarm(state=U), Event.SHELVE, 5, until=until)


def test_a_shelving_runs_out_at_its_end() -> None:
    shelved = step(Alarm(state=U), Event.SHELVE, 5, until=9)
    assert [shelved.is_expired(at) for at in (8, 9)] == [False, True]
    assert not Alarm(state=U).is_expired(9)


def test_instants_belong_to_the_newest_raise() -> None:
    alarm = step(Alarm(), Event.RAISE, 1)
    alarm = step(alarm, Event.ACKNOWLEDGE, 2)
    assert (alarm.raised_at, alarm.acknowledged_at, alarm.raises) == (1, 2, 1)
    assert step(alarm, Event.RAISE, 3) is alarm
    alarm = step(step(Alarm(), Event.RAISE, 1), Event.CLEAR, 4)
    assert (alarm.state, alarm.cleared_at) == (R, 4)
    alarm = step(alarm, Event.RAISE, 6)
    assert (alarm.raised_at, alarm.cleared_at, alarm.acknowledged_at, alarm.raises) == (6, None, None, 2)


def test_a_released_alarm_shows_what_it_is() -> None:
    alarm = step(step(Alarm(), Event.RAISE, 1), Event.SHELVE, 2, until=99)
    assert alarm.shown == "shelved"
    alarm = step(alarm, Event.CLEAR, 3)
    assert step(alarm, Event.UNSHELVE, 4).shown == "returned"
    alarm = step(alarm, Event.ACKNOWLEDGE, 4)
    assert alarm.is_live  # normal, and still shelved
    assert not step(alarm, Event.UNSHELVE, 5).is_live


MOVES = st.lists(st.tuples(st.sampled_from(Event), st.integers(1, 1000)), max_size=40)


@given(latch=st.booleans(), moves=MOVES)
def test_walks_keep_what_must_always_hold(latch: bool, moves: list[tuple[Event, int]]) -> None:
    alarm, condition, at = Alarm(latch=latch), False, 0
    for event, pause in moves:
        at += pause
        before = alarm
        try:
            alarm = step(alarm, event, at, until=at + 10)
        except TransitionError:
            assert event not in (Event.RAISE, Event.CLEAR, Event.SUPPRESS, Event.RELEASE)  # the engine is never refused
            assert event is not Event.ACKNOWLEDGE or before.state not in OWED  # nor a debt's acknowledgement
            continue
        condition = {Event.RAISE: True, Event.CLEAR: False}.get(event, condition)
        assert (alarm.state in ACTIVE) == condition == alarm.is_active
        if event not in PROCESS_EVENTS:
            assert alarm.state is before.state  # a suppression neither pays nor makes a debt
        else:
            assert alarm.suppression is before.suppression
        if before.is_owed and not alarm.is_owed:
            assert event is Event.ACKNOWLEDGE
        if latch and before.state is not State.NORMAL and alarm.state is State.NORMAL:
            assert event is Event.RESET  # a latched alarm never goes by itself
        assert alarm.raises >= before.raises
