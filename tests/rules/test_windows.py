"""Sliding windows agree with a recomputation that a reader can check, and stay within their bound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.language.percentile import Percentile
from rules.language.windows import MAX_ROWS, Average, Count, Delta, Deviation, Extreme, Held, Since, Window

LENGTH = 10_000
Series = list[tuple[int, float | None]]

series = st.lists(
    st.tuples(st.integers(1, 4000), st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6))),
    max_size=60,
).map(lambda gaps: [(sum(gap for gap, _ in gaps[: number + 1]), value) for number, (_, value) in enumerate(gaps)])
later = st.integers(0, 15_000)


def segments(given_series: Series, now: int) -> list[tuple[int, int, float]]:
    """(from, to, value) of the known pieces of the step function inside the window."""
    found = []
    for number, (at, value) in enumerate(given_series):
        until = given_series[number + 1][0] if number + 1 < len(given_series) else now
        begin = max(at, now - LENGTH)
        is_last = number + 1 == len(given_series)
        if value is not None and (until > begin or (is_last and until == begin)):
            found.append((begin, until, value))
    return found


def known(given_series: Series, now: int) -> bool:
    """Half of the length seen since the first good reading, anew after a whole length without any."""
    since = None
    for number, (at, value) in enumerate(given_series):
        until = given_series[number + 1][0] if number + 1 < len(given_series) else now
        if value is not None:
            since = at if since is None else since
        elif until - at >= LENGTH:
            since = None
    return since is not None and now - since >= LENGTH / 2


def filled(window: Window, given_series: Series, now: int, *, ask: bool) -> float | None:
    """The window after the series; `ask` asks after every push too, which must change nothing."""
    for at, value in given_series:
        window.push(at, value)
        if ask:
            window.value(at)
    return window.value(now)


def merged(given_series: Series) -> Series:
    """Equal neighbours are one: a gap's length is that of the whole gap."""
    found: Series = []
    for at, value in given_series:
        if not found or found[-1][1] != value:
            found.append((at, value))
    return found


def check(
    make: Callable[[], Window], naive: Callable[[list[tuple[int, int, float]]], float], data: Series, wait: int
) -> None:
    now = (data[-1][0] if data else 0) + wait
    for ask in (False, True):
        found = filled(make(), data, now, ask=ask)
        pieces = segments(merged(data), now)
        if not known(merged(data), now) or not pieces:
            assert found is None
        else:
            assert found == pytest.approx(naive(pieces), rel=1e-6, abs=1e-5)


def mean(pieces: list[tuple[int, int, float]]) -> float:
    weight = sum(until - begin for begin, until, _ in pieces)
    return sum((until - begin) * value for begin, until, value in pieces) / weight if weight else pieces[-1][2]


@pytest.mark.slow
@given(series, later)
def test_average_is_weighted_by_time(data: Series, wait: int) -> None:
    check(lambda: Average(LENGTH), mean, data, wait)


@pytest.mark.slow
@given(series, later)
def test_smallest_and_largest(data: Series, wait: int) -> None:
    check(lambda: Extreme(LENGTH, sign=-1), lambda pieces: min(value for *_, value in pieces), data, wait)
    check(lambda: Extreme(LENGTH, sign=1), lambda pieces: max(value for *_, value in pieces), data, wait)


@pytest.mark.slow
@given(
    series.map(lambda data: [(at, None if value is None else round(value) % 7 + 1000.0) for at, value in data]), later
)
def test_deviation(data: Series, wait: int) -> None:
    def naive(pieces: list[tuple[int, int, float]]) -> float:
        middle = mean(pieces)
        return float(max(mean([(begin, until, (value - middle) ** 2) for begin, until, value in pieces]), 0.0) ** 0.5)

    check(lambda: Deviation(LENGTH), naive, data, wait)


def share(percent: float) -> Callable[[list[tuple[int, int, float]]], float]:
    """The least value that is not exceeded for so much of the time, by trying every value."""

    def naive(pieces: list[tuple[int, int, float]]) -> float:
        weight = sum(until - begin for begin, until, _ in pieces)
        if not weight:
            return pieces[-1][2]
        lasting = sorted({value for begin, until, value in pieces if until > begin})
        below = {top: sum(until - begin for begin, until, value in pieces if value <= top) for top in lasting}
        return next(top for top in lasting if below[top] >= weight * percent / 100)

    return naive


@pytest.mark.slow
@given(series, later, st.sampled_from([0.0, 5.0, 50.0, 95.0, 99.9, 100.0]))
def test_percentile_is_weighted_by_time(data: Series, wait: int, percent: float) -> None:
    check(lambda: Percentile(LENGTH, percent=percent), share(percent), data, wait)


@given(st.lists(st.tuples(st.integers(1, 3000), st.sampled_from([True, False, None])), max_size=40), later)
def test_since_a_truth_last_became_true(gaps: list[tuple[int, bool | None]], wait: int) -> None:
    at, data = 0, []
    for gap, value in gaps:
        at += gap
        data.append((at, value))
    window = Since()
    for when, value in data:
        window.push(when, value)
    good = [(when, value) for when, value in data if value is not None]
    rises = [
        when for (when, value), (_, before) in zip(good, [(0, False), *good], strict=False) if value and not before
    ]
    known = bool(data) and data[-1][1] is not None and bool(rises)
    assert window.value(at + wait) == ((at + wait - rises[-1]) / 1000 if known else None)


def in_force(data: Series, at: int) -> float | None:
    """The newest good value at an instant; the first one, if the window opened before it."""
    good = [(when, value) for when, value in data if value is not None]
    before = [value for when, value in good if when <= at]
    return before[-1] if before else good[0][1] if good else None


@given(series, later)
def test_delta(data: Series, wait: int) -> None:
    now = (data[-1][0] if data else 0) + wait
    found = filled(Delta(LENGTH), data, now, ask=False)
    first, last = in_force(data, now - LENGTH), in_force(data, now)
    assert found == (None if first is None or last is None else pytest.approx(last - first))


@given(series, later)
def test_changes(data: Series, wait: int) -> None:
    now = (data[-1][0] if data else 0) + wait
    good = [(at, value) for at, value in data if value is not None]
    instants = [at for (at, value), (_, before) in zip(good[1:], good, strict=False) if value != before]
    found = filled(Count(LENGTH), data, now, ask=True)
    assert found == (len([at for at in instants if at > now - LENGTH]) if good else None)


@given(st.lists(st.tuples(st.integers(1, 3000), st.sampled_from([True, False, None])), max_size=40), later)
def test_count_of_rises(gaps: list[tuple[int, bool | None]], wait: int) -> None:
    at, data = 0, []
    for gap, value in gaps:
        at += gap
        data.append((at, value))
    now = at + wait
    good = [(when, value) for when, value in data if value is not None]
    rises = [when for (when, value), (_, before) in zip(good[1:], good, strict=False) if value and not before]
    window = Count(LENGTH, rising=True)
    for when, value in data:
        window.push(when, value)
    assert window.value(now) == (len([when for when in rises if when > now - LENGTH]) if good else None)


def test_rate_is_per_second_and_a_counter_counts_on() -> None:
    window = Delta(LENGTH, counter=True, per_second=True)
    for second, value in enumerate([65_530, 65_532, 1, 3]):
        window.push(second * 1000, float(value))
    assert window.value(3000) is None
    assert window.value(5000) == pytest.approx((2 + 1 + 2) / 5)


def test_rate_over_the_whole_window() -> None:
    window = Delta(LENGTH, per_second=True)
    for second in range(31):
        window.push(second * 1000, 3.0 * second)
    assert window.value(30_000) == pytest.approx(3.0)
    assert window.value(60_000) == 0.0


def test_held_needs_its_whole_time_and_forgives_the_unknown() -> None:
    window = Held(5000)
    assert window.value(0) is None
    window.push(0, False)
    assert window.value(9000) is False
    window.push(10_000, True)
    assert window.value(14_999) is False
    assert window.value(15_000) is True
    window.push(16_000, None)
    assert window.value(17_000) is None
    window.push(18_000, True)
    assert window.value(18_000) is True
    window.push(19_000, False)
    window.push(20_000, True)
    assert window.value(20_000) is False


@pytest.mark.parametrize(
    "make",
    [
        lambda: Average(10**9),
        lambda: Extreme(10**9, sign=1),
        lambda: Delta(10**9),
        lambda: Count(10**9),
        lambda: Percentile(10**9, percent=50),
    ],
)
def test_memory_is_bounded_and_what_was_let_go_is_counted(
    make: Callable[[], Average | Extreme | Delta | Count],
) -> None:
    window = make()
    for number in range(MAX_ROWS + 50):
        window.push(number, float(-number))
    assert window.shortened > 0
    assert window.value(MAX_ROWS + 50) is None or window.value(10**9 // 2 + 60) is not None


def test_a_long_series_does_not_drift() -> None:
    window = Average(60_000)
    for second in range(25_000):
        window.push(second * 1000, 1e6 if second % 1000 == 0 else 0.1 * (second % 7))
    rows = [0.1 * (second % 7) if second % 1000 else 1e6 for second in range(24_939, 24_999)]
    assert window.value(24_999_000) == pytest.approx(sum(rows) / 60, rel=1e-9)


def test_an_older_instant_counts_as_the_newest_so_far() -> None:
    window = Average(LENGTH)
    window.push(10_000, 1.0)
    window.push(5000, 3.0)
    assert window.value(15_000) == pytest.approx(3.0)


def test_a_window_begins_anew_after_a_gap_of_its_whole_length_whoever_notices() -> None:
    window = Average(10_000)
    for at, value in ((0, 1.0), (1_000, None), (20_000, 5.0)):
        window.push(at, value)
    assert window.value(21_000) is None
    assert window.value(25_000) == 5.0
