"""Which points can be commanded, and what may be written: limits, states by code, times, never life safety."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from facility.commanding import MAX_TTL_S, Target, seconds, targets, wanted
from facility.config import load_site
from facility.points import Kind, Label, Point, Table, Writing
from tests.api.commandable import commandable_site


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Target]]:
    """What the test's site lets people command."""
    site, catalog = load_site(commandable_site(tmp_path_factory.mktemp("site")), env={})
    return targets(site.devices, site.assets, catalog.classes, catalog.profiles)


def an_analog(**writing: float) -> Target:
    point = Point("level", Kind.ANALOG, Label("液位", "Level"), unit="m")
    return Target("A", point, "d", "gw-1", Writing(Table.HOLDING, 0, **writing))  # type: ignore[arg-type]


def test_only_points_with_writing_are_targets(found: dict[str, dict[str, Target]]) -> None:
    assert {asset: set(points) for asset, points in found.items()} == {
        "PS-01": {"sys.run", "sys.setpoint_pct", "sys.operation_mode"}
    }
    run = found["PS-01"]["sys.run"]
    assert (run.gateway, run.device, run.writing.two_people) == ("gw-1", "pump-1", True)
    assert [state.code for state in found["PS-01"]["sys.operation_mode"].choices] == ["auto", "min", "max"]


def test_life_safety_is_never_a_target(tmp_path: Path) -> None:
    site, catalog = load_site(commandable_site(tmp_path / "site"), env={})
    pump = catalog.classes["water_pump"]
    classes = {**catalog.classes, "water_pump": replace(pump, life_safety=True)}
    assert targets(site.devices, site.assets, classes, catalog.profiles) == {}


def test_a_device_renames_and_narrows(tmp_path: Path) -> None:
    site, catalog = load_site(commandable_site(tmp_path / "site"), env={})
    (pump,) = (device for device in site.devices if device.id == "pump-1")
    moved = replace(pump, rename={"sys.run": "sys.fault", "sys.remote_access": "sys.forced_local"})
    points = targets([moved], site.assets, catalog.classes, catalog.profiles)["PS-01"]
    assert set(points) == {"sys.fault", "sys.setpoint_pct", "sys.operation_mode"}
    feedback = points["sys.fault"].writing.feedback
    assert feedback is not None
    assert feedback.point == "sys.fault"
    assert [item.point for item in points["sys.setpoint_pct"].writing.requires] == ["sys.forced_local"]
    narrow = replace(pump, points=frozenset({"sys.run", "sys.flow"}))
    assert set(targets([narrow], site.assets, catalog.classes, catalog.profiles)["PS-01"]) == {"sys.run"}
    two = targets([replace(pump, id="first", gateway="gw-2"), pump], site.assets, catalog.classes, catalog.profiles)
    assert {target.device for target in two["PS-01"].values()} == {"first"}


@pytest.mark.parametrize(
    ("point", "value", "result"),
    [
        ("sys.run", True, True),
        ("sys.run", 0, False),
        ("sys.run", "running", True),
        ("sys.run", "stopped", False),
        ("sys.operation_mode", "min", 4),
        ("sys.operation_mode", 6, 6),
        ("sys.setpoint_pct", 20, 20.0),
        ("sys.setpoint_pct", 80.0, 80.0),
    ],
)
def test_what_may_be_written(
    found: dict[str, dict[str, Target]], point: str, value: object, result: float | bool
) -> None:
    given = wanted(found["PS-01"][point], value)
    assert (given, type(given)) == (result, type(result))


@pytest.mark.parametrize(
    ("point", "value", "why"),
    [
        ("sys.run", 2, "on or off"),
        ("sys.run", 0.5, "on or off"),
        ("sys.run", "auto", "none of stopped"),
        ("sys.operation_mode", "stop", r"none of auto \(0\), min \(4\), max \(6\)"),
        ("sys.operation_mode", 7, "none of"),
        ("sys.operation_mode", 4.5, "none of"),
        ("sys.operation_mode", True, "takes a number"),
        ("sys.setpoint_pct", 19.99, "19.99 is outside 20 to 80 %"),
        ("sys.setpoint_pct", 81, "outside"),
        ("sys.setpoint_pct", True, "takes a number"),
        ("sys.setpoint_pct", "60", "none of nothing"),
        ("sys.setpoint_pct", math.nan, "no number"),
        ("sys.setpoint_pct", math.inf, "no number"),
        ("sys.setpoint_pct", 10**400, "no number"),
        ("sys.setpoint_pct", None, "no number"),
        ("sys.setpoint_pct", [60], "no number"),
    ],
)
def test_what_may_not(found: dict[str, dict[str, Target]], point: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        wanted(found["PS-01"][point], value)


def test_a_limit_may_be_open() -> None:
    assert wanted(an_analog(low=0), 1e9) == 1e9
    for target, text in ((an_analog(low=0), "0 to ∞ m"), (an_analog(high=1), "-∞ to 1 m")):
        with pytest.raises(ValueError, match=text):
            wanted(target, -1 if target.writing.high is None else 2)


def test_a_switch_whose_states_are_narrowed(found: dict[str, dict[str, Target]]) -> None:
    run = found["PS-01"]["sys.run"]
    listed = replace(run, choices=tuple(state for state in run.choices if state.number == 0))
    bare = an_analog(high=0)
    for only_off in (listed, replace(bare, point=replace(bare.point, kind=Kind.DISCRETE))):
        assert wanted(only_off, False) is False
        with pytest.raises(ValueError, match="may not be written"):
            wanted(only_off, True)


def test_how_long_it_stands(found: dict[str, dict[str, Target]]) -> None:
    bounded, free = found["PS-01"]["sys.setpoint_pct"], found["PS-01"]["sys.run"]
    assert (seconds(bounded, None), seconds(bounded, 60), seconds(bounded, 3600)) == (3600, 60, 3600)
    assert (seconds(free, None), seconds(free, 0), seconds(free, 86_400)) == (0, 0, 86_400)
    for ttl in (0, 3601):
        with pytest.raises(ValueError, match="at most 3600 s"):
            seconds(bounded, ttl)
    for ttl in (-1, math.nan, math.inf, MAX_TTL_S + 1):
        with pytest.raises(ValueError, match="ttl"):
            seconds(free, ttl)
