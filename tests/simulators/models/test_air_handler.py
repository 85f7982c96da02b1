"""The air handler: supply control, schedule, dust, and the signature of each failure."""

from __future__ import annotations

from random import Random

import pytest

from simulators.models.rooms.air_handler import AirHandler
from tests.simulators.conftest import Check, number, run
from tests.simulators.models.test_outdoors import EPOCH


def unit(hour: float = 13.0) -> AirHandler:
    """A unit that has settled at this hour of the day in Shanghai."""
    model = AirHandler(Random(1), epoch=EPOCH + (hour - 13.0) * 3600)
    model.zone = 8 * 3600.0
    model.leap(7140.0)
    model.step(60.0)
    return model


def test_by_day_it_holds_the_supply_and_by_night_it_stands(in_range: Check) -> None:
    day, night = unit(13.0).values(), unit(2.0).values()
    for values in (day, night):
        in_range("hvac", values)
    assert day["ahu.supply_temp"] == pytest.approx(14.0, abs=0.2)
    assert 21 < number(day, "ahu.return_temp") < 25
    assert 20 < number(day, "ahu.valve") < 90
    assert (day["ahu.fan.command"], day["ahu.fan.feedback"]) == (True, True)
    assert (night["ahu.fan.command"], night["ahu.fan.feedback"]) == (False, False)
    assert night["ahu.filter_dp"] == night["ahu.fan.current"] == night["ahu.valve"] == 0


def test_a_filter_gains_dust_with_every_hour_of_running_and_hours_count() -> None:
    model = unit()
    before = model.values()
    for _ in range(10):
        model.leap(86_400.0)
    after = model.values()
    assert number(after, "ahu.fan.run_hours") - number(before, "ahu.fan.run_hours") == pytest.approx(160)
    assert number(after, "ahu.filter_dp") - number(before, "ahu.filter_dp") == pytest.approx(6.4, abs=6)
    model.act("replace_filter")
    assert model.values()["ahu.filter_dp"] == pytest.approx(80, abs=4)


def test_a_leap_is_the_same_however_it_is_portioned() -> None:
    whole, parts = unit(), unit()
    whole.leap(43_200.0)
    for _ in range(720):
        parts.leap(60.0)
    assert parts.values()["ahu.fan.run_hours"] == pytest.approx(number(whole.values(), "ahu.fan.run_hours"))
    assert parts.room == pytest.approx(whole.room, abs=0.3)
    assert parts.co2 == pytest.approx(whole.co2, abs=5)


def test_a_clogging_filter_passes_its_limit_in_forty_days_of_sixty() -> None:
    model = unit()
    model.inject("filter_clogged")
    model.leap(35 * 86_400.0)
    assert 230 < number(model.values(), "ahu.filter_dp") < 250
    model.leap(8 * 86_400.0)
    assert number(model.values(), "ahu.filter_dp") > 250
    model.leap(17 * 86_400.0)
    assert model.values()["ahu.filter_dp"] == pytest.approx(320, abs=10)
    model.act("replace_filter")
    assert number(model.values(), "ahu.filter_dp") < 90


def test_a_broken_belt_is_a_command_without_air() -> None:
    model = unit()
    model.inject("fan_belt_broken")
    values = run(model, 1)
    assert (values["ahu.fan.command"], values["ahu.fan.feedback"]) == (True, False)
    assert values["ahu.filter_dp"] == 0
    assert values["ahu.fan.current"] == pytest.approx(6, abs=0.5), "the motor turns idly"
    model.leap(600.0)
    assert number(model.values(), "ahu.co2") > 1200
    model.leap(1800.0)
    assert number(model.values(), "ahu.co2") > 1750
    assert number(model.values(), "ahu.supply_temp") > 22
    model.act("replace_belt")
    model.leap(7200.0)
    assert model.values()["ahu.supply_temp"] == pytest.approx(14.0, abs=0.3)


def test_a_sensor_that_reads_too_much_shows_the_set_point_and_cools_the_room() -> None:
    model = unit()
    before = model.values()
    model.inject("sensor_off", seconds=3600.0)
    model.leap(4 * 3600.0)
    values = model.values()
    assert values["ahu.supply_temp"] == pytest.approx(14.0, abs=0.3)
    assert model.supply == pytest.approx(10.0, abs=0.1)
    assert number(before, "ahu.return_temp") - number(values, "ahu.return_temp") == pytest.approx(4, abs=0.7)
    assert number(values, "ahu.valve") > number(before, "ahu.valve") + 15
    model.act("calibrate_sensor")
    model.leap(7200.0)
    assert model.supply == pytest.approx(14.0, abs=0.1)
