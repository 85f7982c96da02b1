"""The signature of each failure of a lift, in the figures of its time course, and that it goes away again."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from facility.readings import Value
from simulators.models.passage.elevator import Elevator
from tests.simulators.conftest import number, run, until

DAY = 86_400.0


def lift(seed: int = 3, *, hour: float = 8.0, speed: float = 1.75) -> Elevator:
    return Elevator(Random(seed), floors=14, lowest=-2, rated_speed=speed, epoch=hour * 3600)


def in_order(values: dict[str, Value]) -> bool:
    """Whether a lift shows nothing of any failure."""
    return (
        values["mode.service"] == 1 and values["fault.code"] in (0, 40) and values["safety.chain_closed"] is True
        and not any(values[key] for key in ("safety.overspeed", "safety.ucm", "alarm.car_button", "car.overload",
                                            "safety.light_curtain", "door.nudging", "pit.water", "power.ard_running"))
    )  # fmt: skip


@pytest.mark.parametrize("fault", sorted(Elevator.FAULTS))
def test_every_fault_ends_cleanly(fault: str) -> None:
    model = lift(5)
    params = {"rate": 400.0} if fault == "motor_over_temp" else {}
    model.inject(fault, **params)
    model.fire = fault.startswith("recall")
    run(model, 100, 0.5)
    model.end(fault)
    model.fire = False
    until(model, in_order, within=600, dt=0.5)
    trips = number(model.values(), "cnt.trips")
    run(model, 300, 0.5)
    assert number(model.values(), "cnt.trips") > trips, "it carries people again"
    assert in_order(model.values())


@pytest.mark.parametrize("speed", [1.0, 1.75, 2.5])
def test_entrapment(speed: float) -> None:
    """E01: chain open and code 1 while it runs, at rest in 1 to 2 s outside the zone, the button, the rescue."""
    model = lift(speed=speed)
    model.inject("entrapment")
    until(model, lambda values: values["safety.chain_closed"] is False, within=60)
    values = model.values()
    assert abs(number(values, "car.speed")) > 0.6 * speed
    assert values["fault.code"] == 1
    assert 1.0 <= until(model, lambda values: values["car.moving"] is False, within=5) <= 2.0
    values = model.values()
    assert values["car.in_door_zone"] is False
    assert values["door.closed_limit"]
    assert values["car.passenger_present"]
    assert until(model, lambda values: values["alarm.car_button"] is True, within=30) == pytest.approx(20, abs=0.5)
    pressed = [run(model, 1)["alarm.car_button"] for _ in range(75)]
    assert pressed.count(True) > 20
    assert sum(before != after for before, after in pairwise(pressed)) > 10, "it pulses"
    assert not any(pressed[72:]), "90 s after the stop they wait"
    position = number(model.values(), "car.position")
    model.end("entrapment")
    assert run(model, 0.2)["mode.service"] == 2
    until(model, lambda values: values["car.passenger_present"] is False, within=25)
    values = model.values()
    assert abs(number(values, "car.position") - position) > 200
    assert values["car.in_door_zone"]
    assert values["door.car.state"] == 2
    until(model, lambda values: values["mode.service"] == 1, within=25)
    assert model.values()["safety.chain_closed"]


@pytest.mark.parametrize("seed", range(6))
def test_entrapment_from_whatever_the_lift_does(seed: int) -> None:
    model = lift(seed)
    run(model, 5.0 * seed)
    model.inject("entrapment", button_after=2.0)
    assert until(model, lambda values: values["alarm.car_button"] is True, within=30) < 25
    assert not model.values()["car.in_door_zone"]


def test_the_rescue_comes_before_the_fire_recall() -> None:
    model = lift()
    model.inject("entrapment")
    run(model, 20)
    model.fire = True
    model.end("entrapment")
    assert run(model, 3)["mode.service"] == 2
    until(model, lambda values: values["fire.parked"] is True, within=90)


def test_door_cycling() -> None:
    """E02: 17 reopenings in two minutes, at rest and without a trip."""
    model = lift()
    model.inject("door_cycling")
    until(model, lambda values: values["door.car.state"] == 3, within=60)
    before = model.values()
    after = run(model, 120)
    assert 16 <= number(after, "door.reopen_count") - number(before, "door.reopen_count") <= 22
    assert after["cnt.trips"] == before["cnt.trips"]
    assert after["fault.code"] == 14
    assert number(after, "door.reopen_last_cycle") >= 16
    model.end("door_cycling")
    until(model, lambda values: values["door.car.state"] == 0, within=15)


def test_a_door_that_fails_to_close() -> None:
    """E03: closing for more than 10 s with twice the current, then parked with the door open."""
    model = lift()
    normal = 1.3
    model.inject("door_fails_to_close")
    until(model, lambda values: values["fault.code"] == 2, within=60)
    values = model.values()
    assert values["door.car.state"] == 3
    assert number(values, "door.motor_current") == pytest.approx(2 * normal)
    assert values["door.nudging"]
    assert until(model, lambda values: values["door.car.state"] == 2, within=60) == pytest.approx(52.5, abs=2)
    assert model.values()["mode.service"] == 0
    model.end("door_fails_to_close")
    until(model, lambda values: values["door.car.state"] == 0, within=10)


def test_a_door_that_fails_to_open() -> None:
    """E03 the other way: opening for more than 10 s with twice the current."""
    model = lift()
    model.inject("door_fails_to_open")
    until(model, lambda values: values["fault.code"] == 3, within=90)
    values = run(model, 60)
    assert values["door.car.state"] == 1
    assert number(values, "door.motor_current") == pytest.approx(2.6)
    assert values["car.passenger_present"] is False
    model.end("door_fails_to_open")
    until(model, lambda values: values["door.car.state"] == 0, within=10)


@pytest.mark.parametrize("speed", [1.0, 1.75, 2.5])
def test_overspeed(speed: float) -> None:
    """E04: up to 117 %, governor and chain, at rest in half a second with somebody inside; the crew resets it."""
    model = lift(speed=speed)
    model.inject("overspeed")
    until(model, lambda values: values["safety.overspeed"] is True, within=120)
    values = model.values()
    assert abs(number(values, "car.speed")) == pytest.approx(1.17 * speed, rel=0.001)
    assert values["fault.code"] == 11
    assert values["safety.chain_closed"] is False
    assert values["car.passenger_present"]
    assert until(model, lambda values: values["car.speed"] == 0.0, within=2) == pytest.approx(0.5, abs=0.11)
    values = run(model, 300, 0.5)
    assert values["safety.overspeed"] is True
    assert values["car.in_door_zone"] is False
    model.end("overspeed")
    assert run(model, 1)["mode.service"] == 2


def test_overspeed_in_a_shaft_of_two_floors() -> None:
    model = Elevator(Random(1), floors=2, lowest=1, rated_speed=2.5)
    model.inject("overspeed")
    until(model, lambda values: values["safety.overspeed"] is True, within=60)
    model.end("overspeed")
    until(model, lambda values: values["mode.service"] == 1, within=60)


def test_unintended_movement() -> None:
    """E05: the door is open, 5 mm/s to 150 mm inside the zone, then ucm and code 5 until the crew has come."""
    model = lift()
    model.inject("unintended_movement")
    until(model, lambda values: values["door.car.state"] == 2 and values["car.speed"] != 0.0, within=90)
    start = number(model.values(), "car.position")
    assert abs(number(run(model, 10), "car.position") - start) == pytest.approx(50, abs=1)
    assert until(model, lambda values: values["safety.ucm"] is True, within=30) == pytest.approx(20, abs=0.5)
    values = run(model, 60)
    assert abs(number(values, "car.position") - start) == pytest.approx(150, abs=2)
    assert values["car.in_door_zone"]
    assert values["door.car.state"] == 2
    assert values["fault.code"] == 5
    assert values["safety.ucm"] is True
    model.end("unintended_movement")
    until(model, lambda values: values["safety.ucm"] is False, within=1)


@pytest.mark.slow
def test_chain_chatter() -> None:
    """E06: 5 to 10 openings an hour of 50 to 200 ms, only while it stands."""
    model = lift(hour=3)
    model.inject("chain_chatter")
    openings, steps = 0, 0
    before = True
    for _ in range(36_000):
        model.step(0.1)
        closed = model.values()["safety.chain_closed"] is True
        openings += before and not closed
        steps += not closed
        assert closed or not before or not model.car.moving
        before = closed
    assert 5 <= openings <= 10
    assert openings <= steps <= 2 * openings


def test_brake_wear() -> None:
    """E07: 60 to 20 % in 90 days, releasing in 150 to 260 ms, in the end the torque test fails; then a new lining."""
    model = lift()
    values = model.values()
    assert number(values, "brake.lining") == 60
    assert number(values, "brake.release_time") == pytest.approx(150, abs=10)
    model.inject("brake_wear")
    for day, lining, release in ((0, 60, 150), (45, 40, 205), (90, 20, 260)):
        model.leap(day * DAY - model.seconds)
        values = model.values()
        assert number(values, "brake.lining") == pytest.approx(lining, abs=0.6)
        assert number(values, "brake.release_time") == pytest.approx(release, abs=12)
        assert number(values, "brake.lining_mm") == pytest.approx(0.08 * number(values, "brake.lining"))
        assert values["brake.torque_test"] == (2 if day == 90 else 1)
    model.end("brake_wear")
    values = model.values()
    assert values["brake.lining"] == 100
    assert values["brake.torque_test"] == 1
    assert number(values, "brake.release_time") == pytest.approx(150, abs=10)


def stops(model: Elevator, count: int) -> list[float]:
    """The levelling errors of so many stops."""
    found: list[float] = []
    while len(found) < count:
        trips = model.car.trips
        while model.car.trips == trips:
            model.step(0.5)
        error = number(model.values(), "level.error")
        assert model.car.away == pytest.approx(abs(error), abs=0.01), "the error is where the car stands"
        found.append(error)
    return found


@pytest.mark.slow
def test_levelling_drift() -> None:
    """E08: 2 to 14 mm on average in 14 days, by then 95 % of the stops are worse than 10 mm."""
    model = lift()
    model.inject("levelling_drift")
    for day, mean in ((0, 2), (7, 8), (14, 14)):
        model.leap(max(0.0, day * DAY - model.seconds))
        errors = stops(model, 60)
        assert sum(errors) / 60 == pytest.approx(mean, abs=0.8)
        assert (sorted(abs(error) for error in errors)[57] > 10) == (day > 0)
    assert sorted(errors)[3] > 10
    model.end("levelling_drift")
    assert max(stops(model, 30)) < 7


def test_overload_held() -> None:
    """E09: 112 % with the door open, and no departure for three minutes."""
    model = lift()
    model.inject("overload_held")
    until(model, lambda values: values["car.overload"] is True, within=60)
    trips = model.values()["cnt.trips"]
    for _ in range(180):
        values = run(model, 1, 0.5)
        assert values["car.load"] == 112
        assert values["door.car.state"] == 2
    assert values["cnt.trips"] == trips


@pytest.mark.slow
def test_motor_over_temperature() -> None:
    """E10: 1.5 K a minute from 70 to 125, the drive trips, the lift stops at the next floor; it runs again at 115."""
    model = lift()
    model.inject("motor_over_temp")
    until(model, lambda values: number(values, "drive.motor_temp") >= 70, within=1800, dt=0.5)
    assert until(model, lambda v: number(v, "drive.motor_temp") >= 125, within=3600, dt=0.5) == pytest.approx(
        2200, abs=2
    )
    until(model, lambda values: values["mode.service"] == 0, within=60)
    values = model.values()
    assert values["car.in_door_zone"]
    assert values["door.car.state"] == 2
    assert values["drive.fault_code"] == 9
    model.end("motor_over_temp")
    until(model, lambda values: values["mode.service"] == 1, within=1200, dt=0.5)
    assert number(model.values(), "drive.motor_temp") == pytest.approx(115, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_a_tripped_drive_stops_a_running_car_at_the_next_floor_on_its_way(seed: int) -> None:
    model = lift(seed)
    until(model, lambda values: values["car.motion"] == 2, within=300)
    position, sign = number(model.values(), "car.position"), 1 if model.car.speed > 0 else -1
    model.car.stop_ahead()
    until(model, lambda values: values["car.moving"] is False, within=10)
    assert 0 < (number(model.values(), "car.position") - position) * sign < 2 * 3300
    assert model.car.away < 1.0


def test_main_power_lost() -> None:
    """E11: at rest at once; 10 to 20 s later mode 5 and a run of 0.3 m/s to the nearest floor, whose door opens."""
    model = lift()
    until(model, lambda values: number(values, "car.speed") > 1.7, within=300)
    model.inject("main_power_lost")
    battery = number(model.values(), "power.ard_battery")
    assert model.values()["power.main_ok"] is False
    assert run(model, 3)["car.speed"] == 0.0
    assert 7 <= until(model, lambda values: values["mode.service"] == 5, within=20) <= 17
    speeds = []
    while model.values()["door.car.state"] != 2:
        model.step(0.1)
        speeds.append(abs(number(model.values(), "car.speed")))
    assert max(speeds) == pytest.approx(0.3, abs=0.01)
    values = run(model, 60)
    assert values["car.moving"] is False
    assert values["car.passenger_present"] is False
    assert values["drive.current"] == pytest.approx(0, abs=0.6)
    assert number(values, "power.ard_battery") < battery
    model.end("main_power_lost")
    assert run(model, 1.0)["power.main_ok"] is True


def test_inspection_left_on() -> None:
    """E12: mode 2 for six hours."""
    model = lift()
    model.inject("inspection_left_on")
    until(model, lambda values: values["mode.inspection"] is True, within=60)
    for _ in range(6):
        model.leap(3590)
        assert run(model, 10)["mode.service"] == 2


def test_an_emergency_call_that_is_not_tested() -> None:
    """E13: the test gets 0 to 80 hours old; three days are the limit."""
    model = lift()
    model.leap(5 * DAY)
    assert number(model.values(), "alarm.intercom_age") < 24
    model.inject("intercom_untested")
    for hours in (0, 40, 71, 76.5, 80):
        model.leap(hours * 3600 - (model.age("intercom_untested") or 0.0))
        values = model.values()
        assert number(values, "alarm.intercom_age") == pytest.approx(hours, abs=0.01)
        assert values["alarm.intercom_ok"] == (hours < 72)
    model.end("intercom_untested")
    assert model.values()["alarm.intercom_ok"] is True
    assert model.values()["alarm.intercom_age"] == 0


def test_pit_water() -> None:
    """E14: water, as long as the fault lasts."""
    model = lift()
    model.inject("pit_water")
    assert run(model, 5)["pit.water"] is True
    model.end("pit_water")
    assert model.values()["pit.water"] is False


@pytest.mark.slow
def test_stuck_floor() -> None:
    """E15: floor and position stand while it moves and counts trips."""
    model = lift()
    model.inject("stuck_floor")
    before, moved = model.values(), False
    for _ in range(3000):
        model.step(0.1)
        values = model.values()
        moved |= values["car.moving"] is True
        assert (values["car.floor"], values["car.position"]) == (before["car.floor"], before["car.position"])
    assert moved
    assert number(values, "cnt.trips") - number(before, "cnt.trips") >= 3
    model.end("stuck_floor")
    run(model, 120)
    assert model.values()["car.position"] != before["car.position"]


def test_a_fault_that_outlasts_another_comes_back() -> None:
    model = lift()
    model.inject("inspection_left_on")
    run(model, 30)
    model.inject("overload_held")
    until(model, lambda values: values["car.overload"] is True, within=60)
    model.end("overload_held")
    assert run(model, 2)["mode.service"] == 2
