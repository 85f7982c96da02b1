"""The lift: points that agree, and the signature of each failure."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.catalog import Catalog
from facility.readings import Quality, Value
from gateway.report import PointReport
from simulators.models.elevator import Elevator
from tests.simulators.conftest import Check, number, run, until

COUNTERS = ("cnt.trips", "cnt.starts", "cnt.door_cycles", "cnt.run_hours", "cnt.rope_bends", "door.reopen_count")


def lift(seed: int = 3) -> Elevator:
    return Elevator(Random(seed), floors=14, lowest=-2)


def check_relations(values: dict[str, Value]) -> None:
    moving = number(values, "car.speed") != 0.0
    assert values["car.moving"] or not moving
    assert values["brake.state"] == (0 if values["car.moving"] else 1)
    assert values["car.direction"] == (0 if not moving else 1 if number(values, "car.speed") > 0 else 2)
    assert values["door.closed_limit"] == (values["door.car.state"] == 0)
    if values["door.car.state"] != 0:
        assert values["car.in_door_zone"], "a door opened outside the zone"
        assert not values["car.moving"], "the car moves with its door open"
    floor = number(values, "car.position") / 3300.0 + 1
    assert values["car.floor"] == pytest.approx(floor, abs=0.51)
    assert values["mode.inspection"] == (values["mode.service"] == 2)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_points_agree_with_each_other(seed: int, dt: float) -> None:
    model = lift(seed)
    before = {key: number(model.values(), key) for key in COUNTERS}
    for _ in range(400):
        model.step(dt)
        values = model.values()
        check_relations(values)
        for key in COUNTERS:
            assert number(values, key) >= before[key]
            before[key] = number(values, key)


@pytest.mark.slow
def test_a_quiet_hour_stays_in_range_and_carries_people(in_range: Check) -> None:
    model = lift()
    trips = number(model.values(), "cnt.trips")
    for _ in range(3600):
        model.step(1.0)
        values = model.values()
        in_range("elevator", values)
        assert values["safety.chain_closed"]
        assert not values["alarm.car_button"]
        assert values["fault.code"] == 0
    assert 60 < number(model.values(), "cnt.trips") - trips < 400


def test_a_lift_that_stands_is_told_to_stand(catalog: Catalog) -> None:
    """At rest the speed is exactly 0, and the last hundredth that led there is worth telling."""
    point = catalog.classes["elevator"].points["car.speed"]
    model, report, told, stops = lift(), PointReport(), 0.0, 0
    for step in range(2000):
        model.step(0.1)
        values = model.values()
        speed = number(values, "car.speed")
        register = round(speed, 2)
        if report.offer(point, register, Quality.GOOD, step * 100):
            told = register
        if not values["car.moving"]:
            assert speed == told == 0.0
            stops += 1
    assert stops > 100


def test_a_rising_car_counts_its_floors_and_draws_current() -> None:
    model = lift()
    until(model, lambda values: number(values, "car.speed") > 1.7, within=300)
    low = model.values()
    until(model, lambda values: values["car.motion"] == 3, within=60)
    high = model.values()
    assert number(high, "car.position") > number(low, "car.position")
    assert number(high, "drive.current") > 2


@pytest.mark.parametrize("seed", range(6))
def test_entrapment_stops_between_floors_and_ends_with_a_rescue(seed: int) -> None:
    model = lift(seed)
    run(model, 5.0 * seed)
    model.inject("entrapment", button_after=2.0)
    took = until(model, lambda values: values["alarm.car_button"] is True, within=30)
    assert took < 20
    values = model.values()
    assert not values["car.in_door_zone"]
    assert values["car.passenger_present"]
    assert values["safety.chain_closed"] is False
    assert values["fault.code"] in (1, 4)
    assert values["door.closed_limit"]
    assert not values["car.moving"]
    model.end("entrapment")
    until(model, lambda values: values["car.passenger_present"] is False, within=25)
    values = model.values()
    assert values["car.in_door_zone"]
    assert values["door.car.state"] == 2
    assert values["mode.service"] == 2
    until(model, lambda values: values["mode.service"] == 1, within=25)
    assert model.values()["safety.chain_closed"]


def test_the_rescue_comes_before_the_fire_recall() -> None:
    model = lift()
    model.inject("entrapment")
    run(model, 20)
    model.fire = True
    model.end("entrapment")
    assert run(model, 3)["mode.service"] == 2
    until(model, lambda values: values["fire.parked"] is True, within=90)


def test_door_cycling_reopens_without_a_trip() -> None:
    model = lift()
    model.inject("door_cycling")
    until(model, lambda values: values["door.car.state"] == 3, within=60)
    before = model.values()
    after = run(model, 60)
    assert 8 <= number(after, "door.reopen_count") - number(before, "door.reopen_count") <= 18
    assert after["cnt.trips"] == before["cnt.trips"]
    assert after["fault.code"] == 14


def test_a_door_that_fails_to_close() -> None:
    model = lift()
    model.inject("door_fails_to_close")
    until(model, lambda values: values["fault.code"] == 2, within=60)
    values = model.values()
    assert values["door.car.state"] == 3
    assert number(values, "door.motor_current") > 2
    assert values["door.nudging"]
    model.end("door_fails_to_close")
    until(model, lambda values: values["door.car.state"] == 0, within=10)


def test_overspeed_trips_the_governor_and_stops_in_half_a_second() -> None:
    model = lift()
    model.inject("overspeed")
    until(model, lambda values: values["safety.overspeed"] is True, within=60)
    values = model.values()
    assert abs(number(values, "car.speed")) > 1.75 * 1.1
    assert values["fault.code"] == 11
    assert values["safety.chain_closed"] is False
    assert run(model, 0.7)["car.speed"] == 0.0


def test_unintended_movement_with_an_open_door() -> None:
    model = lift()
    model.inject("unintended_movement")
    until(model, lambda values: values["safety.ucm"] is True, within=90)
    values = model.values()
    assert values["door.car.state"] == 2
    assert values["fault.code"] == 5


def test_motor_over_temperature_ends_at_a_floor() -> None:
    model = lift()
    model.inject("motor_over_temp", rate=120.0)
    until(model, lambda values: number(values, "drive.motor_temp") >= 125.0, within=90)
    until(model, lambda values: values["mode.service"] == 0, within=60)
    values = model.values()
    assert values["car.in_door_zone"]
    assert values["drive.fault_code"] == 9


def test_main_power_lost_brings_the_rescue_device() -> None:
    model = lift()
    model.inject("main_power_lost")
    until(model, lambda values: values["mode.service"] == 5 and values["door.car.state"] == 2, within=40)
    values = model.values()
    assert values["power.main_ok"] is False
    assert values["drive.current"] == pytest.approx(0, abs=0.6)
    model.end("main_power_lost")
    assert run(model, 1.0)["power.main_ok"] is True


def test_what_is_only_measured() -> None:
    model = lift()
    for fault in ("pit_water", "brake_wear", "levelling_drift", "intercom_untested"):
        model.inject(fault)
    values = run(model, 70)
    assert values["pit.water"] is True
    assert number(values, "brake.lining") < 20
    assert number(values, "brake.release_time") > 230
    assert number(values, "level.error") > 7
    assert number(values, "alarm.intercom_age") > 76
    assert values["alarm.intercom_ok"] is False
    for fault in model.active:
        model.end(fault)
    values = run(model, 1)
    assert values["pit.water"] is False
    assert number(values, "brake.lining") > 80


def test_overload_inspection_and_a_stuck_floor() -> None:
    model = lift()
    model.inject("overload_held")
    until(model, lambda values: values["car.overload"] is True, within=60)
    model.end("overload_held")
    run(model, 1)
    model.inject("inspection_left_on")
    until(model, lambda values: values["mode.inspection"] is True, within=60)
    model.end("inspection_left_on")
    run(model, 1)
    model.inject("stuck_floor")
    floor, trips = model.values()["car.floor"], number(model.values(), "cnt.trips")
    values = run(model, 120)
    assert values["car.floor"] == floor
    assert number(values, "cnt.trips") > trips


def test_fire_recall_parks_at_the_fire_floor_and_lets_go() -> None:
    model = lift()
    model.fire = True
    until(model, lambda values: values["fire.parked"] is True, within=90)
    values = model.values()
    assert values["car.floor"] == 1
    assert values["mode.service"] == 3
    assert model.home
    model.fire = False
    assert run(model, 5)["mode.service"] == 1


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'nonsense'"):
        lift().inject("nonsense")
    with pytest.raises(ValueError, match="known: brake_wear"):
        lift().end("nonsense")
