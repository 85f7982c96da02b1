"""Rules over the data itself in the engine: one alarm a point, no belief in a stuck one, restarts change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from facility.assets import Asset
from facility.catalog import load_catalog
from facility.points import Label
from facility.readings import Quality, Sample, Value
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.data.checkfile import read_checks
from rules.book.data.rules import number_of, with_checks
from rules.effects import Judgement
from rules.engine import Engine
from rules.language.expression import compile_expression
from rules.rule import Raises, Rule, Severity
from rules.versions import rule_of

CATALOG = load_catalog()
PUMPS = CATALOG.classes["water_pump"]
NAME = "WP-01"
ASSETS = {NAME: Asset(NAME, "water_pump", Label("泵", NAME), rated={"flow": 16})}
POINTS = frozenset(
    {"sys.outlet_pressure", "sys.starts", "tank.level", "tank.overflow", "sys.volume", "sys.flow", "room.temp"}
)
T0 = 1_700_000_000_000
LABEL = Label("压力低", "low pressure")


def low_pressure() -> CompiledRule:
    when = "sys.outlet_pressure < 0.3"
    rule = Rule("low", "water_pump", LABEL, LABEL, Severity.URGENT, Raises.TICKET, when, delay=5.0)
    return CompiledRule(rule, compile_expression(when, PUMPS))


def an_engine(*, points: frozenset[str] = POINTS) -> Engine:
    checks, problems = read_checks([], CATALOG, assets=ASSETS)
    assert problems == []
    book = with_checks(Rulebook({NAME: (low_pressure(),)}), checks, ASSETS, {NAME: points}, CATALOG)
    return Engine(book, ASSETS, CATALOG)


def a_sample(second: float, values: dict[str, Value], *, quality: Quality = Quality.SENTINEL) -> Sample:
    bad = {key: quality for key, value in values.items() if value is None}
    return Sample(NAME, T0 + int(second * 1000), values, bad)


def told(judgements: Iterable[Judgement]) -> list[tuple[str, str, int, float]]:
    return [(item.event, item.rule.id, item.rule.index, (item.at - T0) / 1000) for item in judgements]


def rid(key: str) -> int:
    return number_of("water_pump", key)


def run(engine: Engine, samples: Sequence[Sample]) -> list[Judgement]:
    return [judgement for sample in samples for judgement in engine.on_sample(sample)]


def stuck_story(level: float, until: int) -> list[Sample]:
    """The pressure stands, pumps start every four minutes."""
    return [
        a_sample(
            second, {"sys.outlet_pressure": level, "sys.starts": second // 240, "sys.flow": 3.0 + second % 70 / 100}
        )
        for second in range(0, until, 10)
    ]


def test_two_points_of_one_asset_are_two_alarms_that_name_their_point() -> None:
    engine = an_engine()
    engine.on_sample(a_sample(0, {"tank.level": None, "room.temp": None}))
    found = engine.on_tick(T0 + 60_000)
    assert told(found) == [("raise", "data.no_value", rid(key), 60) for key in ("tank.level", "room.temp")]
    assert [item.rule.label.en for item in found] == ["Tank level: no value", "Pump room temperature: no value"]
    assert all("{point}" not in text for item in found for text in (item.rule.label.zh, item.rule.guidance.zh))
    cleared = [*engine.on_sample(a_sample(100, {"tank.level": 50.0})), *engine.on_tick(T0 + 200_000)]
    assert told(cleared) == [("clear", "data.no_value", rid("tank.level"), 160)]


def test_a_lost_link_is_no_missing_value() -> None:
    engine = an_engine()
    engine.on_sample(a_sample(0, {"tank.level": None}, quality=Quality.COMM))
    assert engine.on_tick(T0 + 600_000) == []


def test_a_stuck_value_is_told_with_it_and_unknown_to_other_rules_until_it_varies() -> None:
    engine = an_engine()
    found = run(engine, stuck_story(0.5, 700))
    assert told(found) == [("raise", "data.stuck_value", rid("sys.outlet_pressure"), 600)]
    assert found[0].facts["sys.outlet_pressure"] == 0.5
    later = [a_sample(700 + second, {"sys.outlet_pressure": 0.1}) for second in range(0, 100, 10)]
    back = [*run(engine, later), *engine.on_tick(T0 + 800_000)]
    assert told(back) == [("clear", "data.stuck_value", rid("sys.outlet_pressure"), 760), ("raise", "low", 0, 765)]


def test_nothing_that_rests_is_stuck_without_a_witness() -> None:
    engine = an_engine()
    quiet = {"sys.outlet_pressure": 0.5, "sys.starts": 7, "tank.level": 80.0, "room.temp": 20.0, "sys.flow": 0.0}
    story = [a_sample(second, {**quiet}) for second in range(0, 7200, 60)]
    assert run(engine, story) == []
    assert engine.on_tick(T0 + 7_200_000) == []


def test_a_stuck_point_stays_unknown_over_a_restart() -> None:
    engine = an_engine()
    key = ("data.stuck_value", rid("sys.outlet_pressure"), NAME)
    assert engine.restore([key]) == []
    for sample in stuck_story(0.2, 700):
        engine.warm(sample)
    assert engine.on_tick(T0 + 710_000) == []
    assert told(run(engine, [a_sample(720, {"sys.outlet_pressure": 0.2}), a_sample(730, {"sys.starts": 4})])) == []
    assert engine.on_tick(T0 + 760_000) == []


EVENTS = st.one_of(
    st.tuples(st.just("tank.level"), st.one_of(st.none(), st.sampled_from([10.0, 50.0, 90.0]))),
    st.tuples(st.just("tank.overflow"), st.booleans()),
    st.tuples(st.just("sys.volume"), st.sampled_from([5.0, 100.0, 3000.0])),
)
STORIES = st.lists(st.tuples(st.integers(1, 30_000), st.lists(EVENTS, min_size=1, max_size=3)), max_size=60)


def samples(story: Any) -> list[Sample]:
    at, found = 0, []
    for passed, events in story:
        at += passed
        found.append(a_sample(at / 1000, dict(events)))
    return found


def end(found: Sequence[Sample]) -> int:
    return (found[-1].at if found else T0) + 3_600_000


def test_what_a_site_says_of_a_check_is_in_its_text(tmp_path: Path) -> None:
    def book(said: str) -> Rulebook:
        (tmp_path / "data.yaml").write_text(said, encoding="utf-8")
        checks, problems = read_checks([tmp_path], CATALOG, assets=two)
        assert problems == []
        return with_checks(Rulebook(dict.fromkeys(two, ())), checks, two, dict.fromkeys(two, POINTS), CATALOG)

    two = ASSETS | {"WP-02": Asset("WP-02", "water_pump", Label("泵", "WP-02"), rated={"flow": 16})}
    plain = book("every: {}\n")
    other = book("assets: {WP-02: {sys.flow: {noisy: {times: 9, within: 2m, step: 30}}}}\n")
    of_flow = [rule for rule in other.checks if rule.id == "data.noisy" and rule.index == rid("sys.flow")]
    assert len(of_flow) == 2
    assert len({rule.version for rule in of_flow}) == 2
    assert {rule.version for rule in plain.checks} < {rule.version for rule in other.checks}
    (changed,) = {rule.text for rule in other.checks} - {rule.text for rule in plain.checks}
    said = json.loads(changed)
    assert (said["id"], said["definition"]["point"], said["definition"]["times"]) == ("data.noisy", "sys.flow", 9)
    assert all(rule.version and rule_of(rule.text, index=rule.index).label == rule.label for rule in other.checks)
    stuck = next(json.loads(rule.text) for rule in plain.checks if rule.id == "data.stuck_value")
    assert stuck["definition"]["while"]
    assert stuck["definition"]["for_s"] > 0


@settings(max_examples=60)
@given(STORIES, st.lists(st.integers(0, 900_000), max_size=10))
def test_when_it_is_ticked_changes_no_judgement(story: Any, ticks: list[int]) -> None:
    plain, ticked = an_engine(), an_engine()
    expected = run(plain, samples(story)) + plain.on_tick(end(samples(story)))
    got: list[Judgement] = []
    marks = sorted(T0 + tick for tick in ticks)
    for sample in samples(story):
        while marks and marks[0] < sample.at:
            got += ticked.on_tick(marks.pop(0))
        got += ticked.on_sample(sample)
    got += ticked.on_tick(end(samples(story)))
    assert sorted(told(got)) == sorted(told(expected))


@settings(max_examples=60)
@given(STORIES)
def test_parts_of_a_sample_give_the_same_as_the_whole(story: Any) -> None:
    whole, parts = an_engine(), an_engine()
    expected = run(whole, samples(story)) + whole.on_tick(end(samples(story)))
    pieces = [
        Sample(NAME, sample.at, {key: value}, {k: q for k, q in sample.quality.items() if k == key})
        for sample in samples(story)
        for key, value in sample.values.items()
    ]
    got = run(parts, pieces) + parts.on_tick(end(samples(story)))
    assert sorted(told(got)) == sorted(told(expected))


@settings(max_examples=60)
@given(STORIES, st.integers(0, 60))
def test_a_restart_in_the_middle_loses_and_invents_nothing(story: Any, cut: int) -> None:
    found = samples(story)
    straight = an_engine()
    expected = run(straight, found) + straight.on_tick(end(found))
    before, after = an_engine(), an_engine()
    got = run(before, found[:cut])
    active = {item.rule.id: item for item in got}
    standing = before.snapshot()
    for sample in found[:cut]:
        after.warm(sample)
    after.restore(standing=standing)
    got += run(after, found[cut:]) + after.on_tick(end(found))
    assert sorted(told(got)) == sorted(told(expected)), active


def test_a_point_has_the_same_number_for_ever_and_no_two_of_a_class_share_one() -> None:
    assert number_of("water_pump", "tank.level") == 662_963_294
    for asset_class in CATALOG.classes.values():
        numbers = {number_of(asset_class.id, key) for key in asset_class.points}
        assert len(numbers) == len(asset_class.points)
        assert all(0 < number < 2**31 for number in numbers)
