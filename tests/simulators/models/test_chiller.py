"""The chiller plant: holds its water, stages its compressors, and the signature of each failure."""

from __future__ import annotations

from random import Random

import pytest

from simulators.models.rooms.chiller import HOLD_SECONDS, Chiller, pressure
from tests.simulators.conftest import Check, number, until
from tests.simulators.models.test_outdoors import EPOCH


def plant(seed: int = 1, hour: float = 13.0, **size: float) -> Chiller:
    """A plant that has settled at this hour of the day in Shanghai."""
    model = Chiller(Random(seed), epoch=EPOCH + (hour - 13.0) * 3600, **size)
    model.zone = 8 * 3600.0
    model.leap(7140.0)
    model.step(60.0)
    return model


def test_pressures_are_those_of_saturated_r134a() -> None:
    # absolute, from tables: -5 Cel 243, 5 Cel 350, 20 Cel 572, 40 Cel 1017 kPa
    for temperature, absolute in ((-5, 243), (5, 350), (20, 572), (40, 1017)):
        assert pressure(temperature) + 101.3 == pytest.approx(absolute, rel=0.01)


def test_it_holds_its_set_point_by_day_and_by_night_and_its_load_follows_the_hour(in_range: Check) -> None:
    loads = {}
    for hour in (4.0, 15.0):
        model = plant(hour=hour)
        values = model.values()
        in_range("hvac", values)
        assert values["chw.leaving_temp"] == pytest.approx(7.0, abs=0.3)
        assert values["chiller.status"] == 3
        loads[hour] = number(values, "chiller.capacity")
        drop = number(values, "chw.entering_temp") - number(values, "chw.leaving_temp")
        assert drop == pytest.approx(5.0 * loads[hour] / 100, abs=0.3), "heat taken is flow times kelvins"
        assert number(values, "cw.leaving_temp") > number(values, "cw.entering_temp")
    assert loads[4.0] < 20
    assert loads[15.0] > 70


def test_a_second_compressor_comes_for_the_day_and_goes_for_the_night() -> None:
    model = plant(hour=3.0)
    starts = number(model.values(), "chiller.starts")
    assert model.compressors == 1
    model.leap(8 * 3600.0)
    assert model.compressors == 2
    assert number(model.values(), "chiller.starts") == starts + 1
    model.leap(14 * 3600.0)
    assert model.compressors == 1


def test_a_leap_is_the_same_however_it_is_portioned() -> None:
    whole, parts, steps = plant(), plant(), plant()
    whole.leap(43_200.0)
    for _ in range(12):
        parts.leap(3600.0)
    for _ in range(43_200 // 60):
        steps.leap(60.0)
    for other in (parts, steps):
        assert other.starts == whole.starts
        assert other.values()["chiller.run_hours"] == pytest.approx(number(whole.values(), "chiller.run_hours"))
        assert other.leaving == pytest.approx(whole.leaving, abs=0.01)
        assert other.cw_leaving == pytest.approx(whole.cw_leaving, abs=0.3)


def test_a_trip_stops_it_at_once_and_the_water_warms() -> None:
    model = plant()
    model.inject("chiller_trip")
    model.step(1.0)
    values = model.values()
    assert (values["chiller.status"], values["chiller.alarm"], values["chiller.fault_index"]) == (1, True, 4)
    assert values["chiller.current"] == values["chiller.capacity"] == 0
    model.step(299.0)
    assert number(model.values(), "chw.leaving_temp") == pytest.approx(12.0, abs=0.5)
    model.leap(900.0)
    assert number(model.values(), "chw.leaving_temp") == pytest.approx(19.5, abs=0.5)


def test_somebody_resets_it_and_it_starts_but_not_more_than_six_times_an_hour() -> None:
    model = plant()
    starts = model.starts
    for _ in range(20):
        model.inject("chiller_trip")
        model.step(10.0)
        model.act("reset_chiller")
        assert not model.active
        model.step(170.0)
    assert model.starts - starts <= 6
    assert number(model.values(), "chiller.starts_last_hour") <= 6
    model.leap(2 * HOLD_SECONDS + 1800)
    values = model.values()
    assert (values["chiller.status"], values["chiller.alarm"]) == (3, False)
    assert values["chw.leaving_temp"] == pytest.approx(7.0, abs=0.5)


def test_a_start_takes_a_minute() -> None:
    model = plant()
    model.inject("chiller_trip")
    model.leap(3600.0)
    model.act("reset_chiller")
    model.step(1.0)
    assert model.values()["chiller.status"] == 2
    assert until(model, lambda values: values["chiller.status"] == 3, within=70) == pytest.approx(59, abs=1.5)


def test_lost_flow_opens_the_switch_and_stops_it_and_it_comes_back_by_itself() -> None:
    model = plant()
    flow = number(model.values(), "chw.flow")
    model.inject("low_flow")
    model.step(1.0)
    values = model.values()
    assert (values["chw.flow_ok"], values["chiller.fault_index"], values["chiller.status"]) == (False, 1, 1)
    assert values["chw.flow"] == pytest.approx(0.3 * flow)
    model.act("reset_chiller")
    model.step(1.0)
    assert model.values()["chiller.alarm"] is True, "no reset helps while there is no flow"
    model.end("low_flow")
    model.leap(3600.0)
    assert model.values()["chiller.status"] == 3


def test_scale_on_the_condenser_raises_approach_pressure_and_current() -> None:
    clean, fouled = plant().values(), plant()
    fouled.inject("fouled_condenser", seconds=3600.0)
    fouled.leap(86_400.0)
    values = fouled.values()
    assert clean["cond.approach"] == pytest.approx(1.4, abs=0.2)
    assert values["cond.approach"] == pytest.approx(10.5, abs=0.7)
    assert number(values, "cond.pressure") - number(clean, "cond.pressure") == pytest.approx(240, abs=30)
    assert number(values, "chiller.rla") - number(clean, "chiller.rla") == pytest.approx(16, abs=5)
    assert values["chw.leaving_temp"] == pytest.approx(7.0, abs=0.3)
    fouled.act("clean_condenser")
    assert number(fouled.values(), "cond.approach") < 2


def test_lack_of_refrigerant_lowers_the_pressure_and_then_the_cooling() -> None:
    model = plant()
    before = model.values()
    model.inject("refrigerant_low", seconds=1_209_600.0)
    model.leap(7 * 86_400.0)
    half = model.values()
    assert half["chw.leaving_temp"] == pytest.approx(7.0, abs=0.3), "half of the leak is hidden by the control"
    assert half["evap.approach"] == pytest.approx(6.1, abs=0.5)
    assert number(before, "evap.pressure") - number(half, "evap.pressure") == pytest.approx(52, abs=10)
    model.leap(7 * 86_400.0)
    end = model.values()
    assert end["chw.leaving_temp"] == pytest.approx(10.5, abs=0.6)
    assert end["chiller.warning_index"] == 5
    model.act("charge_refrigerant")
    model.leap(3600.0)
    assert model.values()["chw.leaving_temp"] == pytest.approx(7.0, abs=0.3)
