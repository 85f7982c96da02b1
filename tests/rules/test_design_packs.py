"""What the shipped packs do by design: a released door is not forced, and what lasts gets urgent in its one alarm."""

from __future__ import annotations

import pytest

from facility.assets import Asset
from facility.catalog import load_catalog
from facility.points import Label
from facility.readings import Sample
from rules.book.rulebook import PACKS, assign, read_rules
from rules.engine import Engine
from rules.rule import Severity

CATALOG = load_catalog()
DOORS = {"AC-01": Asset("AC-01", "access_control", Label("门禁", "doors"))}
POINTS = frozenset({"ctl.fire_input", "door[1].fire_release", "door[1].forced", "door[1].held"})
T0 = 1_700_000_000_000


def an_engine(points: frozenset[str]) -> Engine:
    """The rules of the packs at one controller."""
    book = assign(read_rules([PACKS], CATALOG, assets=None), DOORS, {"AC-01": points})
    return Engine(book, DOORS, CATALOG)


def told(engine: Engine, second: int, **values: bool) -> list[tuple[str, str]]:
    """(event, rule) of one sample; `forced=True` is `door[1].forced`."""
    keys = {"fire": "ctl.fire_input", "release": "door[1].fire_release", "forced": "door[1].forced"}
    sample = Sample("AC-01", T0 + second * 1000, {keys[name]: value for name, value in values.items()})
    return [(item.event, item.rule.id) for item in engine.on_sample(sample)]


def test_a_released_door_is_not_forced_until_the_fire_is_over() -> None:
    engine = an_engine(POINTS)
    assert told(engine, 0, fire=True, release=True, forced=False) == []
    forced = "access_control.forced"
    assert told(engine, 1, forced=True) == [("suppress", forced), ("raise", forced)]
    assert told(engine, 2, fire=False) == []
    assert told(engine, 3, release=False) == [("release", forced)]


def test_a_controller_that_knows_of_no_fire_has_its_rule_all_the_same() -> None:
    assert told(an_engine(frozenset({"door[1].forced"})), 0, forced=True) == [("raise", "access_control.forced")]


@pytest.mark.parametrize(("name", "hours"), [("fire_alarm.zone_disabled", 24.0), ("access_control.no_data", 10 / 60)])
def test_what_lasts_becomes_urgent_and_no_second_alarm(name: str, hours: float) -> None:
    rules = {item.rule.id: item.rule for item in read_rules([PACKS], CATALOG, assets={})}
    (step,) = rules[name].escalate
    assert (rules[name].severity, step.severity) == (Severity.MAINTENANCE, Severity.URGENT)
    assert rules[name].delay + step.after == hours * 3600
    same = {
        item.id
        for item in rules.values()
        if (item.asset_class, item.when) == (rules[name].asset_class, rules[name].when)
    }
    assert same == {name}
