"""The checks of one point, each by itself: what turns its truth, and what must not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.book.data.checks import NO_VALUE, RESET_MS, Chattering, Check, CounterReset, Noisy, NoValue, guard_of
from rules.language.frame import Frame

LIFT = load_catalog().classes["elevator"].points
SECOND = 1000


def truths(check: Check, values: Iterable[float | None], *, every: int = SECOND) -> list[bool | None]:
    """The truth after each value; whatever turned was said, and nothing else was."""
    found: list[bool | None] = []
    last: float | None = None
    for number, value in enumerate(values):
        before = check.truth
        turned = check.push(number * every, last, value, Quality.COMM if value is None else Quality.GOOD)
        last = last if value is None else value
        assert turned is (check.truth is not before)
        found.append(check.truth)
    return found


@pytest.mark.parametrize("quality", Quality)
def test_only_a_device_that_answers_lacks_a_value(quality: Quality) -> None:
    check = NoValue()
    check.push(0, None, 1.0, Quality.GOOD)
    assert check.truth is False
    check.push(1, 1.0, None, quality)
    assert check.truth is (True if quality in NO_VALUE else None)


def test_contacts_chatter_after_so_many_changes_and_no_longer_once_they_rest() -> None:
    flips = [number % 2 == 1 for number in range(7)]
    assert truths(Chattering(6, 60_000), [*flips, *[False] * 60]) == [False] * 6 + [True] * 55 + [False] * 6
    assert True not in truths(Chattering(6, 60_000), flips * 3, every=12 * SECOND)


def test_noise_turns_round_all_the_time_and_a_spike_or_a_ramp_does_not() -> None:
    noise = [0.0, 3.0] * 10
    assert truths(Noisy(2.0, 10, 60_000), noise)[10:] == [True] * 10
    assert True not in truths(Noisy(2.0, 10, 60_000), [0.0, 1.9] * 40)
    assert True not in truths(Noisy(2.0, 10, 60_000), [float(number * 5) for number in range(100)])
    spikes = [50.0 if number % 30 == 7 else 0.0 for number in range(600)]
    assert True not in truths(Noisy(2.0, 10, 60_000), spikes)


def test_what_is_unknown_is_neither() -> None:
    assert truths(Noisy(1.0, 2, 60_000), [0.0, 5.0, 0.0, None, 5.0])[2:] == [True, None, True]


def test_a_counter_that_falls_began_anew_for_a_while() -> None:
    found = truths(CounterReset(None), [500.0, 501.0, 0.0, 1.0], every=RESET_MS // 2)
    assert found == [False, False, True, True]
    assert truths(CounterReset(None), [500.0, 0.0, 1.0], every=RESET_MS)[2] is False


@pytest.mark.parametrize("last", [65_535, 999_999.6, 99_999.99, 4_294_967_290, 42_949_672.9])
def test_a_counter_at_its_end_rolls_over(last: float) -> None:
    assert True not in truths(CounterReset(None), [last, 0.4, 1.0])


def test_the_end_of_the_point_s_own_range_counts_too() -> None:
    assert True in truths(CounterReset(None), [86_399.0, 0.0])
    assert True not in truths(CounterReset(86_400.0), [86_399.0, 0.0])


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=50))
def test_a_counter_that_only_grows_is_never_reset(steps: list[float]) -> None:
    assert True not in truths(CounterReset(None), sorted(steps))


def test_a_despiked_point_shows_the_median_and_only_to_the_rules() -> None:
    frame = Frame(LIFT, {})
    guard, slot = guard_of(frame, "mr.temp"), frame.slot("mr.temp")
    guard.despike()
    chatter = guard.add(Chattering(3, 60_000))
    shown = []
    for number, value in enumerate([20.0, 20.5, 90.0, 21.0, 21.5]):
        slot.take(number, value, Quality.GOOD)
        guard.take(number)
        shown.append(slot.value)
    assert shown == [20.0, 20.5, 20.5, 21.0, 21.5]
    assert chatter() is True


MADE: dict[str, Callable[[], Check]] = {
    "no_value": NoValue,
    "noisy": lambda: Noisy(2.0, 3, 60_000),
    "chattering": lambda: Chattering(4, 60_000),
    "counter_reset": lambda: CounterReset(None),
}
READINGS = st.tuples(st.integers(1, 20_000), st.sampled_from([None, 20.0, 20.5, 21.0, 20.5, 23.0, 40.0]))


@given(st.sets(st.sampled_from(sorted(MADE)), min_size=1), st.lists(READINGS, max_size=60))
def test_what_a_guard_passes_by_would_have_changed_nothing(
    names: set[str], readings: list[tuple[int, float | None]]
) -> None:
    frame = Frame(LIFT, {})
    guard, slot = guard_of(frame, "mr.temp"), frame.slot("mr.temp")
    guarded, each = [MADE[name]() for name in names], [MADE[name]() for name in names]
    for check in guarded:
        guard.add(check)
    at, last = 0, None
    for later, value in readings:
        at += later
        slot.take(at, value, Quality.SENTINEL if value is None else Quality.GOOD)
        turned = [check.push(at, last, value, slot.quality) for check in each]
        assert guard.take(at) is any(turned)
        assert [check.truth for check in guarded] == [check.truth for check in each]
        last = last if value is None else value


def test_a_value_near_the_last_costs_nothing_while_all_is_quiet() -> None:
    class Counted(Noisy):
        pushed = 0

        def push(self, at: int, last: float | None, value: float | None, quality: Quality | None) -> bool:
            self.pushed += 1
            return super().push(at, last, value, quality)

    frame, check = Frame(LIFT, {}), Counted(2.0, 3, 60_000)
    guard, slot = guard_of(frame, "mr.temp"), frame.slot("mr.temp")
    guard.add(NoValue())
    guard.add(check)
    for number, value in enumerate([20.0, 20.0, 21.0, 22.0, 21.0, 21.0, 24.0, 24.0, 25.0]):
        slot.take(number, value, Quality.GOOD)
        guard.take(number)
    assert check.pushed == 2
