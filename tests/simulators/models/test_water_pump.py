"""The pump set: hydraulics that hang together, and the signature of each failure."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.models.water_pump import PumpSet, relative_power
from tests.simulators.conftest import Check, number, run, until


def pumps(seed: int = 3, **size: float) -> PumpSet:
    count = int(size.pop("pumps", 3))
    model = PumpSet(Random(seed), pumps=count, **size)
    run(model, 20)
    return model


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([0.5, 0.6, 0.9, 1.2]))
def test_a_quiet_set_holds_its_pressure(seed: int, count: int, setpoint: float) -> None:
    model = pumps(seed, pumps=count, setpoint=setpoint)
    starts = number(model.values(), "sys.starts")
    for _ in range(300):
        model.step(0.5)
        values = model.values()
        assert values["sys.outlet_pressure"] == pytest.approx(setpoint, rel=0.06)
        assert number(values, "sys.power") == pytest.approx(sum(pump.power for pump in model.pumps))
        assert values["sys.head"] == pytest.approx(
            (number(values, "sys.outlet_pressure") - number(values, "sys.inlet_pressure")) * 101.97, rel=1e-3
        )
        for index in range(1, count + 1):
            running = values[f"pump[{index}].run"]
            assert (number(values, f"pump[{index}].current") > 0.5) is running
            assert (number(values, f"pump[{index}].power") > 0.3) is running
    assert number(model.values(), "sys.starts") == starts


@pytest.mark.slow
def test_a_quiet_hour_stays_in_range_and_counts_up(in_range: Check) -> None:
    model = pumps()
    counters = ("sys.volume", "sys.energy", "sys.run_hours", "sys.starts", "pump[1].run_hours", "pump[1].energy")
    before = {key: number(model.values(), key) for key in counters}
    for _ in range(3600):
        model.step(1.0)
        values = model.values()
        in_range("water_pump", values)
        assert values["sys.alarm_code"] == 0
        assert values["tank.overflow"] is False
        for key in counters:
            assert number(values, key) >= before[key]
            before[key] = number(values, key)


def test_volume_is_the_integral_of_flow() -> None:
    model = pumps()
    before, flows = number(model.values(), "sys.volume"), 0.0
    for _ in range(600):
        model.step(0.1)
        flows += number(model.values(), "sys.flow") * 0.1 / 3600
    assert number(model.values(), "sys.volume") - before == pytest.approx(flows)


def test_power_follows_the_cube_of_the_speed() -> None:
    assert relative_power(0.8, 0.7) / relative_power(1.0, 0.7) == pytest.approx(0.512)
    assert relative_power(1.0, 0.0) < 0.5 * relative_power(0.9, 0.85), "a dry pump must stand out from a working one"


def test_dry_running_signature() -> None:
    model = pumps()
    before = model.values()
    model.inject("dry_run")
    values = run(model, 14)
    assert number(values, "sys.inlet_pressure") < 0.02
    assert values["sys.flow"] == pytest.approx(0, abs=0.1)
    assert number(values, "sys.outlet_pressure") < 0.12
    assert number(values, "sys.freq") > 30
    assert number(values, "pump[1].power") < 0.5 * number(before, "pump[1].power")
    assert 0.4 < number(values, "pump[1].current") / number(before, "pump[1].current") < 0.62
    assert number(values, "tank.level") < 10
    assert values["tank.low_low"] is True
    assert values["sys.alarm_code"] == 57
    model.end("dry_run")
    values = run(model, 90)
    assert values["sys.outlet_pressure"] == pytest.approx(0.6, rel=0.03)
    assert values["sys.alarm_code"] == 0


def test_dry_running_pumps_are_stopped_in_the_end() -> None:
    model = pumps()
    model.inject("dry_run", trip_after=20.0)
    values = run(model, 30)
    assert values["sys.run"] is False
    assert values["pump[1].fault"] is True
    assert values["pump[1].fault_code"] == 57
    model.end("dry_run")
    assert run(model, 60)["sys.run"] is True


def test_a_burst_pipe_drops_the_pressure_and_runs_all_pumps() -> None:
    model = pumps()
    before = model.values()
    model.inject("pipe_burst")
    after = run(model, 5)
    assert number(after, "sys.outlet_pressure") < number(before, "sys.outlet_pressure") - 0.05
    assert number(after, "sys.flow") > 2 * number(before, "sys.flow")
    values = run(model, 20)
    assert all(values[f"pump[{index}].run"] for index in (1, 2, 3))
    assert values["sys.freq"] == pytest.approx(50)


def test_the_standby_pump_takes_over() -> None:
    model = pumps()
    model.inject("vfd_trip", pump=1.0)
    dip = min(number(run(model, 0.5), "sys.outlet_pressure") for _ in range(10))
    assert dip < 0.55
    took = until(model, lambda values: values["pump[3].run"] is True, within=10)
    values = run(model, 25)
    assert took < 10
    assert values["pump[1].run"] is False
    assert values["pump[1].fault_code"] == 0x2310
    assert values["sys.outlet_pressure"] == pytest.approx(0.6, rel=0.05)
    model.end("vfd_trip")
    assert run(model, 1)["pump[1].fault"] is False


def test_no_standby_leaves_the_building_dry() -> None:
    model = pumps()
    model.inject("vfd_trip_no_standby")
    values = run(model, 30)
    assert number(values, "sys.outlet_pressure") < 0.12
    assert values["sys.run"] is False
    assert values["sys.fault"] is True
    model.end("vfd_trip_no_standby")
    assert run(model, 60)["sys.outlet_pressure"] == pytest.approx(0.6, rel=0.05)


def test_tank_and_room() -> None:
    model = pumps()
    model.inject("tank_overflow", rate=120.0)
    model.inject("flood")
    model.inject("water_quality", seconds=30.0)
    values = run(model, 40)
    assert values["tank.overflow"] is True
    assert values["tank.inlet_valve"] is True
    assert values["room.flood"] is True
    assert number(values, "room.humidity") > 72
    assert number(values, "wq.residual_chlorine") < 0.05
    assert number(values, "wq.turbidity") > 1.0
    for fault in model.active:
        model.end(fault)
    values = run(model, 90)
    assert not values["tank.overflow"]
    assert not values["room.flood"]


def test_supply_loss_and_cavitation() -> None:
    model = pumps()
    model.inject("supply_loss", seconds=30.0)
    values = run(model, 40)
    assert number(values, "sys.inlet_pressure") < 0.05
    assert number(values, "tank.level") < 71.5
    model.end("supply_loss")
    run(model, 60)
    model.inject("cavitation")
    inlets = [number(run(model, 0.5), "sys.inlet_pressure") for _ in range(40)][8:]
    assert 0.01 < min(inlets) < max(inlets) < 0.06
    assert number(model.values(), "pump[1].vib_rms") > 4


def test_a_stuck_sensor_shows_the_same_while_pumps_change() -> None:
    model = pumps()
    model.inject("stuck_pressure")
    shown = model.values()["sys.outlet_pressure"]
    model.inject("vfd_trip")
    assert run(model, 3)["sys.outlet_pressure"] == shown
    assert model.pressure != shown
