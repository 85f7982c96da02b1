"""The hours of rules agree with a calendar that is laid out day by day, over holidays and changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.language.frame import Frame
from rules.schedule import DAYS, parse_hours
from rules.watching import Calendar, _hours

FIRST = datetime(2026, 3, 20, tzinfo=UTC)
ZONES = ["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"]
clock = st.tuples(st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
day_lists = st.lists(
    st.one_of(
        st.sampled_from([*DAYS, "holidays"]),
        st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map("-".join),
    ),
    max_size=3,
)
instants = st.integers(0, 60 * 24 * 250).map(lambda minutes: FIRST + timedelta(minutes=minutes, seconds=17))
dates = st.frozensets(st.integers(0, 250).map(lambda days: FIRST.date() + timedelta(days=days)), max_size=60)


def listed(names: list[str]) -> set[str]:
    """The names of days, spans taken apart by counting on."""
    found: set[str] = set()
    for name in names:
        first, _, last = name.partition("-")
        found.add(first)
        while last and first != last:
            first = DAYS[(DAYS.index(first) + 1) % 7]
            found.add(first)
    return found


def spans(names: list[str], begin: time, end: time | None, day: date, holidays: frozenset[date]) -> list[datetime]:
    """[from, to) by the clock on the wall of the entry's turn that begins on `day`; nothing if it has none."""
    kind = "holidays" if day in holidays else DAYS[day.weekday()]
    if names and kind not in listed(names):
        return []
    until = datetime.combine(day + timedelta(days=1), time.min) if end is None else datetime.combine(day, end)
    start = datetime.combine(day, begin)
    return [start, until if until > start else until + timedelta(days=1)]


@given(day_lists, clock, st.one_of(clock, st.none()), instants, dates, st.sampled_from(ZONES))
def test_it_holds_when_a_calendar_says_so(
    names: list[str], begin: tuple[int, int], end: tuple[int, int] | None, instant: datetime,
    holidays: frozenset[date], zone: str,
) -> None:  # fmt: skip
    if begin == end:
        return
    text = f"{','.join(names)} {begin[0]:02}:{begin[1]:02}-" + (f"{end[0]:02}:{end[1]:02}" if end else "24:00")
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    turns = [
        spans(names, time(*begin), time(*end) if end else None, wall.date() + timedelta(days=offset), holidays)
        for offset in (-2, -1, 0, 1)
    ]
    wanted = any(turn[0] <= wall < turn[1] for turn in turns if turn)
    hours = parse_hours(text)
    assert hours.holds(instant.astimezone(ZoneInfo(zone)), holidays) is wanted
    frame = Frame({}, {})
    frame.now = round(instant.timestamp() * 1000)
    assert _hours([hours], frame, Calendar(ZoneInfo(zone), holidays))() is wanted


@pytest.mark.parametrize(
    ("local", "held"),
    [
        ("2026-09-30T12:00", ["mon-fri 08:00-18:00", "10:00-14:00"]),
        ("2026-10-01T12:00", ["holidays 00:00-24:00", "sun,holidays 11:00-13:00", "10:00-14:00"]),
        ("2026-10-01T03:00", ["wed 22:00-06:00", "holidays 00:00-24:00", "22:00-06:00"]),
        ("2026-10-02T03:00", ["22:00-06:00"]),
        ("2026-10-03T12:00", ["sat,sun 00:00-24:00", "10:00-14:00"]),
        ("2026-10-04T12:00", ["sat,sun 00:00-24:00", "sun,holidays 11:00-13:00", "10:00-14:00"]),
        ("2026-10-05T00:00", ["22:00-06:00"]),
    ],
)
def test_on_a_holiday_only_entries_of_holidays_and_of_every_day_hold(local: str, held: list[str]) -> None:
    entries = [
        "mon-fri 08:00-18:00", "wed 22:00-06:00", "sat,sun 00:00-24:00", "holidays 00:00-24:00",
        "sun,holidays 11:00-13:00", "22:00-06:00", "10:00-14:00",
    ]  # fmt: skip
    instant = datetime.fromisoformat(local)
    assert [text for text in entries if parse_hours(text).holds(instant, {date(2026, 10, 1)})] == held


def test_the_night_that_is_longer_is_all_within_its_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    hours = parse_hours("sat 22:00-06:00")
    begin = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # 22:00 in summer time
    inside = [hours.holds((begin + timedelta(minutes=number)).astimezone(zone), ()) for number in range(10 * 60)]
    assert sum(inside) == 9 * 60
    assert inside == [True] * 540 + [False] * 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("22-6", "is no span of hours such as"),
        ("", "is no span of hours such as"),
        ("mon-fri", "is no span of hours such as"),
        ("08:00-18:00 mon-fri", "is no span of hours such as"),
        ("Mon 08:00-18:00", "is no span of hours such as"),
        ("24:00-06:00", "from 00:00 to 24:00"),
        ("08:00-24:01", "from 00:00 to 24:00"),
        ("08:00-25:00", "from 00:00 to 24:00"),
        ("08:60-12:00", "is no span of hours such as"),
        ("08:00-08:00", "a whole day is 00:00-24:00"),
        ("monday 08:00-18:00", "'monday' is no day"),
        ("mon-fri-sun 08:00-18:00", "is no day"),
        ("mon,,fri 08:00-18:00", "'' is no day"),
        ("mon-holidays 08:00-18:00", "'holidays' is no day"),
    ],
)
def test_what_is_no_entry_is_told_why(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_hours(text)


@given(st.text(st.sampled_from("mon-fri, holidays:0123456789"), max_size=24))
def test_any_text_is_an_entry_or_a_reason(text: str) -> None:
    try:
        hours = parse_hours(text)
    except ValueError:
        return
    assert 0 <= hours.begin < 1440
    assert 0 <= hours.end <= 1440
