"""The lift in service: points that agree at every hour, traffic that follows it, the fire recall, buttons and keys."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.catalog import Catalog
from facility.readings import Quality, Value
from gateway.report import PointReport
from simulators.models.passage.elevator import Elevator
from tests.simulators.conftest import Check, number, run, until

COUNTERS = ("cnt.trips", "cnt.starts", "cnt.door_cycles", "cnt.run_hours", "cnt.rope_bends", "door.reopen_count")
GROUND = 3
"""The ground floor of a lift with two basements."""


def lift(seed: int = 3, hour: float = 8.0) -> Elevator:
    return Elevator(Random(seed), floors=14, lowest=-2, epoch=hour * 3600)


def check_relations(values: dict[str, Value]) -> None:
    moving = number(values, "car.speed") != 0.0
    assert values["car.moving"] == (values["car.motion"] != 0)
    assert values["car.moving"] or not moving
    assert values["brake.state"] == (0 if values["car.moving"] else 1)
    assert values["car.direction"] == (0 if not moving else 1 if number(values, "car.speed") > 0 else 2)
    assert values["door.closed_limit"] == values["door.landing_lock_chain"] == (values["door.car.state"] == 0)
    if values["door.car.state"] != 0:
        assert values["car.in_door_zone"], "a door opened outside the zone"
        assert not values["car.moving"], "the car moves with its door open"
    floor = number(values, "car.position") / 3300.0 + 1
    assert values["car.floor"] == pytest.approx(floor, abs=0.51)
    assert values["mode.inspection"] == (values["mode.service"] == 2)
    assert values["car.passenger_present"] == (number(values, "car.load") > 2)
    assert number(values, "cnt.starts") >= number(values, "cnt.trips")


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.25, 0.5]), st.floats(0, 24), st.floats(0, 100_000))
def test_points_agree_with_each_other(seed: int, dt: float, hour: float, leap: float) -> None:
    """At any hour, before and after a leap: doors are closed while it moves, and no counter falls."""
    model = lift(seed, hour)
    before = {key: number(model.values(), key) for key in COUNTERS}
    for step in range(400):
        if step == 200:
            model.leap(leap)
        else:
            model.step(dt)
        values = model.values()
        check_relations(values)
        for key in COUNTERS:
            assert number(values, key) >= before[key]
            before[key] = number(values, key)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000))
def test_whatever_happens_the_doors_are_closed_while_it_moves(seed: int) -> None:
    """Faults, acts, fires and leaps in any order; only a slipping brake moves the car with its door open."""
    model, random = lift(seed), Random(seed)
    faults = sorted(model.faults - {"unintended_movement", "stuck_floor"})
    before = {key: number(model.values(), key) for key in COUNTERS}
    for _ in range(12):
        deed = random.randrange(5)
        if deed == 0:
            model.inject(random.choice(faults))
        elif deed == 1:
            model.end(random.choice(faults))
        elif deed == 2:
            model.act(random.choice(sorted(model.acts)), floor=float(random.randrange(20)))
        elif deed == 3:
            model.fire = not model.fire
        else:
            model.leap(random.uniform(1, 10_000))
        for _ in range(random.randrange(1, 80)):
            model.step(0.25)
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
    assert 60 < number(model.values(), "cnt.trips") - trips < 200


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


# what goes by unwatched


def grown(model: Elevator, before: dict[str, Value]) -> dict[str, float]:
    values = model.values()
    return {key: number(values, key) - number(before, key) for key in COUNTERS}


def test_a_day_has_as_many_trips_as_lifts_make() -> None:
    model = lift(hour=0)
    before = model.values()
    model.leap(86_400)
    day = grown(model, before)
    assert 100 < day["cnt.trips"] < 2000
    assert 1.1 < day["cnt.door_cycles"] / day["cnt.trips"] < 2.0
    assert 1.0 < day["cnt.run_hours"] < 8.0
    check_relations(model.values())


@pytest.mark.slow
def test_a_leap_counts_what_a_watched_time_would_have() -> None:
    watched, leapt = lift(hour=6.5), lift(hour=6.5)
    before = watched.values()
    for _ in range(2 * 14_400):
        watched.step(0.5)
    leapt.leap(14_400)
    seen, told = grown(watched, before), grown(leapt, before)
    for key in ("cnt.trips", "cnt.starts", "cnt.door_cycles", "cnt.run_hours", "cnt.rope_bends"):
        assert told[key] == pytest.approx(seen[key], rel=0.25), key


def test_people_come_by_day_and_hardly_at_night() -> None:
    trips = {}
    for hour in (3, 8, 10, 12, 15, 18, 22):
        model = lift(hour=hour)
        before = number(model.values(), "cnt.trips")
        for _ in range(20):
            model.epoch = hour * 3600.0
            model.leap(3600)
        trips[hour] = number(model.values(), "cnt.trips") - before
    assert trips[3] * 20 < trips[8]
    assert trips[22] < trips[10]
    assert min(trips[8], trips[12], trips[18]) > 1.5 * max(trips[10], trips[15])


def test_nobody_travels_while_the_lift_is_held() -> None:
    model = lift()
    model.inject("inspection_left_on")
    run(model, 60)
    before = model.values()
    model.leap(7200)
    assert set(grown(model, before).values()) == {0}
    model.end("inspection_left_on")
    run(model, 10)
    model.leap(7200)
    assert grown(model, before)["cnt.trips"] > 50


# the fire recall


def test_fire_recall_parks_at_the_ground_floor_and_lets_go() -> None:
    model = lift()
    model.fire = True
    until(model, lambda values: values["mode.service"] == 3, within=1)
    until(model, lambda values: values["fire.parked"] is True, within=90)
    values = model.values()
    assert values["car.floor"] == GROUND
    assert values["car.floor_label"] == 1
    assert values["mode.service"] == 3
    assert values["door.car.state"] == 2
    assert model.home
    model.fire = False
    values = run(model, 8)
    assert values["mode.service"] == 1
    assert values["fire.return_active"] is False


@pytest.mark.parametrize(("lowest", "ground"), [(1, 1), (0, 1), (-1, 2), (-3, 4), (-40, 12)])
def test_where_the_ground_floor_is(lowest: int, ground: int) -> None:
    assert Elevator(Random(1), floors=12, lowest=lowest).ground == ground


def test_a_recall_that_fails_and_one_that_is_late() -> None:
    deaf, late = lift(), lift()
    deaf.inject("recall_fails")
    late.inject("recall_late", delay=50.0)
    deaf.fire = late.fire = True
    run(deaf, 150)
    assert not deaf.home
    assert deaf.values()["mode.service"] == 1
    assert run(late, 49)["mode.service"] == 1
    until(late, lambda values: values["mode.service"] == 3, within=45)
    until(late, lambda values: values["fire.parked"] is True, within=60)
    deaf.end("recall_fails")
    until(deaf, lambda values: values["fire.parked"] is True, within=90)


def test_a_fault_during_a_fire_and_the_recall_after_it() -> None:
    model = lift()
    model.fire = True
    run(model, 5)
    model.inject("door_cycling")
    run(model, 60)
    assert not model.home
    model.end("door_cycling")
    until(model, lambda values: values["fire.parked"] is True, within=90)


# buttons and keys


def test_the_alarm_button_is_pressed_for_as_long_as_one_says() -> None:
    model = lift()
    model.act("press_alarm", seconds=5.0)
    values = run(model, 4.5)
    assert values["alarm.car_button"] is True
    assert values["alarm.intercom_active"] is True
    assert run(model, 1)["alarm.car_button"] is False


def test_a_call_brings_the_car_and_opens_its_door() -> None:
    model = lift(hour=3)
    for floor, where in ((9.0, 9), (1.0, 1), (99.0, 14)):
        model.act("call", floor=floor)
        until(model, lambda v, where=where: v["car.floor"] == where and v["door.car.state"] == 2, within=60)
    until(model, lambda values: values["door.car.state"] == 0, within=10)


def test_the_key_to_inspection_and_back() -> None:
    model = lift()
    model.act("inspection_on")
    until(model, lambda values: values["mode.service"] == 2, within=60)
    assert model.values()["fault.code"] == 43
    model.fire = True
    assert run(model, 60)["mode.service"] == 2, "who stands on the car is not recalled"
    model.fire = False
    model.act("inspection_off")
    assert run(model, 1)["mode.service"] == 1


def test_a_reset_restarts_a_lift_in_service_only() -> None:
    model = lift(hour=3)
    run(model, 5)
    model.act("reset")
    assert run(model, 1)["mode.service"] == 0
    assert model.values()["fault.code"] == 42
    assert run(model, 5)["mode.service"] == 1
    model.inject("door_fails_to_close")
    until(model, lambda values: values["fault.code"] == 2, within=60)
    model.act("reset")
    assert run(model, 3)["fault.code"] == 2, "the cause is still there"


def test_an_unknown_fault_or_act_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'nonsense'"):
        lift().inject("nonsense")
    with pytest.raises(ValueError, match="known: brake_wear"):
        lift().end("nonsense")
    with pytest.raises(ValueError, match="no act 'jump'"):
        lift().act("jump")
