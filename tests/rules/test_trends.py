"""Hourly summaries, and what is worked out from them: against the definition, and that asking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.grammar import ExpressionError
from rules.language.summaries import HOUR_MS, KNOTS, MAX_PARTS, Hour, Hours, percentile
from rules.language.trends import DAY_MS, DaysTo, Slope, UsualOfHour
from rules.language.windows import Average, Extreme

T0 = 1_700_000_000_000 // DAY_MS * DAY_MS
UTC = ZoneInfo("UTC")
LIFT = load_catalog().classes["elevator"]

values = st.one_of(st.none(), st.integers(0, 100))
pushes = st.lists(st.tuples(st.integers(1, 3 * HOUR_MS), values), min_size=1, max_size=30)


def told(given_pushes: list[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    at, found = T0, []
    for gap, value in given_pushes:
        at += gap
        found.append((at, value))
    return found


def summed(given_pushes: list[tuple[int, int | None]], end: int, *, keep: int = 90 * DAY_MS) -> Hours:
    hours = Hours(keep)
    for at, value in given_pushes:
        hours.push(at, value)
    hours.advance(end)
    return hours


@given(pushes)
def test_an_hour_is_what_its_definition_says(given_pushes: list[tuple[int, int | None]]) -> None:
    series = told(given_pushes)
    end = series[-1][0] + 2 * HOUR_MS
    steps = [
        (max(at, start), min(until, start + HOUR_MS), value, start)
        for (at, value), (until, _) in zip(series, [*series[1:], (end, None)], strict=True)
        for start in range(at // HOUR_MS * HOUR_MS, until, HOUR_MS)
    ]
    wanted: dict[int, list[tuple[int, int]]] = {}
    for begin, until, value, start in steps:
        if value is not None and until > begin and start + HOUR_MS <= end:
            wanted.setdefault(start, []).append((value, until - begin))
    rows = summed(series, end).rows
    assert [row.start for row in rows] == sorted(wanted)
    for row in rows:
        parts = wanted[row.start]
        assert row.known == sum(weight for _, weight in parts)
        assert row.mean == pytest.approx(sum(value * weight for value, weight in parts) / row.known)
        assert (row.low, row.high) == (min(parts)[0], max(parts)[0])
        assert len(row.knots) == KNOTS
        assert list(row.knots) == sorted(row.knots)


@given(pushes, st.lists(st.integers(0, 90 * HOUR_MS), max_size=20))
def test_asking_in_between_changes_nothing(given_pushes: list[tuple[int, int | None]], looks: list[int]) -> None:
    series = told(given_pushes)
    end = series[-1][0] + 2 * HOUR_MS
    looked = Hours(90 * DAY_MS)
    steps = [(at, 0, value) for at, value in series] + [(T0 + look, 1, None) for look in looks if T0 + look < end]
    for at, is_look, value in sorted(steps, key=lambda step: step[:2]):
        if is_look:
            looked.advance(at)
        else:
            looked.push(at, value)
    looked.advance(end)
    assert looked.rows == summed(series, end).rows


@given(pushes, st.integers(0, 30))
def test_a_restart_changes_nothing_if_the_open_hour_is_told_again(
    given_pushes: list[tuple[int, int | None]], cut: int
) -> None:
    series = told(given_pushes)
    end = series[-1][0] + 2 * HOUR_MS
    before, after = summed(series[:cut], (series[:cut] or series)[-1][0]), Hours(90 * DAY_MS)
    after.load(before.rows)
    for at, value in series:
        after.push(at, value)
    after.advance(end)
    assert after.rows == summed(series, end).rows


@given(pushes, st.integers(1, 3 * HOUR_MS))
def test_a_value_counts_until_it_has_been_silent_for_too_long(
    given_pushes: list[tuple[int, int | None]], hold: int
) -> None:
    series = told(given_pushes)
    end = series[-1][0] + 5 * HOUR_MS
    plain, held = Hours(90 * DAY_MS), Hours(90 * DAY_MS, hold=hold)
    for (at, value), (following, _) in zip(series, [*series[1:], (end, None)], strict=True):
        held.push(at, value)
        plain.push(at, value)
        if at + hold < following:
            plain.push(at + hold, None)
    held.advance(end)
    plain.advance(end)
    assert held.rows == plain.rows


def test_what_is_kept_and_merged_is_bounded() -> None:
    hours = Hours(DAY_MS)
    for number in range(5 * MAX_PARTS):
        hours.push(T0 + number * 1000, float(number % 997))
    for day in range(10):
        hours.push(T0 + day * DAY_MS + HOUR_MS, float(day))
    hours.advance(T0 + 20 * DAY_MS)
    assert len(hours.rows) <= 25
    first = Hours(DAY_MS)
    for number in range(3600):
        first.push(T0 + number * 1000, float(number * 7919 % 1000))
    first.advance(T0 + HOUR_MS)
    (row,) = first.rows
    assert (row.low, row.high, row.known) == (0.0, 999.0, HOUR_MS)
    assert row.mean == pytest.approx(499.5, abs=1)
    assert percentile([row], 0.95) == pytest.approx(950, abs=30)


def test_hours_that_were_filled_come_before_those_that_were_seen() -> None:
    hours = Hours(30 * DAY_MS)
    hours.push(T0 + 10 * HOUR_MS, 1.0)
    hours.advance(T0 + 12 * HOUR_MS)
    older = [Hour(T0 + number * HOUR_MS, HOUR_MS, 5.0, 5.0, 5.0, (5.0,)) for number in range(11)]
    written = hours.fill(older)
    assert [row.start for row in hours.rows] == [T0 + number * HOUR_MS for number in range(12)]
    assert (written[0].known, written[1:], hours.is_filled) == (0, older[:10], True)
    again = Hours(30 * DAY_MS)
    again.load([*written, *list(hours.rows)[10:]])
    assert (again.rows, again.is_filled) == (hours.rows, True)


# what is worked out


def filled(days: int, value: Callable[[int], float], *, known: int = HOUR_MS) -> Hours:
    """`days` of hours up to T0; `value` of the number of the hour since the first."""
    hours = Hours(90 * DAY_MS)
    first = T0 - days * DAY_MS
    rows = [Hour(first + n * HOUR_MS, known, v, v, v, (v,) * KNOTS) for n in range(days * 24) if (v := value(n)) >= 0]
    hours.load(rows)
    return hours


def test_a_straight_line_is_found_with_its_day() -> None:
    hours = filled(10, lambda n: 20 + n / 24)
    now = T0 + 60_000
    assert Slope(hours, 14 * DAY_MS).value(now) == pytest.approx(1.0)
    assert DaysTo(hours, 14 * DAY_MS, 40.0).value(now) == pytest.approx(10 + 0.5 / 24)
    assert DaysTo(hours, 14 * DAY_MS, 10.0).value(now) is None
    assert DaysTo(filled(10, lambda _: 20.0), 14 * DAY_MS, 40.0).value(now) is None


@pytest.mark.parametrize(
    ("days", "known", "speaks"), [(5, HOUR_MS, True), (4, HOUR_MS, False), (10, HOUR_MS // 3, False)]
)
def test_a_trend_needs_a_third_of_its_span(days: int, known: int, speaks: bool) -> None:
    slope = Slope(filled(days, float, known=known), 14 * DAY_MS)
    assert (slope.value(T0) is not None) is speaks


def test_only_the_span_counts() -> None:
    hours = filled(40, lambda n: 100.0 if n < 30 * 24 else 20 + n / 24)
    assert Slope(hours, 10 * DAY_MS).value(T0) == pytest.approx(1.0)


def test_what_is_usual_depends_on_the_local_hour_and_needs_three_days() -> None:
    busy = filled(14, lambda n: 50.0 if n % 24 == 9 else 10.0)
    usual = UsualOfHour(busy, 14 * DAY_MS, UTC)
    assert usual.value(T0 + 9 * HOUR_MS + 1) == 50.0
    assert usual.value(T0 + 10 * HOUR_MS) == 10.0
    assert UsualOfHour(busy, 14 * DAY_MS, ZoneInfo("Asia/Shanghai")).value(T0 + 9 * HOUR_MS) == 50.0
    assert UsualOfHour(filled(2, lambda _: 1.0), 14 * DAY_MS, UTC).value(T0) is None
    assert UsualOfHour(filled(3, lambda _: 1.0), 14 * DAY_MS, UTC).value(T0) == 1.0
    assert UsualOfHour(filled(9, lambda _: 1.0, known=HOUR_MS // 3), 14 * DAY_MS, UTC).value(T0) is None


# in expressions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slope(car.load, '2h') > 1", "spans 1 d to 90 d"),
        ("p95_of_hour(car.load, '2d') > 1", "spans 3 d to 90 d"),
        ("slope(car.load, '91d') > 1", "1 s to 90 d"),
        ("days_to(car.load, car.load, '14d') < 1", "plain number"),
        ("slope(car.moving, '14d') > 1", "a number is needed"),
        ("slope(avg(car.load, '1h'), '14d') > 1", "avg can't stand inside slope"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, LIFT)
    assert message in str(caught.value)


def test_rules_share_the_summaries_of_a_series_and_keep_the_longest_span() -> None:
    frame = Frame(LIFT.points, {}, zone=ZoneInfo("Asia/Kolkata"))
    found = compile_expression("slope(car.load, '14d') > 1 and p95_of_hour(car.load, '30d') < 5", LIFT)
    read = found.bind(frame)
    (hours,) = frame.hours.values()
    assert (hours.keep, hours.offset, list(frame.hours)) == (30 * DAY_MS, HOUR_MS // 2, ["car.load"])
    slot = frame.slot("car.load")
    for hour in range(6 * 24):
        for at in range(T0 + hour * HOUR_MS, T0 + (hour + 1) * HOUR_MS, 300_000):
            slot.take(at, float(hour), Quality.GOOD)
            frame.fed(at, [slot])
    frame.now = T0 + 6 * DAY_MS
    assert read() is False  # more than usual, and rising by 24 a day
    assert compile_expression("slope(car.load, '14d') > 23", LIFT).bind(frame)() is True


@given(pushes)
def test_a_summary_agrees_with_the_windows(given_pushes: list[tuple[int, int | None]]) -> None:
    series = [(T0, 1), *told(given_pushes)]
    end = series[-1][0] // HOUR_MS * HOUR_MS + HOUR_MS
    mean, low = Average(HOUR_MS), Extreme(HOUR_MS, sign=-1)
    for at, value in series:
        mean.push(at, value)
        low.push(at, value)
    last = summed(series, end).rows[-1]
    if last.start == end - HOUR_MS and 2 * last.known >= HOUR_MS and mean.value(end) is not None:
        assert last.mean == pytest.approx(mean.value(end))
        assert last.low == low.value(end)
