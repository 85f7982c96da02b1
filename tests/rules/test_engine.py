"""The engine: which readings count, what time does, and that batching and restarts change no judgement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.assets import Asset
from facility.catalog import load_catalog
from facility.points import Label
from facility.readings import Quality, Sample, Value
from rules.book.compiled import CompiledRule, Rulebook
from rules.effects import Judgement
from rules.engine import FUTURE_MS, OLD_MS, REPLAY_MS, Engine
from rules.language.expression import compile_expression
from rules.rule import Raises, Rule, Severity
from rules.schedule import Hours, parse_hours

CATALOG = load_catalog()
LIFT = CATALOG.classes["elevator"]
ASSETS = {name: Asset(name, "elevator", Label("梯", name), rated={"speed": 1.75}) for name in ("EL-01", "EL-02")}
T0 = 1_700_000_000_000
LABEL = Label("规则", "rule")


def a_rule(rule_id: str, when: str, **more: Any) -> CompiledRule:
    rule = Rule(rule_id, "elevator", LABEL, LABEL, Severity.URGENT, Raises.TICKET, when, **more)
    extra = {name: compile_expression(text, LIFT) for name in ("clear", "enable") if (text := more.get(name))}
    return CompiledRule(rule, compile_expression(when, LIFT), **extra)


def an_engine(*rules: CompiledRule, time_zone: str = "UTC") -> Engine:
    return Engine(Rulebook({name: tuple(rules) for name in ASSETS}, time_zone=time_zone), ASSETS, CATALOG)


def a_sample(second: float, values: dict[str, Value], *, asset: str = "EL-01", bad: Iterable[str] = ()) -> Sample:
    return Sample(asset, T0 + int(second * 1000), values, dict.fromkeys(bad, Quality.COMM))


def told(judgements: Iterable[Judgement]) -> list[tuple[str, str, float, float]]:
    return [(item.event, item.rule.id, (item.at - T0) / 1000, (item.since - T0) / 1000) for item in judgements]


HOT = a_rule("hot", "drive.motor_temp > 100", clear="drive.motor_temp < 90", delay=10.0)
OVER = a_rule("over", "car.overload")


def test_raises_with_facts_and_clears_with_hysteresis() -> None:
    engine = an_engine(HOT)
    assert engine.on_sample(a_sample(0, {"drive.motor_temp": 105})) == []
    (raised,) = engine.on_tick(T0 + 12_000)
    assert told([raised]) == [("raise", "hot", 10, 0)]
    assert raised.facts == {"drive.motor_temp": 105}
    assert (raised.asset, raised.historical) == ("EL-01", False)
    assert engine.on_sample(a_sample(20, {"drive.motor_temp": 95})) == []
    assert told(engine.on_sample(a_sample(30, {"drive.motor_temp": 89.5}))) == [("clear", "hot", 30, 30)]


def test_a_late_reading_lets_the_delay_run_out_first() -> None:
    engine = an_engine(HOT)
    engine.on_sample(a_sample(0, {"drive.motor_temp": 105}))
    found = engine.on_sample(a_sample(50, {"drive.motor_temp": 20}))
    assert told(found) == [("raise", "hot", 10, 0), ("clear", "hot", 50, 50)]
    assert found[0].facts == {"drive.motor_temp": 105}


def test_only_rules_over_the_sample_s_points_are_judged_and_assets_are_apart() -> None:
    engine = an_engine(OVER, a_rule("idle", "not car.moving"))
    assert told(engine.on_sample(a_sample(0, {"car.overload": True, "car.floor": 3}))) == [("raise", "over", 0, 0)]
    assert told(engine.on_sample(a_sample(0, {"car.overload": True}, asset="EL-02"))) == [("raise", "over", 0, 0)]


@pytest.mark.parametrize("again", [0, -5])
def test_what_is_not_newer_is_passed_over_and_counted(again: int) -> None:
    engine = an_engine(OVER)
    engine.on_sample(a_sample(10, {"car.overload": True}))
    assert engine.on_sample(a_sample(10 + again, {"car.overload": False})) == []
    assert engine.counts["old"] == 1


def test_unknown_assets_and_wrong_types_and_the_future_are_counted() -> None:
    engine = an_engine(OVER)
    engine.on_tick(T0)
    assert engine.on_sample(a_sample(0, {"car.overload": True}, asset="EL-99")) == []
    assert engine.on_sample(a_sample(1, {"car.overload": "yes"})) == []
    assert engine.on_sample(a_sample(2 + FUTURE_MS / 1000, {"car.overload": True})) == []
    assert engine.counts == {"unknown_asset": 1, "mistyped": 1, "future": 1}
    assert told(engine.on_sample(a_sample(3, {"car.overload": True}))) == [("raise", "over", 3, 3)]


def test_a_reading_from_the_future_makes_its_point_bad_now_and_shuts_out_nothing() -> None:
    engine = an_engine(OVER, a_rule("untrusted", "bad(car.overload)"))
    engine.on_tick(T0)
    engine.on_sample(a_sample(1, {"car.overload": False}))
    ahead = engine.on_sample(a_sample(2 + FUTURE_MS / 1000, {"car.overload": True}))
    assert [(item.event, item.rule.id, item.at) for item in ahead] == [("raise", "untrusted", T0 + 1_001)]
    assert told(engine.on_sample(a_sample(3, {"car.overload": True}))) == [
        ("raise", "over", 3, 3),
        ("clear", "untrusted", 3, 3),
    ]


def test_a_bad_reading_neither_raises_nor_clears() -> None:
    engine = an_engine(OVER)
    assert engine.on_sample(a_sample(0, {"car.overload": None}, bad=["car.overload"])) == []
    engine.on_sample(a_sample(1, {"car.overload": True}))
    assert engine.on_sample(a_sample(2, {"car.overload": None}, bad=["car.overload"])) == []
    assert told(engine.on_sample(a_sample(3, {"car.overload": False}))) == [("clear", "over", 3, 3)]


def test_silence_becomes_stale_after_heartbeat_and_grace() -> None:
    engine = an_engine(OVER, a_rule("silent", "stale(car.overload)", delay=60.0))
    engine.on_sample(a_sample(0, {"car.overload": True}))
    assert engine.on_tick(T0 + 314_999) == []
    assert engine.on_tick(T0 + 315_000) == []
    assert told(engine.on_tick(T0 + 375_000)) == [("raise", "silent", 375, 315)]
    assert told(engine.on_sample(a_sample(380, {"car.overload": False}))) == [
        ("clear", "over", 380, 380),
        ("clear", "silent", 380, 380),
    ]


def test_a_device_that_says_it_is_lost_is_stale_at_once() -> None:
    engine = an_engine(a_rule("silent", "stale(car.moving)"))
    found = engine.on_sample(a_sample(5, {"car.moving": None}, bad=["car.moving"]))
    assert told(found) == [("raise", "silent", 5, 5)]


def test_windows_are_judged_by_time_alone() -> None:
    engine = an_engine(a_rule("busy", "count(car.moving, '60s') >= 2"), a_rule("slow", "held(car.moving, '30s')"))
    for second, moving in [(0, False), (1, True), (5, False), (10, True)]:
        engine.on_sample(a_sample(second, {"car.moving": moving}))
    assert told(engine.on_tick(T0 + 40_000)) == [("raise", "slow", 40, 40)]
    assert told(engine.on_tick(T0 + 61_000)) == [("clear", "busy", 61, 61)]


def test_an_average_wants_half_of_its_window() -> None:
    engine = an_engine(a_rule("fast", "avg(car.speed, '20s') > 1"))
    engine.on_sample(a_sample(0, {"car.speed": 3.0}))
    assert engine.on_tick(T0 + 9000) == []
    assert told(engine.on_tick(T0 + 10_000)) == [("raise", "fast", 10, 10)]


def test_an_enabling_condition_lets_a_rule_neither_raise_nor_clear() -> None:
    engine = an_engine(a_rule("over", "car.overload", enable="mode.service == 'normal'"))
    assert engine.on_sample(a_sample(0, {"car.overload": True})) == []
    assert engine.on_sample(a_sample(1, {"mode.service": 2})) == []
    assert told(engine.on_sample(a_sample(2, {"mode.service": 1}))) == [("raise", "over", 2, 2)]
    assert engine.on_sample(a_sample(3, {"mode.service": 2, "car.overload": False})) == []
    assert told(engine.on_sample(a_sample(4, {"mode.service": 1}))) == [("clear", "over", 4, 4)]


def test_hours_are_local() -> None:
    night = a_rule("night", "car.moving", schedule=(Hours(22 * 60, 6 * 60), Hours(12 * 60, 13 * 60)))
    engine = an_engine(night, time_zone="Asia/Shanghai")
    noon = 4 * 3600 - (T0 // 1000) % 86_400  # 12:00 in Shanghai is 04:00 UTC
    engine.on_sample(a_sample(noon - 60, {"car.moving": True}))
    assert told(engine.on_tick(T0 + noon * 1000)) == [("raise", "night", noon, noon)]
    # outside its hours it neither raises nor clears
    assert engine.on_tick(T0 + (noon + 3600) * 1000) == []
    assert engine.on_sample(a_sample(noon + 3600, {"car.moving": False})) == []
    assert engine.on_tick(T0 + (noon + 36_000) * 1000) == []
    assert told(engine.on_sample(a_sample(noon + 36_001, {"car.moving": False})))[0][0] == "clear"


def test_history_that_is_older_changes_nothing() -> None:
    engine = an_engine(OVER)
    engine.on_sample(a_sample(100, {"car.overload": False}))
    assert engine.on_sample(a_sample(50, {"car.overload": True}), historical=True) == []


def test_history_that_is_newer_is_judged_in_its_own_time_and_marked_when_old() -> None:
    engine = an_engine(HOT)
    now = OLD_MS / 1000 + 100
    engine.on_tick(T0 + int(now * 1000))
    engine.on_sample(a_sample(0, {"drive.motor_temp": 105}), historical=True)
    # a tick in the middle of the replay is not the end of the delay
    assert engine.on_tick(T0 + int(now * 1000) + 1000) == []
    assert engine.on_sample(a_sample(9, {"drive.motor_temp": 99}), historical=True) == []
    engine.on_sample(a_sample(20, {"drive.motor_temp": 105}), historical=True)
    found = engine.on_sample(a_sample(45, {"drive.motor_temp": 85}), historical=True)
    assert told(found) == [("raise", "hot", 30, 20), ("clear", "hot", 45, 45)]
    assert [item.historical for item in found] == [True, True]
    # what still stands when the replay is over is live
    engine.on_sample(a_sample(50, {"drive.motor_temp": 105}), historical=True)
    (standing,) = engine.on_tick(T0 + int(now * 1000) + REPLAY_MS + 2000)
    assert (told([standing]), standing.historical) == ([("raise", "hot", 60, 50)], False)


def test_young_history_pages() -> None:
    engine = an_engine(OVER)
    engine.on_tick(T0 + 60_000)
    (found,) = engine.on_sample(a_sample(30, {"car.overload": True}), historical=True)
    assert not found.historical


def test_warming_judges_nothing_and_starts_delays() -> None:
    engine = an_engine(HOT, OVER, a_rule("busy", "count(car.moving, '10m') >= 2"))
    for second, moving in [(0, False), (1, True), (5, False), (10, True)]:
        engine.warm(a_sample(second, {"car.moving": moving, "car.overload": True, "drive.motor_temp": 105}))
    engine.warm(a_sample(0, {}, asset="EL-99"))
    found = engine.on_tick(T0 + 30_000)
    assert told(found) == [("raise", "over", 0, 0), ("raise", "hot", 10, 0), ("raise", "busy", 10, 10)]


def test_an_alarm_that_stood_before_the_restart_is_cleared_and_not_raised_again() -> None:
    engine = an_engine(HOT, OVER)
    assert engine.restore([("hot", 0, "EL-01"), ("over", 0, "EL-01"), ("gone", 0, "EL-01")]) == [("gone", 0, "EL-01")]
    assert engine.on_sample(a_sample(0, {"drive.motor_temp": 105, "car.overload": True})) == []
    found = engine.on_sample(a_sample(10, {"drive.motor_temp": 80, "car.overload": False}))
    assert told(found) == [("clear", "hot", 10, 10), ("clear", "over", 10, 10)]


def test_a_snapshot_keeps_running_delays() -> None:
    before = an_engine(HOT, OVER)
    before.on_sample(a_sample(0, {"drive.motor_temp": 105}))
    after = an_engine(HOT, OVER)
    after.restore(standing=before.snapshot())
    assert told(after.on_tick(T0 + 10_000)) == [("raise", "hot", 10, 0)]
    assert before.snapshot()[0].key == ("hot", 0, "EL-01")


def test_a_restored_alarm_whose_condition_ended_meanwhile_is_cleared_by_the_first_tick() -> None:
    engine = an_engine(OVER)
    engine.warm(a_sample(0, {"car.overload": False}))
    engine.restore([("over", 0, "EL-01")])
    assert told(engine.on_tick(T0 + 5000)) == [("clear", "over", 5, 5)]


def test_faults_are_counted() -> None:
    engine = an_engine(a_rule("ratio", "1 / car.speed > 2"))
    engine.on_sample(a_sample(0, {"car.speed": 0.0}))
    assert engine.faults_by_rule().total() == 1


def test_on_a_holiday_only_its_own_hours_hold() -> None:
    day, zone = datetime.fromtimestamp(T0 / 1000, UTC), "UTC"
    rules = (
        a_rule("work", "car.moving", schedule=(parse_hours("mon-sun 00:00-24:00"),)),
        a_rule("free", "car.moving", schedule=(parse_hours("holidays 00:00-24:00"),)),
    )
    for holidays, expected in ((frozenset([day.date()]), "free"), (frozenset[date](), "work")):
        engine = Engine(Rulebook({"EL-01": rules}, (), zone, holidays), ASSETS, CATALOG)
        assert [name for _, name, *_ in told(engine.on_sample(a_sample(0, {"car.moving": True})))] == [expected]


def test_faults_are_counted_for_the_rule_that_has_them_and_stop_nothing() -> None:
    engine = an_engine(
        a_rule("ratio", "1 / car.speed > 2"),
        a_rule("window", "avg(1 / car.speed, '10s') > 2"),
        a_rule("same", "avg(1 / car.speed, '10s') > 3"),
        a_rule("big", " * ".join(["cnt.trips"] * 28) + " > 1.0"),
        OVER,
    )
    judged = engine.on_sample(a_sample(0, {"car.speed": 0.0, "cnt.trips": 10**15, "car.overload": True}))
    assert told(judged) == [("raise", "over", 0, 0)]
    engine.on_sample(a_sample(1, {"car.speed": 0.0}))
    assert engine.faults_by_rule() == {"ratio": 2, "window": 2, "big": 1}
    metrics = engine.metrics()
    assert (metrics["rule_faults:ratio"], metrics["rule_faults:big"], metrics["engine_faults"]) == (2, 1, 5)
    assert "rule_faults:over" not in metrics


POINTS = {
    "car.moving": st.booleans(),
    "car.overload": st.booleans(),
    "drive.motor_temp": st.integers(80, 110),
    "mode.service": st.sampled_from([1, 2]),
}
changes = st.one_of(*(st.tuples(st.just(key), st.one_of(st.none(), values)) for key, values in POINTS.items()))
stories = st.lists(st.tuples(st.integers(1, 9000), st.lists(changes, min_size=1, max_size=3)), min_size=1, max_size=25)
RULES = (
    HOT,
    OVER,
    a_rule("stuck", "car.moving and car.overload", delay=5.0, clear_delay=3.0),
    a_rule("out", "mode.service == 'inspection' or drive.motor_temp > 105", enable="not car.overload", delay=2.0),
)


def samples(story: Sequence[tuple[int, list[tuple[str, Value]]]]) -> list[Sample]:
    at, found = T0, []
    for gap, given_changes in story:
        at += gap
        values = dict(given_changes)
        found.append(Sample("EL-01", at, values, {key: Quality.COMM for key, value in values.items() if value is None}))
    return found


@pytest.mark.slow
@given(stories, st.lists(st.integers(0, 230_000), max_size=15))
def test_when_it_is_ticked_changes_no_judgement(story: Any, ticks: list[int]) -> None:
    given_samples = samples(story)
    end = given_samples[-1].at + 30_000
    plain = an_engine(*RULES)
    wanted = [item for sample in given_samples for item in plain.on_sample(sample)] + plain.on_tick(end)
    ticked = an_engine(*RULES)
    found = []
    steps: list[tuple[int, int, Sample | None]] = [(sample.at, 0, sample) for sample in given_samples]
    steps += [(T0 + tick, 1, None) for tick in ticks if tick + T0 < end]
    for at, _, sample in sorted(steps, key=lambda step: step[:2]):
        found += ticked.on_tick(at) if sample is None else ticked.on_sample(sample)
    found += ticked.on_tick(end)
    assert sorted(told(found)) == sorted(told(wanted))


@pytest.mark.slow
@given(stories)
def test_duplicates_change_nothing(story: Any) -> None:
    once, twice = an_engine(*RULES), an_engine(*RULES)
    for sample in samples(story):
        wanted = once.on_sample(sample)
        assert twice.on_sample(sample) == wanted
        assert twice.on_sample(sample) == []


@pytest.mark.slow
@given(stories, st.integers(0, 25))
def test_a_restart_in_the_middle_loses_and_invents_nothing(story: Any, cut: int) -> None:
    given_samples = samples(story)
    end = given_samples[-1].at + 30_000
    steady = an_engine(*RULES)
    wanted = [item for sample in given_samples for item in steady.on_sample(sample)] + steady.on_tick(end)
    before, after = an_engine(*RULES), an_engine(*RULES)
    found = [item for sample in given_samples[:cut] for item in before.on_sample(sample)]
    for sample in given_samples[:cut]:
        after.warm(sample)
    after.restore(standing=before.snapshot())
    found += [item for sample in given_samples[cut:] for item in after.on_sample(sample)] + after.on_tick(end)
    assert sorted(told(found)) == sorted(told(wanted))


def test_what_nobody_speaks_for_neither_raises_nor_clears_and_counts_again_afterwards() -> None:
    engine = an_engine(HOT, OVER)
    engine.on_tick(T0 - 1_000)
    assert engine.on_sample(a_sample(0, {"drive.motor_temp": 105, "car.overload": False})) == []
    # the delay of ten seconds has seen six when the gateway goes
    assert engine.hush("EL-01", ["drive.motor_temp", "car.overload"], T0 + 6_000) == []
    assert engine.on_tick(T0 + 40_000) == []
    assert engine.unhush("EL-01", ["drive.motor_temp", "car.overload"], T0 + 41_000) == []
    assert told(engine.on_tick(T0 + 60_000)) == [("raise", "hot", 45, 0)]


def test_an_alarm_stands_while_nobody_speaks_for_it_and_history_then_clears_it() -> None:
    engine = an_engine(OVER)
    engine.on_tick(T0 - 1_000)
    assert told(engine.on_sample(a_sample(0, {"car.overload": True}))) == [("raise", "over", 0, 0)]
    engine.hush("EL-01", ["car.overload"], T0 + 30_000)
    assert engine.on_tick(T0 + 120_000) == []
    # it is told afterwards what happened meanwhile: older than the silence, and none the worse for it
    assert told(engine.on_sample(a_sample(20, {"car.overload": False}), historical=True)) == [("clear", "over", 20, 20)]
    assert engine.unhush("EL-01", ["car.overload"], T0 + 121_000) == []


def test_a_value_that_was_told_anew_or_grew_old_meanwhile_does_not_come_back() -> None:
    engine = an_engine(OVER)
    engine.on_tick(T0 - 1_000)
    engine.on_sample(a_sample(0, {"car.overload": True}))
    engine.hush("EL-01", ["car.overload"], T0 + 1_000)
    assert told(engine.on_sample(a_sample(2, {"car.overload": False}))) == [("clear", "over", 2, 2)]
    assert engine.unhush("EL-01", ["car.overload"], T0 + 3_000) == []
    engine.on_sample(a_sample(4, {"car.overload": True}))
    engine.hush("EL-01", ["car.overload"], T0 + 5_000)
    engine.on_tick(T0 + 400_000)
    assert engine.unhush("EL-01", ["car.overload"], T0 + 401_000) == []
    assert told(engine.on_sample(a_sample(402, {"car.overload": False}))) == [("clear", "over", 402, 402)]


def test_the_silence_of_a_gateway_is_not_that_of_a_device() -> None:
    engine = an_engine(a_rule("no_data", "stale(car.moving)"))
    engine.on_tick(T0 - 1_000)
    engine.on_sample(a_sample(0, {"car.moving": False}))
    assert engine.hush("EL-01", ["car.moving"], T0 + 30_000) == []
    assert engine.on_tick(T0 + 120_000) == []
    assert [(item.event, item.asset) for item in engine.on_tick(T0 + 400_000)] == [
        ("raise", "EL-01"),
        ("raise", "EL-02"),
    ]


def test_a_window_does_not_count_what_nobody_spoke_for() -> None:
    engine = an_engine(a_rule("warm", "avg(drive.motor_temp, '1m') > 80"))
    engine.on_tick(T0 - 1_000)
    engine.on_sample(a_sample(0, {"drive.motor_temp": 70}))
    engine.hush("EL-01", ["drive.motor_temp"], T0 + 10_000)
    engine.on_tick(T0 + 300_000)
    engine.unhush("EL-01", ["drive.motor_temp"], T0 + 300_000)
    engine.on_sample(a_sample(301, {"drive.motor_temp": 95}))
    assert engine.on_tick(T0 + 320_000) == []
    assert [item.event for second in range(320, 400) for item in engine.on_tick(T0 + second * 1000)] == ["raise"]


def test_nobody_misses_an_asset_without_rules() -> None:
    assert an_engine(OVER).hush("FA-01", ["panel.fire"], T0) == []
