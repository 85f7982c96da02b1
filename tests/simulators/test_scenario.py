"""Scenario files: what is refused, and in which order things happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigError
from facility.hardware import BROKER, Act, Fault, On, Param, Subject
from facility.points import Kind, Label
from simulators.scenario import Scenario, load_scenario

TEXT = Label("x", "x")


def fault(name: str, on: On = On.ASSET, **params: Param) -> tuple[str, Fault]:
    return name, Fault(name, "E01", on, TEXT, 5.0, params=params, points=frozenset({Kind.ANALOG}))


LIFT = dict(
    [fault("entrapment", button_after=Param(20, "s", 0, 600, TEXT)), fault("overspeed"), fault("spike", On.POINT)]
)
KNOWN = {
    (On.ASSET, "EL-01"): Subject(On.ASSET, "EL-01", LIFT, {"press": Act("press", On.ASSET, TEXT)},
                                 {"car.load": Kind.ANALOG, "car.moving": Kind.DISCRETE}),
    (On.ASSET, "WP-01"): Subject(On.ASSET, "WP-01", dict([fault("dry_run")])),
    (On.DEVICE, "WP-01-cim"): Subject(On.DEVICE, "WP-01-cim", dict([fault("delay", On.DEVICE)])),
    (On.BROKER, BROKER): Subject(On.BROKER, BROKER, dict([fault("away", On.BROKER)])),
}  # fmt: skip


def read(folder: Path, text: str) -> Scenario:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path, KNOWN)


def test_a_good_one(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        """
duration: 60
seed: 9
steps:
  - {at: 20, fault: dry_run, asset: WP-01, for: 10}
  - {at: 5, fault: entrapment, asset: EL-01, for: 15.5, params: {button_after: 2}}
  - {at: 20.5, fault: entrapment, asset: EL-01, for: 1}
""",
    )
    assert (scenario.name, scenario.duration, scenario.seed) == ("some", 60, 9)
    assert [action.at for action in scenario.actions] == [5, 20, 20.5]
    assert scenario.actions[0].params == {"button_after": 2.0}
    marks = [(at, begins, action.name) for at, begins, action in scenario.timeline()]
    assert marks == [
        (5, True, "entrapment"), (20, True, "dry_run"), (20.5, False, "entrapment"), (20.5, True, "entrapment"),
        (21.5, False, "entrapment"), (30, False, "dry_run"),
    ]  # fmt: skip


def test_everything_that_can_be_acted_upon(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        """
duration: 60
steps:
  - {at: 1, fault: spike, asset: EL-01, point: car.load}
  - {at: 2, fault: delay, device: WP-01-cim, for: 3}
  - {at: 3, fault: away, for: 4}
  - {at: 4, act: press, asset: EL-01}
""",
    )
    assert [(action.on, action.subject, action.name, action.lasts) for action in scenario.actions] == [
        (On.POINT, "EL-01", "spike", 5.0), (On.DEVICE, "WP-01-cim", "delay", 3), (On.BROKER, BROKER, "away", 4),
        (On.ASSET, "EL-01", "press", None),
    ]  # fmt: skip
    assert scenario.actions[0].point == "car.load"
    assert len(scenario.timeline()) == 7


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{at: 1, asset: EL-01}", "needs either a fault or an act"),
        ("{at: 1, fault: spike, act: press, asset: EL-01}", "needs either a fault or an act"),
        ("{at: 1, fault: delay, asset: EL-01, device: WP-01-cim}", "more than one of asset, device and gateway"),
        ("{at: 1, fault: delay, device: EL-01}", "no simulated device 'EL-01'; known: WP-01-cim"),
        ("{at: 1, fault: away, gateway: gw-1}", "no simulated gateway 'gw-1'; known: none here"),
        ("{at: 1, act: kick, asset: EL-01}", "EL-01 has no act 'kick'; known: press"),
        ("{at: 1, act: press, asset: EL-01, for: 3}", "an act is done in a moment"),
        ("{at: 1, fault: spike, asset: EL-01}", "spike needs the point that it befalls"),
        ("{at: 1, fault: spike, asset: EL-01, point: car.speeed}", "EL-01 has no point 'car.speeed'"),
        ("{at: 1, fault: spike, asset: EL-01, point: car.moving}", "points of kind analog; car.moving is discrete"),
        ("{at: 1, fault: overspeed, asset: EL-01, point: car.load}", "overspeed is no fault of one point"),
        ("{at: 1, fault: entrapment, asset: EL-01, params: {after: 2}}", "no param 'after'; known: button_after"),
        ("{at: 1, fault: entrapment, asset: EL-01, params: {button_after: 900}}", "900 is outside 0 .. 600 s"),
    ],
)
def test_what_can_not_be_played(tmp_path: Path, step: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"duration: 60\nsteps:\n  - {step}\n")
    assert message in str(caught.value)
    assert caught.value.problems[0].line == 3


def test_every_problem_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(
            tmp_path,
            """duration: 30
steps:
  - {at: 5, fault: entrapment, asset: EL-01, for: 10}
  - {at: 12, fault: entrapment, asset: EL-01, for: 2}
  - {at: -1, fault: entrapment, asset: EL-09, for: 2}
  - {at: 1, fault: dry_run, asset: EL-01, for: 0}
  - {at: 25, fault: dry_run, asset: WP-01, for: 20}
""",
        )
    found = [(problem.line, problem.path, problem.message) for problem in caught.value.problems]
    assert [(line, path) for line, path, _ in found] == [
        (4, "steps[1].at"), (5, "steps[2].asset"), (5, "steps[2].at"), (6, "steps[3].fault"), (6, "steps[3].for"),
        (7, "steps[4].for"),
    ]  # fmt: skip
    texts = " ".join(message for _, _, message in found)
    assert "overlaps the one on line 3" in texts
    assert "there is no simulated asset 'EL-09'; known: EL-01, WP-01" in texts
    assert "EL-01 has no fault 'dry_run'; known: entrapment, overspeed" in texts
    assert "ends at 45 s, after the duration of 30" in texts
    assert all(problem.file.endswith("some.yaml") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: []", "is missing"),
        ("duration: 0", "not more than 0"),
        ("duration: 5\nspeed: 2", "unknown key"),
        ("duration: 5\nsteps: [{at: soon, fault: dry_run, asset: WP-01, for: 1}]", "number"),
        ("duration: 5\nsteps: [{at: 1, fault: dry_run, asset: WP-01, for: 1, params: {size: big}}]", "number"),
        ("duration: [", "YAML"),
    ],
)
def test_what_is_no_scenario(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)
