"""Two sets of alarms side by side: pairing, what changed, and how it is counted."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from rules.trial.compare import Change, Episode, compare, pair

KEY = ("pump.dry", 0, "P-01")
ZONE = "Asia/Shanghai"
MIN = 60_000


def an(raised: int, cleared: int | None, key: tuple[str, int, str] = KEY) -> Episode:
    return Episode(key, raised * MIN, None if cleared is None else cleared * MIN)


def changes(old: list[Episode], new: list[Episode]) -> list[tuple[Change, ...]]:
    return [item.changes for item in pair(old, new)]


def test_what_overlaps_is_one_alarm() -> None:
    assert changes([an(10, 20)], [an(10, 20)]) == [()]
    assert changes([an(10, 20)], [an(8, 20)]) == [(Change.EARLIER, Change.LONGER)]
    assert changes([an(10, 20)], [an(12, 15)]) == [(Change.LATER, Change.SHORTER)]
    assert changes([an(10, 20)], [an(21, 31)]) == [(Change.LATER,)]


def test_what_does_not_is_added_or_removed() -> None:
    assert changes([an(10, 20)], [an(40, 50)]) == [(Change.REMOVED,), (Change.ADDED,)]
    assert changes([], [an(1, 2), an(5, None)]) == [(Change.ADDED,), (Change.ADDED,)]
    assert changes([an(10, 20)], [an(10, 20, ("pump.dry", 0, "P-02"))]) == [(Change.REMOVED,), (Change.ADDED,)]


def test_one_that_becomes_three_is_one_and_two_added() -> None:
    found = changes([an(10, 60)], [an(10, 20), an(30, 40), an(50, 60)])
    assert found == [(Change.SHORTER,), (Change.ADDED,), (Change.ADDED,)]


def test_what_stands_at_the_end_has_no_length() -> None:
    assert changes([an(10, None)], [an(10, 20)]) == [()]


episodes = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 30)).map(lambda item: an(item[0], sum(item))), max_size=12
)


@given(episodes, episodes)
def test_every_alarm_is_in_exactly_one_pair(old: list[Episode], new: list[Episode]) -> None:
    found = pair(old, new)
    by = {"key": lambda item: (item.raised, item.cleared or 0)}
    assert sorted((item.old for item in found if item.old), **by) == sorted(old, **by)  # type: ignore[call-overload]
    assert sorted((item.new for item in found if item.new), **by) == sorted(new, **by)  # type: ignore[call-overload]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), max_size=12))
def test_the_same_alarms_differ_in_nothing(spans: list[tuple[int, int]]) -> None:
    at, alarms = 0, []
    for gap, length in spans:  # one after the other, as an engine raises them
        alarms.append(an(at + gap, at + gap + length))
        at += gap + length
    assert all(not item.changes for item in pair(alarms, alarms))
    assert len(pair(alarms, alarms)) == len(alarms)


def test_days_and_nights_are_local() -> None:
    def at(text: str) -> int:
        return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)

    night, day = at("2026-03-02 23:30"), at("2026-03-03 12:00")
    found = compare([Episode(KEY, day, day + 1000)], [Episode(KEY, night, night + 1000)], time_zone=ZONE)
    assert {name: (item.old, item.new) for name, item in found.days.items()} == {
        "2026-03-02": (0, 1),
        "2026-03-03": (1, 0),
    }
    assert list(found.nights) == [22, 23, 0, 1, 2, 3, 4, 5]
    assert {hour: item.new for hour, item in found.nights.items() if item.new} == {23: 1}
    assert sum(item.old for item in found.nights.values()) == 0
    assert found.total.as_dict()["removed"] == 1
