"""The command line as an integrator meets it: init, check, and every mistake at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(120)]


def caretaker(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "caretaker", *arguments]
    wide = {**os.environ, "COLUMNS": "300"}  # so that no message is broken into lines
    return subprocess.run(command, cwd=ROOT, env=wide, capture_output=True, text=True, timeout=110, check=False)


def test_a_starter_site_has_no_problems(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assert caretaker("init", str(folder)).returncode == 0
    done = caretaker("check", str(folder))
    assert done.returncode == 0, done.stderr
    assert "no problems" in done.stdout
    again = caretaker("init", str(folder))
    assert again.returncode != 0
    assert "not empty" in again.stderr


def test_record_and_replay_are_joined() -> None:
    told = caretaker("replay", "no-such-table.csv", "--profile", "grundfos-cim", "--port", "0")
    assert (told.returncode, told.stderr) == (1, "no-such-table.csv: can't be opened: No such file or directory\n")
    assert caretaker("record", "--help").returncode == 0


def test_profile_test_is_joined() -> None:
    done = caretaker("profile", "test", "facility/profiles/acrel-adw300.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "5 examples, 14 values: all as expected"
    assert caretaker("profile", "test", "no-such.yaml").returncode == 1


def test_every_mistake_is_told_at_once_and_nothing_starts(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    caretaker("init", str(folder))
    assets = folder / "assets.yaml"
    assets.write_text(assets.read_text().replace("location: tower-a", "location: nowhere\n    colour: red"))
    devices = folder / "devices.yaml"
    devices.write_text(devices.read_text().replace("profile: fw-lift-1", "profile: no-such-lift"))
    rules = folder / "rules" / "own.yaml"
    rules.write_text(rules.read_text().replace("mr.temp > 40", "mr.tempp > > 40"))
    done = caretaker("run", str(folder))
    assert done.returncode == 1
    for line in ("assets.yaml:", "unknown key", "devices.yaml:", "no-such-lift", "own.yaml:", "nothing was started"):
        assert line in done.stderr, done.stderr
    assert not (folder / "data").exists()


MISTAKES = {
    "site.yaml": """\
site: tower-1
labels: {zh: 楼, en: Tower}
gateways: [gw-1]
colour: red  #! colour: unknown key
""",
    "assets.yaml": """\
assets:
  - {id: EL-01, class: elevator, labels: {zh: 电梯, en: Lift}}
  - {id: EL-01, class: elevator, labels: {zh: 电梯, en: Lift}}  #! the id 'EL-01' is already taken on line 2
  - {id: PM-01, class: power, labels: {zh: 电表, en: Meter}, location: nowhere}  #! there is no location 'nowhere'
  - {id: gw-1, class: power, labels: {zh: 电表, en: Meter}}  #! 'gw-1' is a gateway
""",
    "devices.yaml": """\
devices:
  - {id: a, profile: no-such-lift, asset: EL-01}  #! there is no profile 'no-such-lift'
  - {id: b, profile: fw-lift-1, asset: EL-77}  #! there is no asset 'EL-77'
  - {id: c, profile: eastron-sdm630, asset: PM-01, points: [u.l9n]}  #! has no point 'u.l9n'
  - {id: d, profile: own, asset: PM-01}
""",
    "people.yaml": """\
channels:
  - {id: log, kind: log}
routes:
  - {to: [nobody]}  #! there is no channel 'nobody'
""",
    "profiles/own.yaml": """\
profile: own
class: power
labels: {zh: 电表, en: Meter}
source: a list
registers:
  - {point: u.l1n, address: 65535, type: float32}  #! 65535
""",
    "rules/own.yaml": """\
class: elevator
rules:
  - id: own.syntax
    labels: {zh: 甲, en: A}
    guidance: {zh: 甲, en: A}
    when: mr.temp > > 40  #! syntax
    severity: 3
    raises: ticket
  - id: own.point
    labels: {zh: 乙, en: B}
    guidance: {zh: 乙, en: B}
    when: mr.tempp > 40  #! no point 'mr.tempp'
    severity: 3
    raises: ticket
""",
}
"""One folder of every kind of mistake; `#!` says what must be told of its line."""


def test_check_tells_every_kind_of_mistake_of_one_folder(tmp_path: Path) -> None:
    for name, text in MISTAKES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = sorted(tmp_path.rglob("*"))
    for command in ("check", "run"):
        done = caretaker(command, str(tmp_path))
        assert done.returncode == 1
        assert "nothing was started" in done.stderr
        told = done.stderr.splitlines()
        for name, text in MISTAKES.items():
            for number, line in enumerate(text.splitlines(), 1):
                words = line.partition("#!")[2].strip()
                place = f"{name}:{number}:"
                assert not words or any(place in item and words in item for item in told), (place, words, done.stderr)
        expected = sum(text.count("#!") for text in MISTAKES.values())
        assert f"{expected} problem(s)" in done.stderr, done.stderr
        assert sorted(tmp_path.rglob("*")) == before
