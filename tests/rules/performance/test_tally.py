"""The figures of a period, against counting by hand: every window looked at, every alarm one by one."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from rules.life import chatter
from rules.performance.tally import DAY, HOUR, TEN, Measured, Standing, Tally, Transition, floods_of, percentile
from rules.performance.targets import LEAST, TARGETS, Verdict, judged

ZONE = ZoneInfo("Asia/Shanghai")
START = 1_790_000_000_000
KEYS = [("pump.dry", 0, "P-01"), ("pump.dry", 0, "P-02"), ("door.forced", 3, "AC-01")]

steps = st.lists(
    st.tuples(
        st.sampled_from([500, 4_000, 11_000, 30_000, 61_000, 250_000, 1_000_000, HOUR, 20 * HOUR]),
        st.integers(0, len(KEYS) - 1),
        st.sampled_from(["raise", "clear", "acknowledge", "shelve", "stale", "remove"]),
        st.sampled_from(["wang", "li"]),
        st.booleans(),
    ),
    max_size=120,
)


def played(drawn: list[tuple[int, int, str, str, bool]]) -> list[Transition]:
    """Transitions one after the other, each alarm by its key."""
    at, found = START - HOUR, []
    for wait, number, event, actor, quiet in drawn:
        at += wait
        found.append(Transition(f"A{number}", KEYS[number], number + 1, at, event, actor, quiet))
    return found


def measured(items: list[Transition], end: int) -> Measured:
    tally = Tally(START, end, ZONE)
    for item in items:
        tally.take(item)
    return tally.measured()


def floods_by_hand(instants: list[int], end: int) -> tuple[int, int]:
    """(number, ms): each instant at which anything may change is looked at."""
    number, spent, begun = 0, 0, None
    for now in sorted({*instants, *(at + TEN for at in instants)}):
        if now > end:
            break
        old = sum(now - TEN < at < now for at in instants)  # without those that come just now
        if begun is not None and old < 5:
            spent, begun = spent + now - begun, None
        if begun is None and sum(now - TEN < at <= now for at in instants) > 10:
            number, begun = number + 1, now
    return number, spent + (end - begun if begun is not None else 0)


@given(steps)
def test_the_figures_are_what_counting_by_hand_gives(drawn: list[tuple[int, int, str, str, bool]]) -> None:
    items = played(drawn)
    end = START + 3 * DAY + 1234
    found = measured(items, end)
    inside = [item for item in items if START <= item.at < end]
    shown = [item for item in inside if item.event == "raise" and not item.quiet]
    assert found.raises == len(shown) == sum(found.severities.values())
    tens = [sum(begin <= i.at < begin + TEN for i in shown) for begin in range(START, end, TEN)]
    hours = [sum(begin <= i.at < begin + HOUR for i in shown) for begin in range(START, end, HOUR)]
    assert (found.most_ten, found.most_hour) == (max(tens), max(hours))
    assert found.over_ten == 100 * sum(n > 10 for n in tens) / len(tens)
    assert found.over_hour == 100 * sum(n > 30 for n in hours) / len(hours)
    days = Counter((i.at + 8 * HOUR) // DAY for i in shown)
    assert found.most_day == max(days.values(), default=0)
    counted = Counter(i.key for i in shown)
    assert {often.key: often.raises for often in found.top} == dict(counted)
    assert abs(sum(often.share for often in found.top) - (100 if shown else 0)) < 1e-6
    assert found.shelved == sum(i.event == "shelve" for i in inside)
    assert found.removed == sum(i.event == "remove" for i in inside)
    answers = answers_by_hand(inside)
    assert {who: answers_.count for who, (answers_, _) in found.people.items() if answers_.count} == Counter(
        who for who, _ in answers
    )
    assert found.answers.p95 == percentile(sorted(took for _, took in answers), 95)
    assert (found.episodes, found.fleeting) == habits_by_hand(inside)


def answers_by_hand(items: list[Transition]) -> list[tuple[str, int]]:
    """(who, ms) of each acknowledgement that follows a raise that people saw: from the first of them."""
    found = []
    for place, item in enumerate(items):
        if item.event != "acknowledge":
            continue
        mine = [other for other in items[:place] if other.alarm == item.alarm]
        last = max((n for n, other in enumerate(mine) if other.event == "acknowledge"), default=-1)
        owed = [other.at for other in mine[last + 1 :] if other.event == "raise" and not other.quiet]
        if owed:
            found.append((item.actor, item.at - owed[0]))
    return found


def habits_by_hand(items: list[Transition]) -> tuple[int, int]:
    """(episodes of chattering, fleeting cycles): three whole cycles within a minute, none for a quarter of an hour."""
    episodes = fleeting = 0
    for key in KEYS:
        begun, cycles, last, on = None, [], 0, False
        for item in items:
            if item.key != key or item.event not in ("raise", "clear"):
                continue
            if item.event == "raise":
                begun = item.at
            elif begun is not None:
                if on and item.at - last > chatter.CALM_MS:
                    on = False
                cycles.append(begun)
                fleeting += item.at - begun < chatter.FLEETING_MS
                if not on and sum(item.at - other <= chatter.SPAN_MS for other in cycles) >= chatter.CYCLES:
                    episodes, on = episodes + 1, True
                begun, last = None, item.at
    return episodes, fleeting


@given(st.lists(st.integers(0, 8 * TEN), max_size=60))
def test_floods_are_what_looking_at_every_instant_gives(offsets: list[int]) -> None:
    instants = sorted(START + offset for offset in offsets)
    end = START + 10 * TEN
    found = floods_of(instants, end)
    assert (len(found), sum(over - begun for begun, over in found)) == floods_by_hand(instants, end)


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(values: list[int], per_cent: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, per_cent)
    assert found in ordered
    assert found == min(v for v in ordered if 100 * sum(o <= v for o in ordered) >= per_cent * len(ordered))


def test_nothing_is_no_data_and_no_fault() -> None:
    empty = measured([], START)
    assert percentile([], 95) is None
    assert {kpi.verdict for kpi in judged(empty, Standing())} == {Verdict.NOT_ENOUGH, Verdict.NONE}


def test_a_quiet_month_is_within_and_a_quiet_week_is_not_enough() -> None:
    month = judged(measured([], START + LEAST), Standing())
    shares = {"top_share", "high_share", "medium_share"}
    assert {k.target.code for k in month if k.verdict is Verdict.NOT_ENOUGH} == shares, "shares of nothing"
    assert not [kpi for kpi in month if kpi.verdict is Verdict.OVER]
    week = judged(measured([], START + 7 * DAY), Standing())
    assert {kpi.verdict for kpi in week} == {Verdict.NOT_ENOUGH, Verdict.NONE}


def test_what_is_exceeded_is_over_at_once_but_a_mean_waits() -> None:
    burst = [Transition(f"A{n}", KEYS[0], 2, START + n, "raise", "engine", False) for n in range(40)]
    found = {kpi.target.code: kpi.verdict for kpi in judged(measured(burst, START + HOUR), Standing(stale=5))}
    assert {code for code, verdict in found.items() if verdict is Verdict.OVER} == {
        "per_ten_most",
        "per_hour_most",
        "stale_now",
    }
    assert found["per_ten_mean"] is Verdict.NOT_ENOUGH


def test_stale_alarms_are_counted_while_they_stand() -> None:
    tally = Tally(START, START + DAY, ZONE, stale=frozenset({"old"}))
    for at, alarm, event in ((1, "A", "stale"), (2, "old", "clear"), (3, "B", "stale"), (4, "A", "clear")):
        tally.take(Transition(alarm, KEYS[0], 3, START + at, event, "system", False))
    assert tally.measured().stale_most == 2


def test_every_figure_is_named_in_both_languages_and_has_its_own_code() -> None:
    assert len({target.code for target in TARGETS}) == len(TARGETS)
    for target in TARGETS:
        assert target.label.zh
        assert target.label.en
        assert (target.limit is None) == (target.words == "")
