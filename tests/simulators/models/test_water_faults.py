"""The booster set in trouble: the time course of each failure signature (P01 .. P16), against its figures.

The figures stand for a set of 0.45 MPa with three pumps at 11:00, when 12 m3/h are drawn.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.faultfile import repertoire
from simulators.models.water.water_pump import PumpSet
from tests.simulators.conftest import Check, number, run, until
from tests.simulators.models.test_water_pump import HOUR, check_pumps, pumps

MINUTE, DAY = 60.0, 24 * HOUR
FAULTS = repertoire().faults_of("water_pump")


def lowest(model: PumpSet, key: str, seconds: float) -> float:
    """The lowest value of a point in the next seconds."""
    return min(number(run(model, 0.1), key) for _ in range(round(seconds / 0.1)))


def test_p01_dry_running() -> None:
    model = pumps()
    before = model.values()
    model.inject("dry_run")
    values = run(model, 10)
    assert number(values, "sys.inlet_pressure") < 0.02
    values = run(model, 50)
    assert 0.40 < number(values, "pump[1].current") / number(before, "pump[1].current") < 0.55
    assert number(values, "pump[1].power") < 0.5 * number(before, "pump[1].power")
    assert number(values, "sys.freq") > 30
    assert values["sys.flow"] == pytest.approx(0, abs=0.01)
    assert number(values, "sys.outlet_pressure") < 0.13
    assert values["tank.level"] == pytest.approx(5.0, abs=0.2)
    assert values["tank.low_low"] is True
    assert values["sys.alarm_code"] == 57
    warmer = number(run(model, 60), "pump[1].casing_temp") - number(values, "pump[1].casing_temp")
    assert warmer == pytest.approx(2.0, abs=0.1)


def test_p01_the_pumps_are_stopped_in_the_end_and_start_again_when_there_is_water() -> None:
    model = pumps()
    model.inject("dry_run", trip_after=20.0)
    values = run(model, 30)
    assert values["sys.run"] is False
    assert (values["pump[1].fault"], values["pump[1].fault_code"], values["sys.alarm_code"]) == (True, 57, 57)
    model.act("reset")
    assert run(model, 10)["sys.run"] is False, "no pump starts on air"
    model.end("dry_run")
    values = run(model, 60)
    assert values["sys.alarm_code"] == 0
    assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.03)
    assert values["tank.low_low"] is False


@pytest.mark.parametrize("hour", [3.0, 7.0, 11.0, 19.0])
def test_p01_shows_at_any_hour(hour: float) -> None:
    model = pumps(hour=hour)
    model.inject("dry_run")
    values = run(model, 14)
    assert number(values, "sys.inlet_pressure") < 0.02
    assert number(values, "sys.freq") > 30
    assert number(values, "sys.flow") < 0.5
    assert values["sys.alarm_code"] == 57


def test_p02_cavitation() -> None:
    model, sound = pumps(), pumps()
    before = model.values()
    model.inject("cavitation")
    run(model, 40)
    run(sound, 40)
    seen, usual = ([run(one, 0.1) for _ in range(200)] for one in (model, sound))

    def spread(key: str) -> tuple[float, float]:
        numbers = [number(values, key) for values in seen]
        return min(numbers), max(numbers)

    def mean(course: list[dict[str, Value]], key: str) -> float:
        return sum(number(values, key) for values in course) / len(course)

    low, high = spread("sys.inlet_pressure")
    assert (low, high) == (pytest.approx(0.02, abs=0.005), pytest.approx(0.05, abs=0.005))
    low, high = spread("sys.flow")
    assert 0.03 < (high - low) / (high + low) < 0.11
    low, high = spread("pump[1].current")
    assert high > low * 1.02
    assert 0.90 < mean(seen, "pump[1].current") / mean(usual, "pump[1].current") < 0.99
    assert number(before, "pump[1].vib_rms") == pytest.approx(2.0, abs=0.4)
    assert number(seen[-1], "pump[1].vib_rms") == pytest.approx(5.0, abs=0.4)
    model.end("cavitation")
    values = run(model, 30)
    assert values["sys.inlet_pressure"] == pytest.approx(number(before, "sys.inlet_pressure"), abs=0.01)
    assert number(values, "pump[1].vib_rms") < 2.5


@pytest.mark.slow
def test_p03_bearing_wear_doubles_the_vibration_each_12_days() -> None:
    model = pumps()
    model.leap(2 * HOUR)
    bearing = number(model.values(), "pump[1].bearing_temp_de")
    model.inject("bearing_wear")

    def at(days: float) -> dict[str, Value]:
        model.leap(days * DAY - (model.age("bearing_wear") or 0.0))
        return model.values()

    assert number(at(0.01), "pump[1].vib_rms") == pytest.approx(1.8, abs=0.15)
    assert number(at(12.0), "pump[1].vib_rms") == pytest.approx(3.6, abs=0.15)
    values = at(22.7)
    assert number(values, "pump[1].bearing_temp_de") - bearing == pytest.approx(8.0, abs=1.0)
    assert number(values, "pump[2].vib_rms") < 2.2
    values = at(24.71)
    assert number(values, "pump[1].vib_rms") == pytest.approx(7.5, abs=0.2)
    assert number(values, "pump[1].bearing_temp_de") - bearing == pytest.approx(33.0, abs=1.5)
    assert 80 < number(values, "pump[1].bearing_temp_de") < 95
    assert (values["sys.warning_code"], values["maint.bearing_months"], values["maint.bearing_action"]) == (30, 0, True)
    model.end("bearing_wear")
    values = model.values()
    assert number(values, "pump[1].vib_rms") < 2.2
    assert values["maint.bearing_months"] == 12


def test_p03_can_be_played_in_two_minutes() -> None:
    model = pumps()
    model.inject("bearing_wear", seconds=120.0, pump=1.0)
    assert 2.9 < number(run(model, 60), "pump[1].vib_rms") < 4.4
    assert number(run(model, 61), "pump[1].vib_rms") == pytest.approx(7.5, abs=0.4)


def test_p04_burst_pipe() -> None:
    model = pumps()
    before = model.values()
    assert number(before, "sys.flow") == pytest.approx(12, abs=1.5)
    model.inject("pipe_burst")
    assert number(run(model, 3), "sys.outlet_pressure") == pytest.approx(0.28, abs=0.03)
    values = run(model, 17)
    assert all(values[f"pump[{index}].run"] for index in (1, 2, 3))
    assert values["sys.freq"] == pytest.approx(50)
    assert values["sys.at_max_speed"] is True
    assert number(values, "sys.outlet_pressure") == pytest.approx(0.15, abs=0.015)
    assert number(values, "sys.flow") == pytest.approx(55, abs=2)
    later = run(model, 39)
    assert later["room.flood"] is False
    assert run(model, 2)["room.flood"] is True
    assert number(run(model, 19), "tank.level") - number(values, "tank.level") == pytest.approx(-2.0, abs=0.05)
    model.end("pipe_burst")
    assert run(model, 60)["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.05)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(2, 6), st.sampled_from([0.45, 0.6, 1.2]), st.sampled_from([3.0, 7.0, 11.0]))
def test_p04_a_burst_looks_like_one_in_any_size(count: int, setpoint: float, hour: float) -> None:
    model = pumps(count=count, setpoint=setpoint, hour=hour)
    model.inject("pipe_burst")
    values = run(model, 30)
    assert all(values[f"pump[{index}].run"] for index in range(1, count + 1))
    assert values["sys.at_max_speed"] is True
    assert 0.25 < number(values, "sys.outlet_pressure") / setpoint < 0.5
    assert number(values, "sys.flow") > 16.0 * (count - 0.5)


def test_p05_slow_leak_shows_in_the_night_minimum() -> None:
    model = pumps(hour=3.0)
    nights = [number(model.values(), "sys.flow")]
    model.inject("slow_leak")
    for _ in range(5):
        model.leap(DAY)
        nights.append(number(model.values(), "sys.flow"))
    assert nights[0] == pytest.approx(0.3, abs=0.05)
    assert nights[-1] == pytest.approx(1.8, abs=0.1)
    assert all(after - before == pytest.approx(0.3, abs=0.08) for before, after in pairwise(nights))
    model.end("slow_leak")
    assert run(model, 10)["sys.flow"] == pytest.approx(0.3, abs=0.05)


def test_p06_the_standby_pump_takes_over() -> None:
    model = pumps()
    model.inject("vfd_trip")
    values = run(model, 0.2)
    assert (values["pump[1].run"], values["pump[1].current"]) == (False, 0.0)
    assert (values["pump[1].fault"], values["pump[1].fault_code"]) == (True, 0x2310)
    assert until(model, lambda seen: seen["pump[2].run"] is True, within=5) < 5
    dip = lowest(model, "sys.outlet_pressure", 5)
    assert dip == pytest.approx(0.36, abs=0.02)
    values = run(model, 10)
    assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.03)
    assert values["sys.alarm_code"] == 0
    model.end("vfd_trip")
    assert run(model, 1)["pump[1].fault"] is False


def test_p06_a_reset_drive_trips_again_while_its_fault_is_there() -> None:
    model = pumps()
    model.inject("vfd_trip", pump=1.0)
    run(model, 1)
    model.act("reset", pump=1.0)
    assert run(model, 0.1)["pump[1].fault"] is False
    model.act("pump_off", pump=2.0)
    model.act("pump_off", pump=3.0)
    until(model, lambda seen: seen["pump[1].run"] is True, within=30)
    took = until(model, lambda seen: seen["pump[1].fault"] is True, within=5)
    assert 0.5 < took < 3


def test_p07_no_standby_leaves_the_building_dry() -> None:
    model = pumps()
    starts = [pump.starts for pump in model.pumps]
    model.inject("vfd_trip_no_standby")
    values = run(model, 120)
    assert number(values, "sys.outlet_pressure") == pytest.approx(0.05, abs=0.01)
    assert values["sys.run"] is False
    assert values["sys.fault"] is True
    assert [pump.starts for pump in model.pumps] == [starts[0], starts[1] + 1, starts[2] + 1], "both were tried"
    model.end("vfd_trip_no_standby")
    assert run(model, 60)["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.05)


def test_p08_stuck_float_valve() -> None:
    model = pumps()
    model.inject("tank_overflow")
    before = number(run(model, 1), "tank.level")
    values = run(model, 60, dt=0.5)
    assert number(values, "tank.level") - before == pytest.approx(1.0, abs=0.02)
    assert values["tank.inlet_valve"] is True
    model.leap(28 * MINUTE)
    values = model.values()
    assert number(values, "tank.level") == pytest.approx(100.0, abs=0.6)
    assert values["tank.overflow"] is True
    model.end("tank_overflow")
    values = run(model, 300, dt=0.5)
    assert values["tank.overflow"] is False
    assert number(values, "tank.level") < 95


def test_p09_municipal_supply_lost() -> None:
    model = pumps(setpoint=0.55)
    model.inject("supply_loss")
    assert number(model.values(), "sys.inlet_pressure") == pytest.approx(0.30, abs=0.01)
    model.leap(360.0)
    values = model.values()
    assert number(values, "sys.inlet_pressure") == pytest.approx(0.02, abs=0.005)
    level = number(values, "tank.level")
    model.leap(HOUR)
    fallen = level - number(model.values(), "tank.level")
    drawn = number(model.values(), "sys.volume") - number(values, "sys.volume")
    assert fallen / 100 * 40 == pytest.approx(drawn, rel=1e-6), "the tank of 40 m3 falls by what is drawn"
    assert fallen > 20
    assert run(model, 5)["sys.outlet_pressure"] == pytest.approx(0.55, rel=0.05), "the tank still feeds the pumps"
    model.leap(4 * HOUR)
    values = model.values()
    assert values["sys.run"] is False, "stopped on an empty tank"
    assert values["sys.alarm_code"] == 57
    model.end("supply_loss")
    values = run(model, 60)
    assert values["sys.outlet_pressure"] == pytest.approx(0.55, rel=0.05)
    assert number(values, "sys.inlet_pressure") == pytest.approx(0.30, abs=0.01)


@pytest.mark.slow
def test_p10_leaking_check_valve() -> None:
    model = pumps()
    model.inject("check_valve_leaks")
    before = model.values()
    assert number(before, "sys.outlet_pressure") - number(run(model, 2), "sys.outlet_pressure") == pytest.approx(
        0.04, abs=0.012
    )
    assert any(model.values()[f"pump[{index}].reverse"] for index in (1, 2, 3))
    starts = number(before, "sys.starts")
    values = run(model, 598, dt=0.5)
    assert number(values, "sys.starts") - starts == 10, "every 60 s"
    assert values["sys.warning_code"] == 209
    model.leap(3000)
    assert number(model.values(), "sys.starts") - starts == 60, "more than 40 in an hour"
    model.end("check_valve_leaks")
    starts = number(model.values(), "sys.starts")
    values = run(model, 120, dt=0.5)
    assert (number(values, "sys.starts"), values["sys.warning_code"]) == (starts, 0)
    assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.03)


def test_p11_lost_air_cushion() -> None:
    model = pumps()
    starts = number(model.values(), "sys.starts")
    model.inject("lost_air_cushion")
    run(model, 25)
    seen = [number(run(model, 0.5), "sys.outlet_pressure") for _ in range(150)]
    assert min(seen) == pytest.approx(0.37, abs=0.012)
    assert max(seen) == pytest.approx(0.53, abs=0.012)
    assert number(model.values(), "sys.starts") - starts == 4, "every 25 s"
    model.end("lost_air_cushion")
    values = run(model, 60)
    assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.03)
    assert number(values, "sys.starts") - starts == 4


def test_p13_flooded_plant_room() -> None:
    model = pumps()
    before = model.values()
    model.inject("flood")
    values = run(model, 5)
    assert values["room.flood"] is True
    values = run(model, 300, dt=0.5)
    assert number(values, "room.humidity") - number(before, "room.humidity") == pytest.approx(20, abs=3)
    assert number(values, "sump.level") > 1.8
    assert values["sump.high_float"] is True
    model.end("flood")
    values = run(model, 300, dt=0.5)
    assert (values["room.flood"], values["sump.high_float"]) == (False, False)
    assert number(values, "room.humidity") < 61


@pytest.mark.slow
def test_p15_a_stuck_sensor_shows_the_same_while_pumps_change() -> None:
    model = pumps()
    model.inject("stuck_pressure")
    shown, starts, changes, running = model.values()["sys.outlet_pressure"], model.pumps[1].starts, 0, 1
    true = set()
    for _ in range(600):
        values = run(model, 1.0, dt=0.5)
        assert values["sys.outlet_pressure"] == shown
        true.add(round(model.pressure, 3))
        now = sum(pump.running for pump in model.pumps)
        changes, running = changes + (now != running), now
    assert changes >= 2
    assert len(true) > 1
    assert model.pumps[1].starts - starts >= 2
    model.end("stuck_pressure")
    assert run(model, 5)["sys.outlet_pressure"] != shown


def test_p16_water_quality() -> None:
    model = pumps()
    model.inject("water_quality")
    model.leap(3 * HOUR)
    values = model.values()
    assert values["wq.residual_chlorine"] == pytest.approx(0.14)
    assert values["wq.turbidity"] == pytest.approx(0.85)
    model.leap(3 * HOUR)
    values = model.values()
    assert values["wq.residual_chlorine"] == pytest.approx(0.03)
    assert values["wq.turbidity"] == pytest.approx(1.4)
    model.end("water_quality")
    model.leap(HOUR)
    assert model.values()["wq.residual_chlorine"] == pytest.approx(0.25)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(sorted(PumpSet.FAULTS)), min_size=1, max_size=4, unique=True),
    st.integers(1, 6),
    st.sampled_from([3.0, 7.0, 11.0]),
    st.sampled_from(["reset", "pump_off", "pump_auto"]),
)
def test_whatever_comes_together_stays_possible_and_ends(
    in_range: Check, faults: list[str], count: int, hour: float, act: str
) -> None:
    """Several faults at once, on any size, stepped and leapt: in range, counters grow; and in the end all is well."""
    model = pumps(count=count, hour=hour)
    before = model.values()
    for fault in faults:
        model.inject(fault)
    model.act(act, pump=1.0)
    for _ in range(6):
        run(model, 10, dt=0.5)
        model.leap(1000.0)
        values = model.values()
        in_range("water_pump", values)
        check_pumps(model)
        for key in ("sys.volume", "sys.energy", "sys.starts", "sys.run_hours"):
            assert number(values, key) >= number(before, key)
        before = values
    for fault in faults:
        model.end(fault)
    model.act("pump_auto", pump=0.0)
    model.leap(HOUR)
    values = run(model, 60, dt=0.5)
    assert values["sys.outlet_pressure"] == pytest.approx(0.45, rel=0.06)
    assert values["sys.alarm_code"] == values["sys.warning_code"] == 0
    assert not model.active


def test_the_repertoire_says_how_long_each_course_is() -> None:
    assert FAULTS["bearing_wear"].lasts == pytest.approx(24.7 * DAY, rel=0.001)
    assert FAULTS["slow_leak"].lasts == 5 * DAY
    assert FAULTS["water_quality"].lasts == 6 * HOUR
    assert 2 * MINUTE <= FAULTS["supply_loss"].params["seconds"].default <= 10 * MINUTE


@pytest.mark.slow
def test_every_default_is_the_models_own() -> None:
    """Playing with the params of the file is playing without."""
    for name in sorted(PumpSet.FAULTS):
        plain, told = (PumpSet(Random(5), epoch=11 * HOUR) for _ in range(2))
        plain.inject(name)
        told.inject(name, **{key: param.default for key, param in FAULTS[name].params.items()})
        assert run(plain, 130, dt=0.5) == run(told, 130, dt=0.5), name
