"""A room: slow air, detectors, wireless sensors that tire and fall silent."""

from __future__ import annotations

from random import Random

import pytest

from simulators.models.rooms.environment import OF_SENSORS, Environment
from tests.simulators.conftest import Check, number, run, until
from tests.simulators.models.test_outdoors import EPOCH


def room(sensors: int = 2, hour: float = 13.0) -> Environment:
    model = Environment(Random(1), sensors=sensors, epoch=EPOCH + (hour - 13.0) * 3600)
    model.zone = 8 * 3600.0
    model.leap(7200.0)
    model.step(1.0)
    return model


def test_a_quiet_room(in_range: Check) -> None:
    values = room().values()
    in_range("environment", values)
    assert values["air.temp"] == pytest.approx(24.3, abs=0.6)
    assert values["air.humidity"] == pytest.approx(50, abs=4)
    assert not any(value for key, value in values.items() if key.endswith((".water", ".alarm", ".contact")))
    assert number(values, "sensor[1].battery") > number(values, "sensor[2].battery") > 90


def test_it_overheats_by_half_a_kelvin_a_minute_and_cools_again() -> None:
    model = room()
    begin = model.temp
    model.inject("overheat")
    model.leap(600.0)
    assert model.temp - begin == pytest.approx(5.0, abs=0.01)
    assert until(model, lambda values: number(values, "air.temp") > 35, within=900, dt=1.0) == pytest.approx(
        690, abs=60
    )
    model.leap(3600.0)
    assert model.temp == pytest.approx(42)
    model.end("overheat")
    model.leap(7200.0)
    assert model.temp == pytest.approx(24.3, abs=0.8)


def test_humidity_rises_by_twenty_percent_an_hour() -> None:
    model = room()
    begin = model.humidity
    model.inject("humidity_high")
    model.leap(3600.0)
    assert model.humidity - begin == pytest.approx(20, abs=0.01)
    model.leap(7200.0)
    assert model.humidity == pytest.approx(92)


def test_a_leap_is_the_same_however_it_is_portioned() -> None:
    whole, parts = room(), room()
    for model in (whole, parts):
        model.inject("overheat")
    whole.leap(5000.0)
    for _ in range(100):
        parts.leap(50.0)
    for key in ("temp", "humidity", "co2"):
        assert getattr(parts, key) == pytest.approx(getattr(whole, key), rel=1e-9)


def test_water_and_smoke_are_where_they_are_said_to_be() -> None:
    model = room()
    model.inject("leak", leak=2.0)
    model.inject("smoke")
    values = run(model, 19)
    assert (values["leak[1].water"], values["leak[2].water"]) == (False, True)
    assert values["smoke[1].alarm"] is False, "smoke needs time to reach the detector"
    assert run(model, 2)["smoke[1].alarm"] is True
    model.act("dry_up")
    assert run(model, 1)["leak[2].water"] is False


def test_people_open_and_close_doors() -> None:
    model = room()
    model.act("open_door", door=3.0)
    assert [model.values()[f"door[{n}].contact"] for n in (1, 3)] == [False, True]
    model.act("close_door", door=3.0)
    assert model.values()["door[3].contact"] is False


def test_a_battery_drains_in_thirty_days_says_so_at_ten_percent_and_is_changed() -> None:
    model = room()
    model.inject("battery_low", sensor=2.0)
    model.leap(27.5 * 86_400)
    assert model.values()["sensor[2].battery_low"] is False
    model.leap(86_400.0)
    values = model.values()
    assert (values["sensor[2].battery_low"], values["sensor[1].battery_low"]) == (True, False)
    model.leap(2 * 86_400.0)
    values = model.values()
    assert values["sensor[2].battery"] == pytest.approx(4, abs=0.1)
    assert values["sensor[2].voltage"] == pytest.approx(2429, abs=2)
    model.act("replace_battery", sensor=2.0)
    assert model.values()["sensor[2].battery"] == 100


def test_a_lost_sensor_has_no_values_and_a_lost_bridge_takes_all_with_it() -> None:
    model = room()
    model.inject("sensor_lost", sensor=2.0)
    values = model.values()
    assert values["sensor[2].battery"] is None
    assert values["sensor[1].battery"] is not None
    model.end("sensor_lost")
    model.inject("bridge_down")
    values = model.values()
    assert values["sensor[1].battery"] is values["sensor[2].link_quality"] is None
    assert values["sensor[1].bridge"] is False


def test_a_wired_room_has_no_batteries_to_fail() -> None:
    model = room(sensors=0)
    assert model.faults == Environment.FAULTS - OF_SENSORS
    with pytest.raises(ValueError, match="no fault 'battery_low'"):
        model.inject("battery_low")
    model.act("replace_battery")
    assert not any(key.startswith("sensor[") for key in model.values())
