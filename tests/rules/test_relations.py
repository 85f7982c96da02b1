"""Rules that look at other equipment: which assets are meant, what unknown does, and what order does not."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.assets import Asset, Location
from facility.catalog import load_catalog
from facility.errors import ConfigError
from facility.points import Label
from facility.readings import Quality, Sample, Value
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.kinship import Kinship
from rules.book.rulebook import assign, read_rules
from rules.effects import Judgement
from rules.engine import Engine
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.grammar import ExpressionError
from rules.language.relation import Relation, Side
from rules.rule import Raises, Rule, Severity

CATALOG = load_catalog()
LIFT, POWER = CATALOG.classes["elevator"], CATALOG.classes["power"]
LABEL = Label("规则", "rule")
T0 = 1_700_000_000_000
FEEDS = ("PM-01", "PM-02", "PM-03")


def an_asset(name: str, asset_class: str, *, location: str = "", parents: Sequence[str] = (), **rated: float) -> Asset:
    return Asset(name, asset_class, LABEL, location, rated, parents=tuple(parents))


ASSETS = {
    item.id: item
    for item in (
        an_asset("PM-01", "power"),
        an_asset("PM-02", "power", parents=["PM-01"]),
        an_asset("PM-03", "power", current=100.0),
        an_asset("EL-01", "elevator", location="F1", parents=["PM-02", "PM-03"]),
        an_asset("EL-02", "elevator", location="F1-A"),
    )
}
PLACES = {name: Location(name, LABEL, parent) for name, parent in (("B", ""), ("F1", "B"), ("F1-A", "F1"), ("F2", "B"))}


def a_rule(rule_id: str, when: str, *, of: str = "elevator", **more: Any) -> CompiledRule:
    own = CATALOG.classes[of]
    rule = Rule(rule_id, of, LABEL, LABEL, Severity.URGENT, Raises.TICKET, when, **more)
    return CompiledRule(rule, compile_expression(when, own, classes=CATALOG.classes))


def an_engine(*rules: CompiledRule, at: str = "EL-01") -> Engine:
    by_asset = {name: tuple(rules) if name == at else () for name in ASSETS}
    return Engine(Rulebook(by_asset, kinship=Kinship(ASSETS, PLACES)), ASSETS, CATALOG)


def a_sample(asset: str, second: float, values: dict[str, Value]) -> Sample:
    bad = {key: Quality.COMM for key, value in values.items() if value is None}
    return Sample(asset, T0 + int(second * 1000), values, bad)


def told(judgements: Iterable[Judgement]) -> list[tuple[str, str, float, float]]:
    return [(item.event, item.rule.id, (item.at - T0) / 1000, (item.since - T0) / 1000) for item in judgements]


DEAD = a_rule("dead", "upstream('power', not ats.src1_ok) >= 2")


# which assets are meant


def related(asset: str, side: Side, asset_class: str, **points: frozenset[str]) -> tuple[str, ...]:
    kinship = Kinship(ASSETS, PLACES, points or None)
    return kinship.related(asset, Relation(side, asset_class, ("p.total",)))


def test_upstream_and_members_go_all_the_way_and_nearby_looks_inside() -> None:
    assert related("EL-01", Side.UPSTREAM, "power") == FEEDS
    assert related("EL-01", Side.UPSTREAM, "elevator") == ()
    assert related("PM-01", Side.MEMBERS, "elevator") == ("EL-01",)
    assert related("PM-01", Side.MEMBERS, "power") == ("PM-02",)
    assert related("EL-01", Side.NEARBY, "elevator") == ("EL-02",)
    assert related("EL-02", Side.NEARBY, "elevator") == ()
    assert related("PM-01", Side.NEARBY, "power") == ()


def test_only_assets_that_can_answer_are_asked() -> None:
    points = {"PM-01": frozenset({"p.total"}), "PM-02": frozenset({"ats.src1_ok"})}
    kinship = Kinship(ASSETS, PLACES, points)
    assert kinship.related("EL-01", Relation(Side.UPSTREAM, "power", ("p.total",))) == ("PM-01",)
    assert Kinship(ASSETS).related("EL-01", Relation(Side.UPSTREAM, "power", (), ("current",))) == ("PM-03",)


def test_a_circle_of_parents_ends() -> None:
    ring = {"A": an_asset("A", "power", parents=["B"]), "B": an_asset("B", "power", parents=["A"])}
    assert Kinship(ring).related("A", Relation(Side.UPSTREAM, "power", ())) == ("B",)


# what is written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("upstream('powr', p.total > 1) >= 1", "did you mean power?"),
        ("upstream('power', p.totl > 1) >= 1", "did you mean p.total"),
        ("upstream(power, p.total > 1) >= 1", "in quotes"),
        ("upstream('power', p.total) >= 1", "a condition is needed"),
        ("upstream('power', true) >= 1", "at least one point"),
        ("upstream('power', p.total > 1)", "is a number"),
        ("upstream('power') > 1", "takes a class of assets in quotes, and a condition"),
        ("upstream('power', members('elevator', car.moving) > 1) > 1", "other equipment can't be asked here"),
        ("held(upstream('power', p.total > 1) > 1, '10s')", "can't stand inside held"),
        ("upstream('elevator', door[n].open) > 1", "[n] needs a rule"),
    ],
)
def test_what_is_wrong_with_a_relation_is_said(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, LIFT, classes=CATALOG.classes)
    assert message in str(caught.value)


def test_a_relation_tells_what_it_needs() -> None:
    found = compile_expression(
        "car.moving and members('power', avg(p.total, '10m') > rated('p')) >= 1", LIFT, classes=CATALOG.classes
    )
    assert found.points == ("car.moving",)
    assert found.relations == (Relation(Side.MEMBERS, "power", ("p.total",), ("p",), (("avg", 600.0),)),)
    assert found.windows == (("avg", 600.0),)
    assert found.rated == ()


def write(folder: Path, when: str) -> Path:
    (folder / "own.yaml").write_text(
        f"""class: elevator
rules:
  - id: feed
    labels: {{zh: 供电, en: Feed}}
    guidance: {{zh: 检查, en: Check}}
    severity: 2
    raises: ticket
    when: {when}
""",
        encoding="utf-8",
    )
    return folder


def test_a_rule_runs_where_somebody_can_answer(tmp_path: Path) -> None:
    definitions = read_rules([write(tmp_path, "upstream('power', not ats.src1_ok) >= 1")], CATALOG, assets=ASSETS)
    points = {"PM-01": frozenset({"ats.src1_ok"})}
    book = assign(definitions, ASSETS, points, locations=PLACES)
    assert {name: len(rules) for name, rules in book.by_asset.items() if rules} == {"EL-01": 1}
    nowhere = assign(definitions, ASSETS, {}, locations=PLACES)
    assert [item.reason for item in nowhere.unused] == ["EL-01 has no upstream power with ats.src1_ok"]


def test_a_file_with_an_unknown_point_of_another_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_rules([write(tmp_path, "upstream('power', ats.src1_okay) >= 1")], CATALOG, assets=ASSETS)
    assert "the class power has no point 'ats.src1_okay'; did you mean ats.src1_ok" in str(caught.value.problems[0])


# what unknown does

OPERATORS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@given(
    st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=3),
    st.sampled_from(sorted(OPERATORS)),
    st.integers(-1, 4),
    st.booleans(),
)
def test_a_comparison_is_known_as_soon_as_it_can_be(
    answers: list[bool | None], operation: str, number: int, turned: bool
) -> None:
    question = "upstream('power', ats.src1_ok)"
    text = f"{number} {operation} {question}" if turned else f"{question} {operation} {number}"
    own, others = Frame(LIFT.points, {}), [Frame(POWER.points, {}) for _ in answers]
    own.relatives = lambda _: others
    read = compile_expression(text, LIFT, classes=CATALOG.classes).bind(own)
    for other, answer in zip(others, answers, strict=True):
        quality = Quality.COMM if answer is None else Quality.GOOD
        other.slot("ats.src1_ok").take(T0, answer, quality)
    compare = OPERATORS[operation]
    counts = {sum(case) for case in product(*([answer] if answer is not None else [True, False] for answer in answers))}
    possible = {compare(number, count) if turned else compare(count, number) for count in counts}
    assert read() is (possible.pop() if len(possible) == 1 else None)


def test_a_number_that_is_not_known_stays_so_in_a_sum() -> None:
    own, other = Frame(LIFT.points, {}), Frame(POWER.points, {})
    own.relatives = lambda _: [other]
    read = compile_expression("upstream('power', ats.src1_ok) + 1 >= 1", LIFT, classes=CATALOG.classes).bind(own)
    assert read() is None
    other.slot("ats.src1_ok").take(T0, False, Quality.GOOD)
    assert read() is True


# the engine


def test_a_rule_is_judged_when_another_asset_speaks() -> None:
    engine = an_engine(DEAD)
    assert engine.on_sample(a_sample("PM-01", 0, {"ats.src1_ok": False})) == []
    assert engine.on_sample(a_sample("PM-02", 1, {"ats.src1_ok": True})) == []
    (raised,) = engine.on_sample(a_sample("PM-03", 2, {"ats.src1_ok": False}))
    assert told([raised]) == [("raise", "dead", 2, 2)]
    assert raised.asset == "EL-01"
    assert raised.facts == {"PM-01/ats.src1_ok": False, "PM-02/ats.src1_ok": True, "PM-03/ats.src1_ok": False}
    assert told(engine.on_sample(a_sample("PM-01", 3, {"ats.src1_ok": True}))) == [("clear", "dead", 3, 3)]


def test_silence_of_another_asset_makes_it_unknown_and_its_return_clears() -> None:
    engine = an_engine(a_rule("no_data", "upstream('power', stale(ats.src1_ok)) == 3"), DEAD)
    for name in FEEDS:
        engine.on_sample(a_sample(name, 0, {"ats.src1_ok": False}))
    assert engine.on_tick(T0 + 314_000) == []
    assert told(engine.on_tick(T0 + 315_000)) == [("raise", "no_data", 315, 315)]
    # nobody knows whether they are dead: that alarm stands
    assert told(engine.on_sample(a_sample("PM-02", 400, {"ats.src1_ok": True}))) == [("clear", "no_data", 400, 400)]
    assert told(engine.on_sample(a_sample("PM-01", 401, {"ats.src1_ok": True}))) == [("clear", "dead", 401, 401)]


def test_what_nobody_speaks_for_is_unknown_to_others_too() -> None:
    engine = an_engine(a_rule("hot", "upstream('power', p.total > 50) >= 1", delay=10.0))
    engine.on_tick(T0 - 1000)
    engine.on_sample(a_sample("PM-01", 0, {"p.total": 60.0}))
    engine.hush("PM-01", ["p.total"], T0 + 6000)
    assert engine.on_tick(T0 + 60_000) == []
    engine.unhush("PM-01", ["p.total"], T0 + 61_000)
    assert told(engine.on_tick(T0 + 70_000)) == [("raise", "hot", 65, 0)]


def test_a_window_over_another_asset_runs_on_with_time() -> None:
    engine = an_engine(a_rule("load", "upstream('power', avg(p.total, '1m') > 50) >= 1"))
    engine.on_sample(a_sample("PM-01", 0, {"p.total": 60.0}))
    assert engine.on_tick(T0 + 29_000) == []
    assert told(engine.on_tick(T0 + 30_000)) == [("raise", "load", 30, 30)]


def test_a_rule_where_history_is_told_is_judged_by_the_tick_after_it() -> None:
    engine = an_engine(a_rule("both", "car.moving and upstream('power', not ats.src1_ok) >= 1"))
    engine.on_tick(T0 + 10_000)
    engine.on_sample(a_sample("EL-01", 1, {"car.moving": True}), historical=True)
    assert engine.on_sample(a_sample("PM-01", 11, {"ats.src1_ok": False})) == []
    assert told(engine.on_tick(T0 + 16_000)) == [("raise", "both", 16, 16)]


POINTS = {"PM-01": "ats.src1_ok", "PM-02": "ats.src1_ok", "PM-03": "ats.src1_ok", "EL-01": "car.moving"}
truths = st.sampled_from([True, False, None])
stories = st.lists(st.tuples(st.integers(1, 20_000), st.sampled_from(sorted(POINTS)), truths), min_size=1, max_size=25)
RULES = (
    DEAD,
    a_rule("slow", "upstream('power', ats.src1_ok) < 2", delay=5.0, clear_delay=3.0),
    a_rule("both", "car.moving and upstream('power', not ats.src1_ok) >= 1", delay=2.0),
)


def samples(story: list[tuple[int, str, bool | None]]) -> list[Sample]:
    at, found = 0, []
    for gap, asset, value in story:
        at += gap
        found.append(a_sample(asset, at / 1000, {POINTS[asset]: value}))
    return found


@pytest.mark.slow
@given(stories, st.lists(st.integers(0, 500_000), max_size=15))
def test_when_it_is_ticked_changes_no_judgement(story: Any, ticks: list[int]) -> None:
    given_samples = samples(story)
    end = given_samples[-1].at + 30_000
    plain, ticked = an_engine(*RULES), an_engine(*RULES)
    wanted = [item for sample in given_samples for item in plain.on_sample(sample)] + plain.on_tick(end)
    steps: list[tuple[int, int, Sample | None]] = [(sample.at, 0, sample) for sample in given_samples]
    steps += [(T0 + tick, 1, None) for tick in ticks if tick + T0 < end]
    found = []
    for at, _, sample in sorted(steps, key=lambda step: step[:2]):
        found += ticked.on_tick(at) if sample is None else ticked.on_sample(sample)
    found += ticked.on_tick(end)
    assert sorted(told(found)) == sorted(told(wanted))


@pytest.mark.slow
@given(stories, st.integers(0, 25))
def test_a_restart_in_the_middle_loses_and_invents_nothing(story: Any, cut: int) -> None:
    given_samples = samples(story)
    end = given_samples[-1].at + 30_000
    steady, before, after = an_engine(*RULES), an_engine(*RULES), an_engine(*RULES)
    wanted = [item for sample in given_samples for item in steady.on_sample(sample)] + steady.on_tick(end)
    found = [item for sample in given_samples[:cut] for item in before.on_sample(sample)]
    for sample in given_samples[:cut]:
        after.warm(sample)
    after.restore(standing=before.snapshot())
    found += [item for sample in given_samples[cut:] for item in after.on_sample(sample)] + after.on_tick(end)
    assert sorted(told(found)) == sorted(told(wanted))
