"""The flood machine, and how often a repeated alarm is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.notification.flood import Due, Flood, Limits, due, raised, rebuilt, summed_up
from rules.notification.repeat import HOUR, Limit, quiet_until, remembered

LIMITS = Limits()
GAPS = st.lists(st.integers(0, 200_000), max_size=80)


def after(instants: list[int], flood: Flood | None = None) -> Flood:
    flood = flood or Flood()
    for at in instants:
        flood = raised(flood, at, LIMITS)
    return flood


def test_ten_in_ten_minutes_are_none_eleven_are() -> None:
    assert not after(list(range(10))).is_on
    assert after(list(range(11))).began == 10
    assert not after([*range(10), 600_001]).is_on


def test_it_ends_below_five_in_ten_minutes() -> None:
    flood = after(list(range(0, 11_000, 1_000)))
    assert due(flood, 10_000, LIMITS) is Due.BEGUN
    flood = summed_up(flood, Due.BEGUN, 10_000)
    assert due(flood, 605_000, LIMITS) is Due.NOTHING  # five of them are ten minutes old, six are not
    assert due(flood, 607_000, LIMITS) is Due.ENDED
    assert not summed_up(flood, Due.ENDED, 607_000).is_on


def test_a_long_one_is_summed_up_again_and_again() -> None:
    flood = summed_up(after(list(range(11))), Due.BEGUN, 10)
    flood = after(list(range(300_000, 300_020)), flood)
    assert due(flood, 600_009, LIMITS) is Due.NOTHING
    assert due(flood, 600_010, LIMITS) is Due.GOES_ON
    assert due(summed_up(flood, Due.GOES_ON, 600_010), 600_011, LIMITS) is Due.NOTHING


@given(GAPS)
def test_the_newest_few_say_what_all_would(gaps: list[int]) -> None:
    instants, at, on, flood = [], 0, False, Flood()
    for gap in gaps:
        at += gap
        within = [instant for instant in instants if at - LIMITS.window < instant]
        if on and len(within) < LIMITS.end:
            on = False
        if flood.is_on and due(flood, at, LIMITS) is Due.BEGUN:
            flood = summed_up(flood, Due.BEGUN, at)
        if due(flood, at, LIMITS) is Due.ENDED:
            flood = summed_up(flood, Due.ENDED, at)
        instants.append(at)
        on = on or len(within) + 1 > LIMITS.start
        flood = raised(flood, at, LIMITS)
        assert flood.is_on is on
        assert len(flood.newest) <= LIMITS.start + 1


@given(GAPS, st.integers(0, 600_000))
def test_it_is_the_same_after_a_restart(gaps: list[int], later: int) -> None:
    instants = [sum(gaps[: number + 1]) for number in range(len(gaps))]
    flood = after(instants)
    if due(flood, instants[-1] if instants else 0, LIMITS) is Due.BEGUN:
        flood = summed_up(flood, Due.BEGUN, instants[-1])
    now = (instants[-1] if instants else 0) + later
    again = rebuilt(instants, LIMITS, now, began=flood.began, told=flood.told)
    assert due(again, now, LIMITS) == due(flood, now, LIMITS)
    assert again.is_on == flood.is_on


def test_a_repeated_alarm_is_told_so_often_and_then_not_for_a_while() -> None:
    limit, told, at = Limit(times=3, within=900_000), (), 0
    for at in (0, 1_000, 2_000, 3_000):
        assert quiet_until(told, at, limit) is None
        told = remembered(told, at, limit)
    assert quiet_until(told, 4_000, limit) == 903_000
    assert quiet_until(told, 903_000, limit) is None


@given(st.lists(st.integers(0, HOUR), max_size=60), st.integers(0, 5))
def test_never_more_than_its_times_in_an_hour_while_it_is_back_within(gaps: list[int], times: int) -> None:
    limit, told, at, all_told = Limit(times, within=HOUR), (), 0, []
    for gap in gaps:
        at += gap
        if quiet_until(told, at, limit) is None:
            told = remembered(told, at, limit)
            all_told.append(at)
    assert all(len([at for at in all_told if first <= at < first + HOUR]) <= times + 1 for first in all_told)
