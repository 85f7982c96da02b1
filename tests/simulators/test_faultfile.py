"""The repertoire: whole, in both languages, as the models play it, with an oracle for each fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facility.assets import Asset
from facility.catalog import Catalog
from facility.config import Site
from facility.errors import ConfigError
from facility.hardware import BELOW, GATEWAY, SELF, Fault, On
from facility.points import Label
from rules.book.data.checkfile import read_checks
from rules.book.data.rules import PREFIX
from rules.book.rulebook import PACKS, read_rules
from rules.linkage.alarms import rules_of
from rules.linkage.matrixfile import shipped_linkage
from scripts import fault_table
from simulators.building import Building
from simulators.faultfile import load_repertoire, repertoire

SIGNATURES = {"E": 15, "P": 16, "W": 15, "F": 15, "A": 12, "X": 12}
"""Rows of the table of failure signatures, by letter."""
FAULTS = sorted(repertoire().faults.items())


def test_every_signature_has_a_fault() -> None:
    have = {fault.id for _, fault in FAULTS}
    missing = [f"{letter}{number:02}" for letter, most in SIGNATURES.items() for number in range(1, most + 1)
               if f"{letter}{number:02}" not in have]  # fmt: skip
    assert not missing


@pytest.mark.parametrize(("key", "fault"), FAULTS, ids=[" ".join(key) for key, _ in FAULTS])
def test_each_is_complete(key: tuple[str, str], fault: Fault, catalog: Catalog) -> None:
    assert re.search(r"[\u4e00-\u9fff]", fault.label.zh), "a Chinese label"
    assert re.fullmatch(r"[A-Z][^\u4e00-\u9fff]+", fault.label.en), "an English label"
    for name, param in fault.params.items():
        assert re.search(r"[\u4e00-\u9fff]", param.label.zh), name
        assert " " in param.label.en or param.label.en[0].isupper(), name
    for expected in fault.expect:
        assert expected.last <= fault.lasts + 3600, "an alarm that comes long after the fault's whole course"
        assert expected.of in (SELF, BELOW, GATEWAY) or expected.of in catalog.classes
    if fault.on is On.ASSET:
        assert key[0] in catalog.classes


def test_what_is_expected_of_a_shipped_rule_is_what_it_says(catalog: Catalog) -> None:
    shipped: dict[str, int] = {item.rule.id: item.rule.severity for item in read_rules([PACKS], catalog, assets={})}
    checks, _ = read_checks([], catalog, assets={})
    shipped |= {f"{PREFIX}{name}": alarm.severity or 0 for name, alarm in checks.alarms.items()}
    panel = Asset("FA", "fire_alarm", Label("主机", "Panel"))
    every_point = {"FA": frozenset(catalog.classes["fire_alarm"].points)}
    shipped |= {rule.id: rule.severity for rule in rules_of(shipped_linkage({"FA": panel}, catalog, every_point))}
    wrong = []
    for key, fault in FAULTS:
        for expected in fault.expect:
            if expected.planned is (expected.rule in shipped):
                wrong.append(f"{key}: {expected.rule} is {'shipped already' if expected.planned else 'not shipped'}")
            elif not expected.planned and expected.severity != shipped[expected.rule]:
                wrong.append(f"{key}: {expected.rule} has severity {shipped[expected.rule]}")
    assert not wrong


def test_the_models_play_just_what_is_described(demo: tuple[Site, Catalog]) -> None:
    """Each described fault and act of an asset is known to a model of its class, and none is played undescribed."""
    site, catalog = demo
    building = Building(site, catalog)
    played: dict[str, set[str]] = {}
    done: dict[str, set[str]] = {}
    for name, model in building.models.items():
        played.setdefault(site.assets[name].asset_class, set()).update(model.faults)
        done.setdefault(site.assets[name].asset_class, set()).update(model.acts)
    for owner in catalog.classes:
        described = {name for name, fault in repertoire().faults_of(owner).items() if fault.on is On.ASSET}
        assert played.get(owner, set()) == described, owner
        assert done.get(owner, set()) == set(repertoire().acts_of(owner)), owner


def test_the_page_of_faults_is_as_it_is() -> None:
    assert fault_table.FILE.read_text(encoding="utf-8") == fault_table.text(), "run make fault-table"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class: elevator\nfaults: {a: {id: E01, labels: {zh: 甲, en: A}, lasts: 0, because: x}}", "greater than 0"),
        ("class: elevator\nfaults: {a: {id: E01, labels: {zh: 甲, en: A}, lasts: 5}}", "say what is expected"),
        ("faults: {a: {id: E01, labels: {zh: 甲, en: A}, lasts: 5, because: x}}", "name the asset class"),
        ("on: point\nfaults: {a: {id: X01, labels: {zh: 甲, en: A}, lasts: 5, because: x}}", "which kinds of points"),
        (
            "on: device\nfaults: {a: {id: X10, labels: {zh: 甲, en: A}, lasts: 5, because: x, "
            "params: {b: {default: 9, range: [0, 1], unit: furlong, zh: 乙, en: B}}}}",
            "the default is outside the range",
        ),
        ("on: device\nfaults: {a: {id: X10, lables: {zh: 甲, en: A}, lasts: 5, because: x}}", "unknown key"),
    ],
)
def test_what_is_no_repertoire(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_repertoire(tmp_path)
