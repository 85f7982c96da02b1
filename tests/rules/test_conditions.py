"""On-delay, off-delay, hysteresis, and what unknown does to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conditions import ACTIVE, FORGET_MS, NORMAL, Event, Phase, State, Timing, due, observe, settle, step

TEN = Timing(10_000, 5000)


def play(observations: list[tuple[int, Any]], *, timing: Timing = TEN, until: int = 0) -> list[Event]:
    """The events of (ms, truth) or (ms, (truth, clear)) observations; `until` lets time pass at the end."""
    state, events = NORMAL, []
    for at, seen in observations:
        truth, clear = seen if isinstance(seen, tuple) else (seen, None if seen is None else not seen)
        state, event = step(state, truth, clear, at=at, timing=timing)
        events += [event] if event else []
    state, event = settle(state, at=until, timing=timing)
    return events + ([event] if event else [])


def test_raises_after_its_whole_delay_at_its_own_instant() -> None:
    assert play([(1000, True)], until=10_999) == []
    assert play([(1000, True)], until=60_000) == [Event("raise", 11_000, 1000)]
    assert play([(1000, True), (11_000, False)]) == [Event("raise", 11_000, 1000)]


def test_a_false_in_between_begins_anew() -> None:
    assert play([(0, True), (9000, False), (9500, True)], until=19_000) == []
    assert play([(0, True), (9000, False), (9500, True)], until=19_500) == [Event("raise", 19_500, 9500)]


def test_without_delay_it_raises_and_clears_at_once() -> None:
    events = play([(5, True), (7, False)], timing=Timing())
    assert events == [Event("raise", 5, 5), Event("clear", 7, 7)]


def test_clears_after_its_own_delay() -> None:
    seen = [(0, True), (20_000, False), (23_000, True), (30_000, False)]
    assert play(seen, until=60_000) == [Event("raise", 10_000, 0), Event("clear", 35_000, 30_000)]


def test_hysteresis_holds_between_the_limits() -> None:
    seen = [(0, (True, False)), (20_000, (False, False)), (40_000, (False, True))]
    assert play(seen, until=60_000) == [Event("raise", 10_000, 0), Event("clear", 45_000, 40_000)]


def test_a_true_condition_is_never_cleared() -> None:
    assert play([(0, (True, False)), (20_000, (True, True))], until=90_000) == [Event("raise", 10_000, 0)]


def test_unknown_stops_the_clock_and_does_not_reset_it() -> None:
    assert play([(0, True), (4000, None)], until=59_000) == []
    assert play([(0, True), (4000, None), (9000, None), (9000, True)], until=15_000) == [Event("raise", 15_000, 0)]


def test_unknown_does_not_clear() -> None:
    assert play([(0, True), (20_000, None)], until=900_000) == [Event("raise", 10_000, 0)]
    seen = [(0, (True, False)), (20_000, (False, True)), (22_000, (None, True))]
    assert play(seen, until=900_000) == [Event("raise", 10_000, 0)]


def test_what_was_known_long_ago_is_worth_nothing() -> None:
    back = 4000 + FORGET_MS + 1
    assert play([(0, True), (4000, None), (back, True)], until=back + 9999) == []
    assert play([(0, True), (4000, None), (back, True)], until=back + 10_000) == [Event("raise", back + 10_000, back)]


def test_unknown_alone_raises_nothing() -> None:
    assert play([(0, None), (10, None)], until=900_000) == []


def test_due_tells_when_something_would_happen() -> None:
    assert due(NORMAL, TEN) is None
    assert due(ACTIVE, TEN) is None
    assert due(observe(NORMAL, True, False, at=5, timing=TEN), TEN) == 10_005
    assert due(observe(State(Phase.PENDING, running=5), None, None, at=6, timing=TEN), TEN) is None


def test_an_observation_after_a_late_look_keeps_both() -> None:
    pending = observe(NORMAL, True, False, at=0, timing=TEN)
    state, event = step(pending, False, True, at=30_000, timing=TEN)
    assert event == Event("raise", 10_000, 0)
    assert state == State(Phase.CLEARING, since=30_000, running=30_000)


truths = st.lists(st.tuples(st.integers(1, 6000), st.sampled_from([True, False, None])), max_size=40)


@given(truths, st.lists(st.integers(0, 200_000), max_size=20))
def test_when_it_is_looked_at_changes_nothing(gaps: list[tuple[int, bool | None]], looks: list[int]) -> None:
    at, seen = 0, []
    for gap, truth in gaps:
        at += gap
        seen.append((at, truth))
    state, events = NORMAL, []
    moments = sorted(
        [*((at, 1, truth) for at, truth in seen), *((at, 0, None) for at in looks)], key=lambda item: item[:2]
    )
    for when, is_observation, truth in moments:
        state, event = settle(state, at=when, timing=TEN)
        events += [event] if event else []
        if is_observation:
            state, event = step(state, truth, None if truth is None else not truth, at=when, timing=TEN)
            events += [event] if event else []
    end = max([at, *looks], default=0) + 20_000
    state, event = settle(state, at=end, timing=TEN)
    assert events + ([event] if event else []) == play(seen, until=end)


@given(truths)
def test_a_raise_has_seen_its_whole_delay_of_known_truth(gaps: list[tuple[int, bool | None]]) -> None:
    at, seen = 0, []
    for gap, truth in gaps:
        at += gap
        seen.append((at, truth))
    for event in play(seen, until=at + 20_000):
        wanted = event.kind == "raise"
        known = 0
        for number, (when, truth) in enumerate(seen):
            until = min(seen[number + 1][0] if number + 1 < len(seen) else event.at, event.at)
            if when >= event.since and until > when:
                assert truth is not (not wanted)
                known += (until - when) * (truth is wanted)
        assert known == TEN.delay(Phase.PENDING if wanted else Phase.CLEARING)


@given(truths)
def test_raises_and_clears_take_turns(gaps: list[tuple[int, bool | None]]) -> None:
    at, seen = 0, []
    for gap, truth in gaps:
        at += gap
        seen.append((at, truth))
    kinds = [event.kind for event in play(seen, timing=Timing(3000, 0), until=at + 9000)]
    assert kinds == (["raise", "clear"] * len(kinds))[: len(kinds)]


@pytest.mark.parametrize("phase", list(Phase))
def test_delay_of_a_phase(phase: Phase) -> None:
    assert TEN.delay(phase) == (5000 if phase is Phase.CLEARING else 10_000)
