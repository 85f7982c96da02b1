"""Rules as files: every mistake is named with its line, and each rule runs where its points are."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.assets import Asset, Device
from facility.catalog import load_catalog
from facility.config import Site
from facility.errors import ConfigError
from facility.points import Label
from facility.settings import Settings
from rules.book.mapped import mapped_points
from rules.book.rulebook import PACKS, assign, check_rules, load_rulebook, read_rules
from rules.rule import Escalation, Raises, Severity
from rules.schedule import Hours

CATALOG = load_catalog()
LABEL = Label("设备", "thing")
ASSETS = {
    "EL-01": Asset("EL-01", "elevator", LABEL),
    "WP-01": Asset("WP-01", "water_pump", LABEL),
    "PM-01": Asset("PM-01", "power", LABEL, rated={"current": 100}),
    "PM-02": Asset("PM-02", "power", LABEL),
    "AC-01": Asset("AC-01", "access_control", LABEL),
}
DEVICES = (
    Device("d1", "g", "fw-lift-1", "EL-01"),
    Device("d2", "g", "grundfos-cim", "WP-01", points=frozenset(["pump[1].fault", "pump[2].fault", "sys.starts"])),
    Device("d3", "g", "eastron-sdm630", "PM-01"),
    Device("d4", "g", "abb-ats022", "PM-01"),
    Device("d5", "g", "eastron-sdm630", "PM-02"),
    Device("d6", "g", "uhppoted", "AC-01", rename={"door[1].forced": "door[5].forced"}),
)
GOOD = """
class: elevator
rules:
  - id: own.hot
    labels: {zh: 过热, en: Hot}
    guidance: {zh: 查看, en: Look}
    when: drive.motor_temp > 80
    for: 1.5m
    clear_for: 10
    severity: 3
    raises: ticket
    schedule: ["22:00-06:00"]
    assets: [EL-01]
"""


def a_site(folder: Path, **files: str) -> Site:
    """A site whose rules/ folder holds these files."""
    (folder / "rules").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "rules" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Site("s", LABEL, folder, "Asia/Shanghai", ("zh",), ("g",), {}, ASSETS, DEVICES, Settings())


def problems(folder: Path, text: str) -> list[str]:
    """The problems of one own file, without its folder."""
    site = a_site(folder, own=text)
    return [str(item).removeprefix(f"{tmp_folder(site)}/") for item in check_rules(site, CATALOG)]


def tmp_folder(site: Site) -> Path:
    """Where the site's own rules are."""
    return site.folder / "rules"


def test_own_rules_join_the_shipped_ones(tmp_path: Path) -> None:
    site = a_site(tmp_path, own=GOOD)
    book = load_rulebook(site, CATALOG)
    rule = book.rule("own.hot")
    assert rule is not None
    assert (rule.delay, rule.clear_delay, rule.severity, rule.raises) == (90, 10, Severity.MAINTENANCE, Raises.TICKET)
    assert (rule.schedule, rule.shelvable) == ((Hours(1320, 360),), True)
    assert rule.origin.endswith("own.yaml:4")
    assert book.rule("elevator.entrapment") is not None
    assert book.time_zone == "Asia/Shanghai"
    assert book.usual_window <= 7200
    assert book.patient == {}
    assert check_rules(site, CATALOG) == []


def test_an_own_rule_replaces_or_removes_a_shipped_one(tmp_path: Path) -> None:
    text = GOOD.replace("own.hot", "elevator.motor_hot") + "  - {id: elevator.entrapment, disable: true}\n"
    book = load_rulebook(a_site(tmp_path, own=text), CATALOG)
    rule = book.rule("elevator.motor_hot")
    assert rule is not None
    assert rule.when == "drive.motor_temp > 80"
    assert book.rule("elevator.entrapment") is None
    ids = [item.rule.id for item in book.by_asset["EL-01"]]
    assert ids.count("elevator.motor_hot") == 1


def test_a_rule_over_n_is_made_for_each_index_that_an_asset_has(tmp_path: Path) -> None:
    book = load_rulebook(a_site(tmp_path), CATALOG)
    pumps = [item.rule for item in book.by_asset["WP-01"] if item.rule.id == "water_pump.pump_fault"]
    assert [rule.index for rule in pumps] == [1, 2]
    assert [rule.label.zh for rule in pumps] == ["1号泵故障", "2号泵故障"]
    doors = [item.rule.index for item in book.by_asset["AC-01"] if item.rule.id == "access_control.forced"]
    assert doors == [2, 3, 4, 5, 6, 7, 8]


def test_what_runs_nowhere_is_listed_with_what_is_missing(tmp_path: Path) -> None:
    book = load_rulebook(a_site(tmp_path), CATALOG)
    unused = {item.rule: item.reason for item in book.unused}
    assert unused["water_pump.flood"] == "WP-01 has no room.flood"
    assert unused["fire_alarm.fire"] == "no asset of class fire_alarm"
    assert "power.overcurrent" not in unused
    assert [asset for asset in ("PM-01", "PM-02") if _runs(book.by_asset[asset], "power.overcurrent")] == ["PM-01"]
    assert [asset for asset in ("PM-01", "PM-02") if _runs(book.by_asset[asset], "power.mains_loss")] == ["PM-01"]


def _runs(items: object, rule_id: str) -> bool:
    return any(item.rule.id == rule_id for item in items)  # type: ignore[attr-defined]


def test_mapped_points_follow_the_devices(tmp_path: Path) -> None:
    points = mapped_points(a_site(tmp_path), CATALOG)
    assert points["WP-01"] == {"pump[1].fault", "pump[2].fault", "sys.starts"}
    assert {"u.l1n", "ats.position"} <= points["PM-01"]
    assert "door[5].forced" in points["AC-01"]
    assert "door[1].forced" not in points["AC-01"]
    assert "door[8].last_reason" in points["AC-01"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "drive.motor_temp > 80",
            "drive.motor_tmp > 80",
            "own.yaml:7:11: rules[0].when: the class elevator has no",
        ),
        ("drive.motor_temp > 80", "drive.motor_temp >", "own.yaml:7:29: rules[0].when: syntax"),
        ("class: elevator", "class: rocket", "own.yaml:2:8: class: there is no asset class 'rocket'"),
        ("for: 1.5m", "for: soon", "own.yaml:8:10: rules[0].for: 'soon' is no span"),
        ("for: 1.5m", "for: 99d", "own.yaml:8:10: rules[0].for: is between"),
        ("severity: 3", "severity: 5", "own.yaml:10: rules[0].severity: Input should be less than or equal to 4"),
        ("    severity: 3\n", "", "own.yaml:4: rules[0].severity: is missing"),
        ("raises: ticket", "raises: panic", "own.yaml:11: rules[0].raises: Input should be"),
        ("22:00-06:00", "22-6", "own.yaml:12:17: rules[0].schedule[0]: '22-6' is no span of hours"),
        ("[EL-01]", "[EL-09]", "own.yaml:13: rules[0].assets: there is no asset 'EL-09' of class elevator"),
        ("[EL-01]", "[WP-01]", "own.yaml:13: rules[0].assets: there is no asset 'WP-01' of class elevator"),
        ("clear_for: 10", "clear_fro: 10", "own.yaml:9: rules[0].clear_fro: unknown key"),
        ("own.hot", "Own Hot", "own.yaml:4: rules[0].id: String should match"),
        (
            "own.hot",
            "water_pump.flood",
            "own.yaml:4:9: rules[0].id: 'water_pump.flood' is a rule of the class water_pump",
        ),
    ],
)
def test_each_mistake_is_named_where_it_is(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    (found,) = problems(tmp_path, GOOD.replace(old, new))
    assert found.startswith(expected)


def test_every_problem_at_once_and_ids_once_a_folder(tmp_path: Path) -> None:
    text = GOOD + (
        "  - {id: own.hot, labels: {zh: 甲, en: A}, guidance: {zh: 乙, en: B}, when: 'car.lod > 3', severity: 1, "
        "raises: nothing}\n"
        "  - {id: own.gone, disable: true}\n"
        "  - {id: elevator.overspeed, disable: true, severity: 2}\n"
    )
    found = problems(tmp_path, text)
    assert [line.split(":")[1] for line in found] == ["14", "14", "15", "16"]
    assert "already taken at" in found[0]
    assert "did you mean car.load" in found[1]
    assert "no shipped rule" in found[2]
    assert "nothing but its id" in found[3]


def test_a_file_that_is_no_yaml_is_a_problem_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"own\.yaml:2"):
        load_rulebook(a_site(tmp_path, own="class: elevator\nrules: [: {"), CATALOG)


def test_the_shipped_packs_are_good_by_themselves() -> None:
    definitions = read_rules([PACKS], CATALOG, assets={})
    assert len({definition.rule.id for definition in definitions}) == len(definitions)
    rated = {"current": 100.0, "tank_m3": 40.0, "cell_r": 4.0}
    assets = {name: Asset(name, name, LABEL, rated=rated) for name in CATALOG.classes}
    points = {name: frozenset(item.points) for name, item in CATALOG.classes.items()}
    book = assign(definitions, assets, points)
    assert book.unused == ()
    # what is looked at for a day is read back for a day, and nothing else
    assert set(book.patient) == {"water_pump", "access_control", "fire_alarm"}
    assert book.usual_window == 4500


def test_causes_effects_and_steps_are_read(tmp_path: Path) -> None:
    steps = "    escalate: [{after: 10m, severity: 2, until: acknowledged}]\n"
    more = "    cause: heat\n    effect_of: [supply, heat]\n" + steps
    rule = load_rulebook(a_site(tmp_path, own=GOOD + more), CATALOG).rule("own.hot")
    assert rule is not None
    assert (rule.cause, rule.effect_of) == ("heat", {"supply", "heat"})
    assert rule.escalate == (Escalation(600, Severity.URGENT, until_acknowledged=True),)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("    effect_of: [suply]\n", "no rule says that it is the cause of 'suply'; known: comms, supply"),
        ("    escalate: [{after: 10m, severity: 3}]\n", "each step is worse than before: a severity below 3"),
        (
            "    escalate: [{after: 10m, severity: 2}, {after: 5m, severity: 1}]\n",
            "each step comes later than the one before",
        ),
        ("    escalate: [{after: soon, severity: 2}]\n", "'soon' is no span such as 10s, 5m or 1h"),
    ],
)
def test_causes_and_steps_that_can_not_be_are_refused(tmp_path: Path, more: str, told: str) -> None:
    assert any(told in problem for problem in problems(tmp_path, GOOD + more))


def test_an_emergency_is_nobodys_consequence(tmp_path: Path) -> None:
    text = GOOD.replace("severity: 3", "severity: 1\n    effect_of: [supply]")
    (problem,) = problems(tmp_path, text)
    assert "always told on its own" in problem


def test_no_shipped_emergency_is_a_consequence_and_every_word_has_a_cause() -> None:
    rules = [item.rule for item in read_rules([PACKS], CATALOG, assets=None)]
    causes = {rule.cause for rule in rules}
    assert all(rule.effect_of <= causes for rule in rules)
    assert not [rule.id for rule in rules if rule.effect_of and (rule.severity == 1 or rule.raises == "emergency")]
