"""The fire water set: standby with its jockey, starts within seconds, weekly test, and its own failures."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.faultfile import repertoire
from simulators.models.water.fire_water_set import FireWater
from tests.simulators.conftest import Check, number, run, until

HOUR = 3600.0
FAULTS = repertoire().faults_of("water_pump")


def cabinet(seed: int = 3, *, pumps: int = 2, pressure: float = 0.9, valves: int = 4) -> FireWater:
    """A set in standby."""
    return FireWater(Random(seed), pumps=pumps, pressure=pressure, valves=valves, epoch=11 * HOUR)


def jockey_starts(model: FireWater, seconds: float, dt: float = 5.0) -> int:
    """How often the jockey starts."""
    runs = [bool(run(model, dt, dt=dt)["fw.jockey.run"]) for _ in range(round(seconds / dt))]
    return sum(after and not before for before, after in zip([False, *runs], runs, strict=False))


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0.6, 1.6), st.integers(1, 32))
def test_a_quiet_day_with_leaps(in_range: Check, seed: int, pumps: int, pressure: float, valves: int) -> None:
    model = cabinet(seed, pumps=pumps, pressure=pressure, valves=valves)
    for _ in range(96):
        model.leap(890.0)
        run(model, 10.0, dt=0.5)
        values = model.values()
        in_range("water_pump", values)
        assert values["fw.cabinet_auto"] is True
        assert 0.69 * pressure < number(values, "fw.outlet_pressure") < 0.77 * pressure
        assert number(values, "fw.hydrant_static_pressure") >= 0.07
        assert number(values, "fw.end_test_pressure") >= 0.05
        assert 7 <= number(values, "fw.jockey.starts_per_h") <= 9
        assert not any(values[f"fw.pump[{index}].{point}"] for index in range(1, pumps + 1)
                       for point in ("run", "fault", "start_cmd"))  # fmt: skip
        assert not any(values[key] for key in ("fw.pressure_switch", "fw.flow_switch", "fw.alarm_valve_ps"))
        assert all(values[f"fw.valve[{index}].position"] for index in range(1, valves + 1))
        assert number(values, "fw.tank_level") > 99


@pytest.mark.slow
def test_the_jockey_cycles_a_few_times_an_hour() -> None:
    assert 7 <= jockey_starts(cabinet(), HOUR) <= 9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(60.0, 4000.0))
def test_a_leap_is_as_exact_as_steps(seed: int, seconds: float) -> None:
    leapt, stepped = cabinet(seed), cabinet(seed)
    leapt.leap(seconds)
    for _ in range(50):
        stepped.leap(seconds / 50)
    one, other = leapt.values(), stepped.values()
    assert number(one, "fw.outlet_pressure") == pytest.approx(number(other, "fw.outlet_pressure"), abs=1e-6)
    assert one["fw.jockey.run"] == other["fw.jockey.run"]
    assert one["fw.jockey.starts_per_h"] == other["fw.jockey.starts_per_h"]


def test_a_fire_starts_the_pump_within_seconds() -> None:
    model = cabinet()
    model.fire = True
    took = until(model, lambda seen: seen["fw.pump[1].run"] is True, within=10)
    assert took < 5
    values = run(model, 30)
    assert values["fw.pump[1].start_cmd"] is True
    assert (values["fw.flow_switch"], values["fw.jockey.run"]) == (True, False)
    assert number(values, "fw.outlet_pressure") > 0.8
    tank = number(values, "fw.tank_level")
    assert number(run(model, 60), "fw.tank_level") < tank, "water is used"
    model.fire = False
    values = run(model, 60)
    assert (values["fw.pump[1].run"], values["fw.pump[1].start_cmd"]) == (False, False)
    assert number(values, "fw.outlet_pressure") == pytest.approx(0.684, abs=0.02)


def test_the_weekly_test_runs_a_pump_for_a_while() -> None:
    model = cabinet()
    model.act("test_run", pump=2.0, seconds=60.0)
    values = run(model, 10)
    assert (values["fw.pump[1].run"], values["fw.pump[2].run"], values["fw.pump[2].start_cmd"]) == (False, True, True)
    assert values["fw.flow_switch"] is False
    assert number(run(model, 45), "fw.outlet_pressure") == pytest.approx(0.9)
    assert run(model, 10)["fw.pump[2].run"] is False


def test_p14_not_in_auto_starts_nothing() -> None:
    model = cabinet()
    model.inject("not_in_auto")
    assert run(model, 1)["fw.cabinet_auto"] is False
    model.fire = True
    values = run(model, 60)
    assert (values["fw.pump[1].start_cmd"], values["fw.pump[1].run"]) == (True, False)
    assert (values["fw.pressure_switch"], number(values, "fw.outlet_pressure") < 0.4) == (True, True)
    model.end("not_in_auto")
    values = run(model, 60)
    assert (values["fw.cabinet_auto"], values["fw.pump[1].run"]) == (True, True)


def test_somebody_at_the_cabinet() -> None:
    model = cabinet()
    model.act("cabinet_manual")
    assert run(model, 1)["fw.cabinet_auto"] is False
    model.act("test_run")
    assert run(model, 10)["fw.pump[1].run"] is False
    model.act("cabinet_auto")
    assert run(model, 10)["fw.pump[1].run"] is True


def test_f09_a_pump_that_does_not_start() -> None:
    model = cabinet()
    model.inject("start_fails")
    before = number(run(model, 1), "fw.outlet_pressure")
    values = run(model, 118)
    assert (values["fw.pump[1].start_cmd"], values["fw.pump[1].run"]) == (True, False)
    assert values["fw.pump[1].fault"] is False
    assert values["fw.outlet_pressure"] == pytest.approx(before, abs=0.06), "no pump, so the pressure is flat"
    assert run(model, 3)["fw.pump[1].fault"] is True
    model.end("start_fails")
    values = run(model, 5)
    assert (values["fw.pump[1].start_cmd"], values["fw.pump[1].fault"]) == (False, False)


def test_f09_waits_for_a_command_when_it_brings_none() -> None:
    model = cabinet()
    model.inject("start_fails", command=0.0)
    assert run(model, 5)["fw.pump[1].start_cmd"] is False
    model.fire = True
    assert run(model, 125)["fw.pump[1].fault"] is True
    model.end("start_fails")
    assert run(model, 5)["fw.pump[1].run"] is True


def test_f08_jockey_over_cycling() -> None:
    model = cabinet()
    model.inject("jockey_over_cycling")
    assert jockey_starts(model, HOUR) == pytest.approx(30, abs=1)
    assert model.values()["fw.jockey.starts_per_h"] == pytest.approx(30, abs=1)
    model.end("jockey_over_cycling")
    model.leap(1.5 * HOUR)
    assert number(model.values(), "fw.jockey.starts_per_h") <= 9


def test_f13_closed_valve() -> None:
    model = cabinet()
    model.inject("valve_closed", valve=3.0)
    values = run(model, 1)
    assert [values[f"fw.valve[{index}].position"] for index in (1, 2, 3, 4)] == [True, True, False, True]
    model.end("valve_closed")
    assert model.values()["fw.valve[3].position"] is True


def test_f14_fire_tank_low() -> None:
    model = cabinet()
    model.inject("fire_tank_low")

    def level(values: dict[str, Value]) -> float:
        return number(values, "fw.tank_level")

    assert level(run(model, 0.1)) == pytest.approx(100, abs=0.1)
    model.leap(HOUR / 2)
    assert level(model.values()) == pytest.approx(80, abs=0.1)
    model.leap(HOUR)
    assert level(model.values()) == pytest.approx(60)
    model.end("fire_tank_low")
    model.leap(HOUR)
    assert level(model.values()) == pytest.approx(100)


def test_every_default_is_the_models_own() -> None:
    for name in sorted(FireWater.FAULTS):
        plain, told = cabinet(), cabinet()
        plain.inject(name)
        told.inject(name, **{key: param.default for key, param in FAULTS[name].params.items()})
        assert run(plain, 300, dt=1.0) == run(told, 300, dt=1.0), name
