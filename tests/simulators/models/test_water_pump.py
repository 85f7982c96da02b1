"""The booster set in health: hydraulics that hang together, a day with its peaks, counters, what people do to it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.models.water.pump_curve import PumpCurve, relative_power
from simulators.models.water.water import HOURS, demand
from simulators.models.water.water_pump import PumpSet
from tests.simulators.conftest import Check, number, run

HOUR = 3600.0
DAY = 24 * HOUR
COUNTERS = ("sys.volume", "sys.energy", "sys.run_hours", "sys.powered_hours", "sys.starts", "pump[1].run_hours",
            "pump[1].energy", "pump[1].starts", "pump[2].starts")  # fmt: skip
SEEDS, PUMPS, SETPOINTS = st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.35, 0.5, 0.6, 0.9, 1.2])


def pumps(seed: int = 3, *, hour: float = 11.0, count: int = 3, setpoint: float = 0.45, flow: float = 16.0) -> PumpSet:
    """A set that has run for a while at an hour of the day."""
    model = PumpSet(Random(seed), pumps=count, setpoint=setpoint, flow=flow, epoch=hour * HOUR)
    run(model, 20)
    return model


def check_pumps(model: PumpSet) -> None:
    """A running pump has current and power, a stopped one has none, and the set has their sum."""
    values = model.values()
    for index, pump in enumerate(model.pumps, 1):
        running = values[f"pump[{index}].run"]
        assert (number(values, f"pump[{index}].current") > 0.5) is running
        assert (number(values, f"pump[{index}].power") > 0.0) is running
        assert (number(values, f"pump[{index}].freq") > 1.0) is running
        assert not (running and pump.code)
    assert number(values, "sys.power") == pytest.approx(sum(pump.power for pump in model.pumps))
    assert values["sys.run"] is any(pump.running for pump in model.pumps)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(SEEDS, st.integers(2, 6), SETPOINTS, st.floats(0.0, 23.0))
def test_a_quiet_set_holds_its_pressure(seed: int, count: int, setpoint: float, hour: float) -> None:
    model = pumps(seed, hour=hour, count=count, setpoint=setpoint)
    for _ in range(60):
        model.step(0.5)
        values = model.values()
        check_pumps(model)
        assert values["sys.outlet_pressure"] == pytest.approx(setpoint, rel=0.06)
        assert values["sys.head"] == pytest.approx(
            max(0.0, number(values, "sys.outlet_pressure") - number(values, "sys.inlet_pressure")) * 101.97, rel=1e-3
        )
        lifted = number(values, "sys.flow") * number(values, "sys.outlet_pressure") / 3.6
        assert number(values, "sys.power") > lifted, "more kW in the water than the motors take"


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEEDS, PUMPS, SETPOINTS)
def test_a_quiet_day_with_leaps(in_range: Check, seed: int, count: int, setpoint: float) -> None:
    """Whatever the hour: no fault, pressure held, counters grow, and few starts."""
    model = pumps(seed, count=count, setpoint=setpoint)
    before = model.values()
    began = before
    for _ in range(48):
        model.leap(DAY / 48 - 5.0)
        run(model, 5.0, dt=0.5)
        values = model.values()
        in_range("water_pump", values)
        check_pumps(model)
        assert values["sys.alarm_code"] == values["sys.warning_code"] == 0
        assert not any(values[f"pump[{index}].fault"] for index in range(1, count + 1))
        assert not any(values[key] for key in ("tank.overflow", "tank.low_low", "room.flood", "sump.high_float"))
        assert values["sys.outlet_pressure"] == pytest.approx(setpoint, rel=0.06)
        assert all(number(values, key) >= number(before, key) for key in COUNTERS if key in values)
        before = values
    assert number(before, "sys.starts") - number(began, "sys.starts") <= 4 * count
    assert number(before, "sys.powered_hours") - number(began, "sys.powered_hours") == pytest.approx(24.0)


@pytest.mark.slow
@pytest.mark.parametrize("hour", [0.0, 5.9, 18.2, 22.5])
def test_hours_of_change_stay_quiet(hour: float, in_range: Check) -> None:
    """The way to the peaks and to the night: the pressure holds while pumps come and go."""
    model = pumps(hour=hour)
    starts = number(model.values(), "sys.starts")
    for _ in range(int(0.75 * HOUR)):
        model.step(1.0)
        values = model.values()
        assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.12)
    in_range("water_pump", values)
    assert number(values, "sys.starts") - starts <= 3


def test_demand_has_two_peaks_and_a_quiet_night() -> None:
    assert demand(7.0) == demand(19.0) == max(HOURS) == 1.0
    assert demand(2.0) == demand(3.3) == demand(4.0) == min(HOURS)
    assert demand(6.5) == pytest.approx(0.8)
    assert demand(23.999) == pytest.approx(demand(0.0), abs=1e-3)
    assert HOURS[0] == HOURS[24]


@pytest.mark.parametrize(("hour", "least", "most", "running"), [(3, 0.2, 0.4, 1), (11, 11, 14, 1), (19, 21, 28, 2)])
def test_flow_and_pumps_follow_the_hour(hour: float, least: float, most: float, running: int) -> None:
    values = pumps(hour=hour).values()
    assert least < number(values, "sys.flow") < most
    assert sum(bool(values[f"pump[{index}].run"]) for index in (1, 2, 3)) == running
    assert number(values, "sys.freq") > 30


def test_the_same_hour_elsewhere() -> None:
    here, there = PumpSet(Random(1), epoch=3 * HOUR), PumpSet(Random(1), epoch=3 * HOUR)
    there.zone = 8 * HOUR
    there.leap(0.0)
    assert number(there.values(), "sys.flow") > 30 * number(here.values(), "sys.flow")


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(SEEDS, PUMPS, st.floats(0.0, 23.0), st.lists(st.floats(1.0, 300.0), min_size=1, max_size=6))
def test_volume_and_energy_are_integrals_of_flow_and_power(
    seed: int, count: int, hour: float, leaps: list[float]
) -> None:
    model = pumps(seed, hour=hour, count=count)
    before = model.values()
    volume = energy = 0.0
    for seconds in leaps:
        for _ in range(20):
            model.step(0.1)
            volume += number(model.values(), "sys.flow") * 0.1 / HOUR
            energy += number(model.values(), "sys.power") * 0.1 / HOUR
        values = model.values()
        volume += number(values, "sys.flow") * seconds / HOUR
        energy += number(values, "sys.power") * seconds / HOUR
        model.leap(seconds)
    after = model.values()
    assert number(after, "sys.volume") - number(before, "sys.volume") == pytest.approx(volume, abs=1e-6)
    assert number(after, "sys.energy") - number(before, "sys.energy") == pytest.approx(energy, abs=1e-6)


@pytest.mark.slow
def test_a_leap_comes_to_what_steps_come_to() -> None:
    """Four hours, stepped and leapt: the same water, energy and hours, but for the noise of the demand."""
    stepped, leapt = pumps(hour=8.0), pumps(hour=8.0)
    before = stepped.values()
    leapt.leap(4 * HOUR)
    for _ in range(int(4 * HOUR / 0.5)):
        stepped.step(0.5)
    for key, close in (
        ("sys.volume", 0.03),
        ("sys.energy", 0.03),
        ("sys.run_hours", 1e-6),
        ("pump[1].run_hours", 1e-6),
    ):
        grown = number(stepped.values(), key) - number(before, key)
        assert number(leapt.values(), key) - number(before, key) == pytest.approx(grown, rel=close), key
    assert leapt.values()["tank.level"] == pytest.approx(number(stepped.values(), "tank.level"), abs=1.5)
    assert leapt.values()["pump[1].bearing_temp_de"] == pytest.approx(50.0, abs=0.5)


def test_power_follows_the_cube_of_the_speed() -> None:
    assert relative_power(0.8, 0.7) / relative_power(1.0, 0.7) == pytest.approx(0.512)
    curve = PumpCurve(16.0, 0.6)
    assert curve.kilowatts(1.0, 0.0, dry=True) < 0.5 * curve.kilowatts(0.88, 12.0, dry=False), "a dry pump stands out"


@settings(max_examples=50)
@given(st.floats(0.2, 1.4), st.integers(1, 6), st.floats(0.1, 40.0))
def test_a_speed_that_holds_a_pressure_gives_it(pressure: float, count: int, draw: float) -> None:
    curve = PumpCurve(16.0, pressure)
    speed = curve.speed(pressure, count, draw)
    assert curve.pressure(speed, count, draw) == pytest.approx(pressure, rel=1e-6)


def test_a_pump_switched_off_is_replaced_and_comes_back() -> None:
    model = pumps()
    model.act("pump_off", pump=1.0)
    values = run(model, 20)
    assert (values["pump[1].run"], values["pump[1].mode"], values["pump[1].available"]) == (False, 4, False)
    assert values["pump[2].run"] is True
    assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.05)
    assert values["sys.alarm_code"] == 0
    model.act("pump_auto", pump=1.0)
    values = run(model, 5)
    assert (values["pump[1].mode"], values["pump[1].available"]) == (2, True)


def test_everything_switched_off_gives_no_water() -> None:
    model = pumps()
    model.act("pump_off", pump=0.0)
    assert number(run(model, 60), "sys.outlet_pressure") < 0.1
    model.act("pump_auto", pump=0.0)
    assert run(model, 20)["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.05)
