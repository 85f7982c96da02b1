"""What equipment does when the board that feeds it is dead, and when it lives again."""

from __future__ import annotations

from random import Random

import pytest

from simulators.models.passage.elevator import Elevator
from simulators.models.rooms.lighting import Lighting
from simulators.models.water.drainage import Pit
from simulators.models.water.fire_water_set import FireWater
from simulators.models.water.sewage import Sewage
from simulators.models.water.sump import Sump
from simulators.models.water.water_pump import PumpSet
from tests.simulators.conftest import number, run, until

MORNING = 28_800.0


def test_a_lift_stops_is_brought_to_a_floor_by_its_battery_and_goes_on_afterwards() -> None:
    lift = Elevator(Random(3), epoch=MORNING)
    until(lift, lambda values: number(values, "car.motion") == 2, within=600)
    lift.powered = False
    values = run(lift, 3)
    assert values["power.main_ok"] is False
    assert values["car.speed"] == 0.0
    until(lift, lambda values: values["power.ard_running"] is True, within=15)
    values = run(lift, 60)
    assert values["door.car.state"] == 2, "the door stands open at a floor"
    assert values["car.in_door_zone"] is True
    lift.powered = True
    until(lift, lambda values: number(values, "car.motion") == 2, within=900)
    assert lift.values()["power.main_ok"] is True


def test_a_short_break_calls_no_battery() -> None:
    lift = Elevator(Random(3), epoch=MORNING)
    until(lift, lambda values: number(values, "car.motion") == 2, within=600)
    lift.powered = False
    run(lift, 1)
    lift.powered = True
    for _ in range(300):
        assert run(lift, 0.1)["power.ard_running"] is False


def test_a_booster_set_loses_its_pressure_and_comes_back_by_itself() -> None:
    pumps = PumpSet(Random(3), epoch=MORNING)
    held = number(run(pumps, 60), "sys.outlet_pressure")
    pumps.powered = False
    values = run(pumps, 60)
    assert number(values, "sys.outlet_pressure") < 0.3 * held
    assert (values["sys.run"], values["mains_ok"], values["sys.alarm_code"]) == (False, False, 0)
    assert number(values, "sys.power") == 0.0
    pumps.leap(3600.0)
    assert number(pumps.values(), "sys.power") == 0.0, "nothing runs in an hour without power"
    pumps.powered = True
    assert abs(number(run(pumps, 90), "sys.outlet_pressure") - held) < 0.05 * held


@pytest.mark.parametrize("kind", [Sewage, Pit])
def test_a_sump_fills_while_its_pumps_stand_still(kind: type[Sewage | Pit]) -> None:
    sump: Sump = kind(Random(3), epoch=MORNING)
    until(sump, lambda values: values["pump[1].run"] is True, within=2 * 3600.0, dt=10.0)
    starts = sump.pumps[0].starts
    sump.powered = False
    assert run(sump, 0.1)["pump[1].run"] is False, "a pump that runs stops at once"
    sump.leap(4 * 3600.0)
    values = sump.values()
    assert values["mains_ok"] is False
    assert (values["pump[1].run"], values["pump[2].run"]) == (False, False)
    assert (values["pump[1].fault"], values["pump[1].cont_run_time"]) == (False, 0.0)
    assert values["sump.high_float"] is True
    sump.powered = True
    run(sump, 0.1)
    assert sump.pumps[0].starts == starts + 1
    sump.leap(3600.0)
    assert number(sump.values(), "sump.level") < sump.LEVELS.start + 0.1


def test_lights_and_fire_water_say_so() -> None:
    lights, water = Lighting(Random(1)), FireWater(Random(1))
    for model in (lights, water):
        model.powered = False
        model.step(1.0)
    assert lights.values()["emergency.mains_ok"] is False
    assert water.values()["fw.power_a_ok"] is False
