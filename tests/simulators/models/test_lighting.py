"""Lighting: schedule, daylight, energy, lamps, and the emergency battery's test."""

from __future__ import annotations

from random import Random

import pytest

from simulators.models.rooms.lighting import FAILED, NONE, PASS, TESTING, Lighting
from tests.simulators.conftest import Check, number, run
from tests.simulators.models.test_outdoors import EPOCH


def lights(hour: float = 13.0) -> Lighting:
    """Eight circuits at this hour of the day in Shanghai."""
    model = Lighting(Random(1), epoch=EPOCH + (hour - 11.0) * 3600)
    model.zone = 8 * 3600.0
    model.step(1.0)
    return model


@pytest.mark.parametrize(("hour", "halls", "garages", "outside"), [(13, True, True, False), (3, False, True, True)])
def test_circuits_follow_the_hour_and_the_daylight(
    hour: float, halls: bool, garages: bool, outside: bool, in_range: Check
) -> None:
    values = lights(hour).values()
    in_range("lighting", values)
    assert [values[f"circuit[{n}].on"] for n in (1, 2, 3)] == [halls, garages, outside]
    assert [values[f"circuit[{n}].command"] for n in (4, 5, 6)] == [halls, garages, outside]
    assert values["circuit[1].power"] == (1.2 if halls else 0)
    assert number(values, "circuit[2].current") == pytest.approx(1200 / 230 / 0.95, rel=0.02)
    assert (number(values, "lux.outdoor") < 100) is outside


def test_energy_is_the_integral_of_power_over_a_leap_too() -> None:
    model = lights()
    before = model.values()
    model.leap(86_400.0)
    after = model.values()
    for circuit, hours in ((1, 16.5), (2, 24.0)):
        key = f"circuit[{circuit}].energy"
        assert number(after, key) - number(before, key) == pytest.approx(1.2 * hours, rel=1e-6)
    parts = lights()
    for _ in range(1440):
        parts.leap(60.0)
    for circuit in range(1, 9):
        key = f"circuit[{circuit}].energy"
        assert parts.values()[key] == pytest.approx(number(after, key), rel=1e-9)


def test_lamps_fail_one_after_the_other_and_take_their_power_with_them() -> None:
    model = lights()
    model.inject("lamp_failures", circuit=2.0)
    model.leap(7.4 * 86_400)
    assert model.values()["circuit[2].lamp_faults"] == 2
    model.leap(0.2 * 86_400)
    values = model.values()
    assert (values["circuit[2].lamp_faults"], values["lamp_faults"]) == (3, 3)
    model.leap(30 * 86_400.0)
    values = model.values()
    assert values["circuit[2].lamp_faults"] == 12
    assert values["circuit[2].power"] == pytest.approx(18 * 0.04)
    model.act("replace_lamps")
    assert model.values()["circuit[2].power"] == pytest.approx(1.2)


@pytest.mark.parametrize("hour", [13.0, 3.0])
def test_a_stuck_contactor_does_the_opposite_of_its_command(hour: float) -> None:
    model = lights(hour)
    model.inject("circuit_not_following", circuit=1.0)
    values = run(model, 1)
    assert values["circuit[1].on"] is not values["circuit[1].command"]
    assert (number(values, "circuit[1].power") > 0) is values["circuit[1].on"]
    assert values["circuit[2].on"] is values["circuit[2].command"]
    model.act("replace_contactor")
    assert model.values()["circuit[1].on"] is model.values()["circuit[1].command"]


def test_a_sound_battery_passes_its_test_and_is_charged_again() -> None:
    model = lights()
    model.act("test_emergency")
    model.leap(900.0)
    values = model.values()
    assert (values["emergency.test"], values["emergency.on"]) == (TESTING, True)
    assert values["emergency.battery"] == pytest.approx(70, abs=0.1)
    model.leap(900.0)
    values = model.values()
    assert (values["emergency.test"], values["emergency.test_minutes"]) == (PASS, pytest.approx(30))
    assert values["emergency.battery"] == pytest.approx(40, abs=0.1)
    model.leap(6 * 3600.0)
    assert model.values()["emergency.battery"] == pytest.approx(90, abs=0.5)


def test_a_weak_battery_is_empty_after_twelve_minutes() -> None:
    model = lights()
    model.inject("emergency_test_failed")
    model.leap(715.0)
    assert model.values()["emergency.test"] == TESTING
    model.leap(6.0)
    values = model.values()
    assert (values["emergency.test"], values["emergency.on"]) == (FAILED, False)
    assert values["emergency.test_minutes"] == pytest.approx(12)
    assert number(values, "emergency.battery") < 6
    model.act("replace_battery")
    values = model.values()
    assert (values["emergency.test"], values["emergency.battery"]) == (NONE, 100)
    model.act("test_emergency")
    model.leap(1800.0)
    assert model.values()["emergency.test"] == PASS
