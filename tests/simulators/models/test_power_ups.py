"""The UPS: W10, W11, its part in W02, an overload, and what people do to its battery."""

from __future__ import annotations

import pytest

from facility.readings import Value
from simulators.models.power.ups import TEST_EVERY, YEAR
from tests.simulators.conftest import Check, number
from tests.simulators.models.power_plant import Plant


def low(**params: float) -> Plant:
    """A plant whose UPS has just lost its feeder."""
    plant = Plant()
    plant.run(1)
    plant.ups.inject("ups_low", **params)
    return plant


def test_w10_charge_and_runtime_fall_together(in_range: Check) -> None:
    plant = low()
    values = plant.run(1)
    assert (values["ups.mode"], values["ups.input_bad"], values["ups.charging"]) == (1, True, 2)
    assert number(values, "ups.charge") > 99
    assert number(values, "ups.runtime") == pytest.approx(1800, rel=0.09)
    assert (values["ups.shutdown_imminent"], values["ups.battery_status"]) == (False, 2)
    values = plant.leap(1679)
    assert number(values, "ups.charge") == pytest.approx(20, abs=2)
    assert number(values, "ups.runtime") == pytest.approx(120, abs=12)
    assert values["ups.shutdown_imminent"] is True
    assert values["ups.on_battery_time"] == 1680
    in_range("power", values)
    values = plant.leap(200)
    assert (values["ups.mode"], values["ups.out_u"], values["ups.charge"]) == (3, 0, 0)
    assert (values["ups.efficiency"], values["ups.battery_status"], values["ups.charging"]) == (None, 4, 3)
    assert number(values, "ups.on_battery_time") == pytest.approx(1800, abs=20)
    in_range("power", values)
    plant.ups.end("ups_low")
    assert plant.run(1)["ups.mode"] == 0
    assert number(plant.leap(3600), "ups.charge") == 100


def test_w10_in_half_a_minute() -> None:
    plant = low(seconds=30.0)
    assert number(plant.run(30), "ups.charge") == pytest.approx(20, abs=3)


@pytest.mark.slow
@pytest.mark.parametrize("leaps", [True, False])
def test_w02_the_gauge_falls_to_40_in_ten_minutes(leaps: bool) -> None:
    plant = Plant()
    plant.run(1)
    plant.cabinet.inject("ats_fail_to_transfer")
    values = plant.leap(600) if leaps else plant.run(600, dt=0.5)
    assert values["ups.mode"] == 1
    assert number(values, "ups.charge") == pytest.approx(40, abs=4)


def cells(values: dict[str, Value], what: str) -> list[float]:
    """The batteries one by one."""
    return [number(values, f"batt.cell[{n}].{what}") for n in range(1, 5)]


def test_w11_a_battery_ages_in_a_year_until_a_test_finds_it() -> None:
    plant = Plant()
    new = plant.run(1)
    assert number(new, "ups.runtime") / 60 == pytest.approx(30, rel=0.09)
    assert all(13.5 <= volts <= 13.8 for volts in cells(new, "v"))
    plant.ups.inject("battery_ageing")
    days = 0
    while not plant.ups.values()["ups.replace_battery"]:
        plant.ups.leap(86_400)
        days += 1
        assert days < 366
    assert 122 <= days <= 122 + TEST_EVERY / 86_400, "below 80 % after a third of the year, found by the next test"
    assert plant.values()["ups.battery_condition"] == 2
    plant.ups.leap(YEAR - days * 86_400)
    old = plant.values()
    assert number(old, "ups.runtime") / 60 == pytest.approx(12, rel=0.09)
    assert cells(old, "r") == pytest.approx([1.45 * r for r in cells(new, "r")])
    assert old["ups.test_status"] == 8
    plant.ups.end("battery_ageing")
    values = plant.run(1)
    assert values["ups.replace_battery"] is False
    assert number(values, "ups.runtime") / 60 == pytest.approx(30, rel=0.09)
    assert cells(values, "r") == cells(new, "r")


def test_an_aged_battery_lasts_as_long_as_it_says() -> None:
    plant = Plant()
    plant.ups.inject("battery_ageing", seconds=60.0)
    plant.ups.leap(60)
    plant.cabinet.inject("ats_fail_to_transfer")
    plant.run(1)
    says = number(plant.values(), "ups.runtime")
    assert says < 800
    assert plant.leap(says - 60)["ups.mode"] == 1
    assert plant.leap(120)["ups.mode"] == 3


def test_a_self_test_passes_a_good_battery_and_fails_a_worn_one() -> None:
    plant = Plant()
    plant.run(1)
    plant.ups.act("ups_self_test")
    assert plant.run(1)["ups.test_status"] == 2
    assert plant.run(10)["ups.test_status"] == 4
    plant.ups.inject("battery_ageing", seconds=60.0)
    plant.ups.leap(50)
    assert plant.values()["ups.replace_battery"] is False, "nobody has tested it"
    plant.ups.act("ups_self_test")
    values = plant.run(11)
    assert (values["ups.test_status"], values["ups.replace_battery"]) == (8, True)
    plant.ups.act("replace_battery")
    values = plant.run(1)
    assert (values["ups.replace_battery"], values["ups.test_status"]) == (False, 0)
    assert number(values, "ups.runtime") > 1500
    plant.ups.leap(60)
    assert number(plant.values(), "ups.runtime") < 900, "the new one ages too while the fault is on"


def test_a_test_is_refused_on_battery() -> None:
    plant = low()
    plant.run(1)
    plant.ups.act("ups_self_test")
    assert plant.run(1)["ups.test_status"] == 16


def test_u01_an_overload() -> None:
    plant = Plant()
    plant.ups.inject("ups_overload")
    values = plant.run(1)
    assert (values["ups.overload"], values["ups.error.overload"], values["ups.load"]) == (True, True, 108)
    plant.ups.end("ups_overload")
    values = plant.run(1)
    assert values["ups.overload"] is False
    assert number(values, "ups.load") < 60
