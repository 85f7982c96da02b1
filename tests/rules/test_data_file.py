"""The file of checks: layers over layers, and everything that is wrong in it is told with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facility.assets import Asset
from facility.catalog import load_catalog
from facility.points import Label
from rules.book.compiled import Rulebook
from rules.book.data.checkfile import FILE, Checks, Often, StuckSpec, read_checks
from rules.book.data.rules import with_checks

CATALOG = load_catalog()
LIFT, PUMPS, METER = (
    Asset(name, owner, Label("设备", name))
    for name, owner in (("EL-01", "elevator"), ("WP-01", "water_pump"), ("PM-01", "power"))
)
ASSETS = {asset.id: asset for asset in (LIFT, PUMPS, METER)}


def read(folder: Path, text: str) -> tuple[Checks, list[str]]:
    (folder / FILE).write_text(text, encoding="utf-8")
    checks, problems = read_checks([folder], CATALOG, assets=ASSETS)
    return checks, [f"{problem.line}: {problem.message}" for problem in problems]


def rules(checks: Checks, asset: Asset, *keys: str) -> set[tuple[str, str]]:
    """(rule, point) of an asset that has these points."""
    book = with_checks(Rulebook({asset.id: ()}), checks, {asset.id: asset}, {asset.id: frozenset(keys)}, CATALOG)
    return {(item.rule.id, item.points[0]) for item in book.by_asset[asset.id]}


def test_the_shipped_file_is_whole() -> None:
    checks, problems = read_checks([], CATALOG, assets=ASSETS)
    assert problems == []
    for alarm in checks.alarms.values():
        assert all((alarm.labels, alarm.guidance, alarm.severity, alarm.raises))
        assert alarm.labels is not None
        assert {alarm.labels.zh.count("{point}"), alarm.labels.en.count("{point}")} == {1}
    for asset_class in CATALOG.classes.values():
        asset = replace(LIFT, id="A", asset_class=asset_class.id)
        keys = {"A": frozenset(asset_class.points)}
        book = with_checks(Rulebook({"A": ()}), checks, {"A": asset}, keys, CATALOG)
        assert all(item.rule.origin for item in book.by_asset["A"])


def test_what_is_looked_for_follows_from_the_kind_of_a_point() -> None:
    checks, _ = read_checks([], CATALOG, assets=ASSETS)
    keys = ("tank.level", "tank.overflow", "sys.volume", "pump[1].mode")
    assert rules(checks, PUMPS, *keys) == {
        ("data.no_value", "tank.level"), ("data.noisy", "tank.level"), ("data.chattering", "tank.overflow"),
        ("data.no_value", "sys.volume"), ("data.counter_reset", "sys.volume"),
    }  # fmt: skip


def test_a_stuck_value_needs_a_witness_that_the_asset_has() -> None:
    checks, _ = read_checks([], CATALOG, assets=ASSETS)
    assert ("data.stuck_value", "sys.volume") not in rules(checks, PUMPS, "sys.volume")
    assert ("data.stuck_value", "sys.volume") in rules(checks, PUMPS, "sys.volume", "sys.flow")


def test_a_site_goes_over_the_shipped_file_by_kind_class_and_asset(tmp_path: Path) -> None:
    checks, problems = read(
        tmp_path,
        "alarms: {noisy: {severity: 3, for: 5m}}\n"
        "every: {counter: {no_value: false}}\n"
        "classes: {water_pump: {'pump[n].vib_rms': {noisy: {step: 5, times: 20}}}}\n"
        "assets:\n"
        "  WP-01: {tank.level: {no_value: false, despike: true}, sys.setpoint: {noisy: false}}\n",
    )
    assert problems == []
    assert rules(checks, PUMPS, "sys.volume") == {("data.counter_reset", "sys.volume")}
    assert rules(checks, PUMPS, "tank.level") == {("data.noisy", "tank.level")}
    assert rules(checks, replace(PUMPS, id="WP-02"), "tank.level") == {
        ("data.noisy", "tank.level"), ("data.no_value", "tank.level"),
    }  # fmt: skip
    entry = checks.of(CATALOG.classes["water_pump"].points["pump[3].vib_rms"], PUMPS)
    assert entry.noisy == Often(step=5, times=20)
    assert checks.alarms["noisy"].severity == 3
    assert checks.alarms["noisy"].labels is not None


def test_a_site_may_name_a_witness_of_its_own(tmp_path: Path) -> None:
    spec_text = "{for: 5m, while: [\"changes(pump[n].run, '5m') >= 2\"]}"
    checks, problems = read(tmp_path, f"classes: {{water_pump: {{'pump[n].current': {{stuck_value: {spec_text}}}}}}}")
    assert problems == []
    asked = rules(checks, PUMPS, "pump[2].current", "pump[2].run")
    assert ("data.stuck_value", "pump[2].current") in asked
    spec = checks.of(CATALOG.classes["water_pump"].points["pump[2].current"], PUMPS).stuck_value
    assert isinstance(spec, StuckSpec)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: {lift: {}}", "there is no asset class 'lift'"),
        ("classes: {power: {u.l1m: {noisy: false}}}", "the class power has no point 'u.l1m'; did you mean"),
        ("assets: {PM-99: {u.l1n: {noisy: false}}}", "there is no asset 'PM-99'"),
        ("every: {u.l1n: {noisy: false}}", "here a point is named by its kind"),
        ("every: {discrete: {counter_reset: true}}", "a point of kind discrete can't be counter_reset"),
        ("classes: {power: {u.l1n: {noisy: {times: 5}}}}", "needs a step above 0"),
        ("classes: {power: {u.l1n: {noisy: {step: 1, times: 5, within: 3d}}}}", "'3d' is no span of 1 s to 24 h"),
        ("alarms: {noisy: {for: soon}}", "'soon' is no span"),
        ("alarms: {loud: {severity: 3}}", "loud"),
        ("classes: {power: {u.l1n: {stuck_value: {while: [i.l1]}}}}", "a condition is needed"),
        ("classes: {power: {u.l1n: {stuck_value: {while: [\"changes(u.l1n, '5m') > 2\"]}}}}", "can't bear witness"),
        ('classes: {power: {analog: {stuck_value: {while: ["i.l1 > 2"]}}}}', "witnesses of its own"),
        ("every: {analog: {quiet: true}}", "unknown key"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    _, problems = read(tmp_path, f"# a site\n{text}\n")
    (problem,) = problems
    assert problem.startswith("2: ")
    assert message in problem
