"""`caretaker rules test`: what it runs, what it says when a test fails, and its JUnit report."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import facility
from rules import cli
from rules.cli import app

STARTER = Path(facility.__file__).parent / "starter"
STORY = """
class: elevator
tests:
  - name: stuck between floors
    series:
      car.moving: running stoppedx40
      car.in_door_zone: outsidex5 {zone}x36
      mode.service: normalx41
      alarm.car_button: pressedx41
      car.passenger_present: presentx41
      door.car.state: closedx41
    until: 45
    expect:
      0s: {{elevator.entrapment: none}}
      5s: {{elevator.entrapment: pending}}
      20s: {{elevator.entrapment: active 1}}
    transitions: [11 raise elevator.entrapment since 1 severity 1]
"""
RULE = """
class: elevator
rules:
  - id: elevator.pit_water
    labels: {zh: 底坑进水, en: Water in the pit}
    guidance: {zh: 查看, en: Look}
    when: pit.water
    for: 1s
    severity: 3
    raises: ticket
"""


PIT = """
class: elevator
tests:
  - name: water in the pit, one splash before it
    at: {0: {pit.water: dry}, 5: {pit.water: water}, 9: {pit.water: dry}, 20: {pit.water: water}}
    until: 60
    transitions: [30 raise elevator.pit_water since 20]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A starter site; of the shipped tests only one, since all of them take a while."""
    folder = tmp_path / "site"
    shutil.copytree(STARTER, folder)
    (folder / "rules" / "tests").mkdir(parents=True)
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "pit.yaml").write_text(PIT)
    monkeypatch.setattr(cli, "SHIPPED", shipped)
    return folder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["test", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def put(site: Path, name: str, text: str) -> None:
    (site / "rules" / name).write_text(text)


@pytest.mark.timeout(300)
def test_the_shipped_tests_pass_without_a_site() -> None:
    code, output = run()
    assert code == 0, output
    assert "0 failed" in output


def test_a_sites_own_test_passes(site: Path) -> None:
    put(site, "tests/mine.yaml", STORY.format(zone="outside"))
    code, output = run(site, "--language", "en")
    assert code == 0, output
    assert "2 tests: 2 passed" in output


def test_a_failure_shows_what_was_told_and_what_was_unknown(site: Path) -> None:
    put(site, "tests/mine.yaml", STORY.format(zone="<comm>"))
    code, output = run(site, "--language", "en")
    assert code == 1
    assert "mine.yaml:4: stuck between floors" in output
    assert "20s elevator.entrapment: expected active 1 (line 16)" in output
    assert "actual: pending 1 since 1s, 4 s of its delay seen, its clock stands" in output
    assert "- 11 raise elevator.entrapment since 1 severity 1" in output
    assert "5s  car.in_door_zone = <comm>" in output
    assert "=> condition unknown, pending" in output
    assert "unknown        car.in_door_zone   <- car.in_door_zone = <comm> (11s)" in output
    assert "true       mode.service != 'inspection'" in output
    assert "1 failed" in output


def test_the_same_in_chinese(site: Path) -> None:
    put(site, "tests/mine.yaml", STORY.format(zone="<comm>"))
    output = run(site, "--language", "zh")[1]
    assert "应为 激活 1" in output
    assert "条件未知，等待" in output
    assert "1 失败" in output


def test_an_unexpected_transition_fails(site: Path) -> None:
    text = STORY.format(zone="outside").replace("[11 raise elevator.entrapment since 1 severity 1]", "[]")
    put(site, "tests/mine.yaml", text)
    code, output = run(site, "--language", "en")
    assert code == 1
    assert "+ 11 raise elevator.entrapment since 1 severity 1" in output


def test_junit_is_what_its_readers_want(site: Path, tmp_path: Path) -> None:
    put(site, "tests/mine.yaml", STORY.format(zone="<comm>").replace("stuck between", "stuck <&> between"))
    report = tmp_path / "report.xml"
    assert run(site, "--junit", report, "--language", "en")[0] == 1
    root = ElementTree.fromstring(report.read_bytes())
    assert root.tag == "testsuites"
    cases = root.findall("testsuite/testcase")
    assert root.get("failures") == "1"
    assert int(root.get("tests", "0")) == len(cases)
    assert sum(int(suite.get("tests", "0")) for suite in root) == len(cases)
    failed = [case for case in cases if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["stuck <&> between floors"]
    failure = failed[0].find("failure")
    assert failure is not None
    assert failure.text
    assert "expected active" in failure.text
    assert failed[0].get("line") == "4"


def test_a_rule_of_the_sites_own_makes_a_shipped_test_differ_and_not_fail(site: Path) -> None:
    put(site, "own.yaml", RULE.replace("elevator.pit_water", "elevator.wet"))
    assert "DIFFERS" not in run(site, "--language", "en")[1]
    put(site, "own.yaml", RULE)
    code, output = run(site, "--language", "en")
    assert code == 0, output
    assert "DIFFERS by the site's own rule" in output
    assert "0 failed" in output


def test_the_sites_own_rule_is_what_its_test_runs(site: Path) -> None:
    put(site, "own.yaml", RULE)
    story = "class: elevator\ntests:\n  - {name: n, at: {0: {pit.water: dry}, 1: {pit.water: water}}, until: 5,"
    put(site, "tests/mine.yaml", story + " transitions: [2 raise elevator.pit_water since 1]}\n")
    assert run(site)[0] == 0


def test_an_asset_of_the_site_brings_its_rated_values_and_hours_are_local(site: Path) -> None:
    rule = RULE.replace("elevator.pit_water", "elevator.hot").replace("pit.water", "drive.motor_temp > rated('warm')")
    put(site, "own.yaml", rule + "    schedule: ['22:00-06:00']\n")
    story = """
class: elevator
tests:
  - name: at night
    rated: {warm: 50}
    start: 2026-03-02 21:59
    series: {drive.motor_temp: 40 60x20}
    step: 10s
    until: 200
    expect: {50s: {elevator.hot: none}, 63s: {elevator.hot: active}}
"""
    put(site, "tests/mine.yaml", story)
    code, output = run(site, "--language", "en")
    assert code == 0, output


def test_silence_makes_unknown_and_repeat_prevents_it(site: Path) -> None:
    story = """
class: fire_alarm
tests:
  - name: silent
    at: {0: {panel.fire: normal}}
    until: 400
    transitions: [375 raise fire_alarm.no_data since 315]
  - name: told again and again
    at: {0: {panel.fire: normal}}
    repeat: 60s
    until: 400
    transitions: []
  - name: told again until it says nothing more
    at: {0: {panel.fire: normal}, 100: {panel.fire: _}}
    repeat: 60s
    until: 500
    transitions: [435 raise fire_alarm.no_data]
"""
    put(site, "tests/mine.yaml", story)
    code, output = run(site, "--language", "en")
    assert code == 0, output


def test_every_problem_is_told_at_once_with_its_line(site: Path) -> None:
    story = """class: elevator
tests:
  - name: x
    at: {0: {car.movin: true, car.moving: flying, mode.service: <bad>}, zz: {car.moving: 3}}
    until: 40d
    expect: {20s: {elevator.entrapmen: active, elevator.entrapment: firing}}
    transitions: [bla, 70 raise power.no_data]
  - name: y
    nope: 1
    series: {car.moving: runningx999999}
    until: 10
"""
    put(site, "tests/mine.yaml", story)
    put(site, "tests/other.yaml", "class: nothing\ntests: [{name: z, until: 3}]\n")
    code, output = run(site)
    assert code == 1
    for part in (
        "mine.yaml:4: tests[0].at[0].car.movin: the class elevator has no point 'car.movin'; did you mean car.moving",
        "'flying' is no value of car.moving; its states: stopped, running",
        "there is no quality '<bad>'",
        "'zz' is no instant",
        "mine.yaml:5: tests[0].until",
        "did you mean elevator.entrapment",
        "'firing' is none of",
        "'bla' is no transition",
        "'power.no_data' is a rule of the class power",
        "mine.yaml:9: tests[1].nope: unknown key",
        "more than 100000 steps",
        "nothing is expected",
        "other.yaml:1: class: there is no asset class 'nothing'",
    ):
        assert part in output, output


def test_a_rule_that_does_not_run_in_a_test_is_no_silent_success(site: Path) -> None:
    story = "class: elevator\ntests:\n  - {name: n, at: {0: {pit.water: dry}}, until: 5, "
    put(site, "tests/mine.yaml", story + "expect: {3s: {elevator.overspeed: none}}}\n")
    code, output = run(site, "--language", "en")
    assert code == 1
    assert "does not run here: A has no safety.overspeed" in output


def test_another_asset_has_its_name_before_the_point(site: Path) -> None:
    story = """
class: elevator
tests:
  - name: two lifts
    assets: {B: {class: elevator}}
    at: {0: {pit.water: dry, B/pit.water: dry}, 5: {B/pit.water: water}}
    until: 40
    transitions: [15 raise B/elevator.pit_water since 5]
"""
    put(site, "tests/mine.yaml", story)
    code, output = run(site, "--language", "en")
    assert code == 0, output
