"""Profiles of Sparkplug edge nodes: what their metrics become, and what is wrong with one that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.assets import Device
from facility.catalog import Catalog, load_catalog
from facility.errors import ConfigError
from facility.readings import Quality, Value
from gateway.sparkplug_payload import Metric, Raw
from gateway.sparkplug_points import NodePoints
from gateway.sparkplug_session import Update
from tests.facility.golden import ENUM, GOOD, RANGE, SENSOR

PARAMS = {"group": "Tower", "node": "B2", "device": "Booster"}


def told(catalog: Catalog, name: str, *metrics: Metric) -> dict[str, tuple[Value, Quality]]:
    profile = catalog.profiles[name]
    device = Device("D-1", "gw-1", name, "A-1", params=PARAMS)
    points = NodePoints(device, profile, catalog.classes[profile.asset_class].points)
    assert points.devices == ("Booster",)
    found = points.take(Update("Booster", metrics), 1_700_000_000_000)
    return {key: (item.values[key], item.quality.get(key, GOOD)) for item in found for key in item.values}


@pytest.mark.parametrize(
    ("metric", "value", "key", "expected"),
    [
        ("Set/Inlet Pressure", 2.5, "sys.inlet_pressure", (0.25, GOOD)),  # bar -> MPa
        ("Set/Outlet Pressure", 8, "sys.outlet_pressure", (0.8, GOOD)),
        ("Set/Outlet Pressure", 41.0, "sys.outlet_pressure", (None, RANGE)),
        ("Set/Set Pressure", 7.5, "sys.setpoint", (0.75, GOOD)),
        ("Set/Flow", 31.4, "sys.flow", (31.4, GOOD)),
        ("Set/Power", 5.5, "sys.power", (5.5, GOOD)),
        ("Set/Energy", 70_000, "sys.energy", (70_000, GOOD)),
        ("Set/Running", True, "sys.run", (True, GOOD)),
        ("Set/Fault", 0, "sys.fault", (False, GOOD)),
        ("Set/Mode", "Hand", "sys.operation_mode", (9, GOOD)),
        ("Set/Mode", "Turbo", "sys.operation_mode", (None, ENUM)),
        ("Pump 1/Running", False, "pump[1].run", (False, GOOD)),
        ("Pump 2/Fault", True, "pump[2].fault", (True, GOOD)),
        ("Pump 3/Frequency", 47.5, "pump[3].freq", (47.5, GOOD)),
        ("Pump 3/Frequency", None, "pump[3].freq", (None, SENSOR)),
    ],
)
def test_a_booster_set(catalog: Catalog, metric: str, value: Raw, key: str, expected: tuple[Value, Quality]) -> None:
    found = told(catalog, "sparkplug-pump", Metric(metric, value), Metric("Other", 1))
    assert found == {key: (pytest.approx(expected[0]) if isinstance(expected[0], float) else expected[0], expected[1])}


HEAD = "profile: own\nclass: power\nlabels: {zh: 自, en: own}\nsource: test\n"
NODE = "protocol: sparkplug\nparams: [group, node]\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (NODE, 1, "needs metrics"),
        ("protocol: sparkplug\nparams: [node]\nmetrics: [{point: f, metric: a}]\n", 6, "needs the param 'group'"),
        (NODE + "metrics:\n  - {point: nope, metric: a}\n", 8, "no point 'nope'"),
        (NODE + 'metrics:\n  - {point: "breaker[n].current", metric: a}\n', 8, "no point 'breaker[n].current'"),
        (NODE + "metrics:\n  - {point: f, metric: a}\n  - {point: f, metric: b}\n", 9, "mapped twice"),
        (NODE + "metrics:\n  - {point: ups.mode, metric: a, values: {x: 99}}\n", 8, "99 is no state of ups.mode"),
        (NODE + 'metrics:\n  - {point: f, metric: ""}\n', 8, "at least 1 character"),
        ("protocol: mqtt\nmetrics: [{point: f, metric: a}]\n", 6, "`protocol: sparkplug` is missing"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    (tmp_path / "profiles").mkdir()
    path = tmp_path / "profiles" / "own.yaml"
    path.write_text(HEAD + text)
    with pytest.raises(ConfigError) as error:
        load_catalog(tmp_path)
    problems = [problem for problem in error.value.problems if message in problem.message]
    assert problems, str(error.value)
    assert (problems[0].file, problems[0].line) == (str(path), line)


def test_a_metric_may_be_of_the_node_itself(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    text = 'device: M\nmetrics:\n  - {point: f, metric: a}\n  - {point: pf, metric: b, device: ""}\n'
    (tmp_path / "profiles" / "own.yaml").write_text(HEAD + NODE + text)
    assert [item.device for item in load_catalog(tmp_path).profiles["own"].metrics] == ["M", ""]
