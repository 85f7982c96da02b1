"""Mains, generating set and transfer switch: W01..W04, the exercises that people do, and how it all comes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from facility.readings import Value
from tests.simulators.conftest import Check, number
from tests.simulators.models.power_plant import Plant


def until(plant: Plant, seen: Callable[[dict[str, Value]], bool], within: float) -> float:
    """Seconds until `seen` holds."""
    for count in range(round(within / 0.1)):
        if seen(plant.values()):
            return count * 0.1
        plant.run(0.1)
    raise AssertionError(f"not within {within} s")


def lose(fault: str = "mains_loss") -> Plant:
    """A plant whose supply has just failed."""
    plant = Plant()
    plant.run(5)
    plant.cabinet.inject(fault)
    return plant


def test_w01_voltage_is_gone_in_a_tenth_of_a_second(in_range: Check) -> None:
    plant = Plant()
    assert number(plant.run(5), "u.l1n") == pytest.approx(220, abs=4)
    plant.cabinet.inject("mains_loss")
    values = plant.run(0.1)
    assert max(number(values, f"u.l{phase}n") for phase in (1, 2, 3)) < 5
    assert values["i.l1"] == pytest.approx(0, abs=0.1)
    assert values["p.total"] == 0
    assert values["f"] == 0
    assert values["ats.src1_ok"] is False
    assert values["ats.line1_status"] == 1
    assert values["ats.position"] == 0
    assert number(values, "ups.out_u") > 220
    in_range("power", values)


@pytest.mark.parametrize(
    ("seen", "low", "high"),
    [
        (lambda v: v["gen.run"], 1, 3),
        (lambda v: v["ats.src2_ok"], 8, 10),
        (lambda v: v["ats.position"] == 2, 10, 12),
        (lambda v: v["ups.mode"] == 1 and v["ups.on_battery_time"] == 0, 0, 0.5),
        (lambda v: v["ats.position"] == 2 and v["ups.mode"] == 0 and number(v, "u.l1n") > 200, 10, 12.5),
    ],
)
def test_w01_the_generator_takes_over_in_time(
    seen: Callable[[dict[str, Value]], bool], low: float, high: float
) -> None:
    plant = lose()
    plant.run(0.1)
    assert low <= until(plant, seen, within=20) + 0.1 <= high


def test_w01_ends_with_the_load_back_on_the_mains() -> None:
    plant = lose()
    values = plant.run(30)
    assert (values["ats.breaker1"], values["ats.breaker2"], values["ats.generator"]) == (1, 2, 1)
    assert 49.8 < number(values, "f") < 50.2
    assert number(values, "p.total") > 60
    assert values["gen.start_cmd"] is True
    assert number(values, "gen.rpm") == pytest.approx(1500, abs=5)
    assert number(values, "gen.oil_p") == pytest.approx(420, abs=5)
    plant.cabinet.end("mains_loss")
    values = plant.run(8)
    assert (values["ats.position"], values["ats.src1_ok"]) == (0, True)
    assert number(values, "u.l1n") > 200
    values = plant.run(15)
    assert (values["gen.run"], values["ats.src2_ok"], values["gen.oil_p"]) == (False, False, 0)


def test_a_leap_right_after_the_loss_leaves_the_load_on_the_generator() -> None:
    plant = lose()
    before = number(plant.values(), "gen.fuel")
    values = plant.leap(3600)
    assert values["ats.position"] == 2
    assert number(values, "u.l1n") > 200
    assert number(values, "gen.fuel") == pytest.approx(before - 6, abs=0.1), "6 % of the tank an hour"
    assert number(values, "gen.run_hours") == pytest.approx(313, abs=0.01)
    assert number(values, "gen.coolant_t") == pytest.approx(78, abs=1)
    values = plant.leap(24 * 3600)
    assert (values["gen.fuel"], values["gen.ready"]) == (0, False)
    assert plant.run(1)["gen.run"] is False
    assert plant.run(5)["u.l1n"] == 0
    plant.generator.act("refuel")
    assert plant.run(20)["gen.run"] is True
    assert number(plant.values(), "u.l1n") > 200


def test_w02_the_switch_fails_and_the_load_is_dead() -> None:
    plant = lose("ats_fail_to_transfer")
    values = plant.run(11)
    assert (values["ats.src2_ok"], values["ats.position"]) == (True, 3)
    values = plant.run(9)
    assert (values["ats.switching"], values["ats.position"], values["ats.fail_to_transfer"]) == (4, 4, True)
    assert (values["ats.alarm.close2_fail"], values["ats.alarm"], values["ats.last_alarm"]) == (True, 0x10, 2)
    assert number(values, "u.l1n") < 5
    assert values["ats.src2_ok"] is True
    assert values["ups.mode"] == 1
    plant.cabinet.end("ats_fail_to_transfer")
    values = plant.run(5)
    assert values["ats.position"] == 0
    assert number(values, "u.l1n") > 200
    assert plant.run(15)["gen.run"] is False


@pytest.mark.slow
def test_w03_three_attempts_of_ten_seconds_and_a_battery_that_dips() -> None:
    plant = lose("generator_fail")
    dips: list[float] = []
    low = False
    began = number(plant.values(), "gen.battery_v")
    for tenth in range(600):
        volts = number(plant.run(0.1), "gen.battery_v")
        if volts < 20 and not low:
            dips.append(tenth / 10)
        low = volts < 20
        assert plant.values()["gen.run"] is False
        assert volts >= 19 - 1e-9
    assert began == pytest.approx(26, abs=0.1)
    assert [round(b - a) for a, b in pairwise(dips)] == [20, 20]
    assert 1 < dips[0] < 4
    values = plant.values()
    assert (values["gen.fault"], values["gen.ready"], values["ats.generator"]) == (True, False, 3)
    assert values["ats.alarm.generator"] is True
    assert (values["ats.src2_ok"], values["ats.position"], values["gen.starts"]) == (False, 0, 58)
    plant.cabinet.end("generator_fail")
    values = plant.run(5)
    assert values["gen.fault"] is False
    assert number(values, "u.l1n") > 200
    assert number(values, "gen.battery_v") == pytest.approx(26, abs=0.1)


@pytest.mark.slow
def test_a_generator_says_that_it_failed_after_fifty_seconds() -> None:
    plant = lose()
    plant.run(20)
    plant.cabinet.end("mains_loss")
    plant.run(40)
    plant.generator.inject("generator_fail")
    plant.cabinet.inject("mains_loss")
    assert 49 < until(plant, lambda v: bool(v["gen.fault"]), within=60) < 53
    plant.generator.end("generator_fail")
    assert plant.run(15)["ats.position"] == 2, "repaired, it starts: the mains are still away"


def test_w04_the_mains_lack_a_phase() -> None:
    plant = lose("mains_phase_loss")
    values = plant.run(2)
    assert 20 < number(values, "u.l2n") < 90 < number(values, "u.l1n")
    assert number(values, "unbalance.u") > 30
    assert number(values, "i.l2") == pytest.approx(0, abs=0.5)
    assert (values["ats.line1_status"], values["ats.src1_ok"]) == (4, False)
    assert plant.run(12)["ats.position"] == 2, "a good switch leaves such mains"
    plant.cabinet.end("mains_phase_loss")
    values = plant.run(10)
    assert values["ats.line1_status"] == 0
    assert number(values, "unbalance.u") < 1.5


def test_the_switch_is_exercised_and_goes_back_to_automatic() -> None:
    plant = Plant()
    plant.cabinet.act("ats_test")
    values = plant.run(20)
    assert (values["ats.mode"], values["ats.position"], values["ats.src1_ok"]) == (2, 2, True)
    assert number(values, "u.l1n") > 200
    plant.cabinet.act("ats_auto")
    values = plant.run(5)
    assert (values["ats.mode"], values["ats.position"]) == (0, 0)
    assert plant.run(15)["gen.run"] is False


def test_the_generator_is_run_for_a_test_and_stops_by_itself() -> None:
    plant = Plant()
    plant.generator.act("generator_test", minutes=1)
    values = plant.run(20)
    assert (values["gen.run"], values["ats.position"]) == (True, 0)
    assert plant.run(55)["gen.run"] is False
    before = number(plant.values(), "gen.run_hours")
    plant.generator.act("generator_test")
    values = plant.leap(7200)
    assert values["gen.run"] is False
    assert number(values, "gen.run_hours") - before == pytest.approx(0.5, abs=0.01)


def test_a_running_generator_takes_over_sooner() -> None:
    plant = Plant()
    plant.generator.act("generator_test")
    plant.run(20)
    plant.cabinet.inject("mains_loss")
    assert until(plant, lambda v: v["ats.position"] == 2, within=20) < 5


def test_mains_that_come_back_during_the_transfer_are_kept() -> None:
    plant = lose()
    plant.run(9.5)
    assert plant.values()["ats.position"] == 3
    plant.cabinet.end("mains_loss")
    assert plant.run(1)["ats.position"] == 0


def test_a_cabinet_hands_faults_and_acts_to_the_part_that_knows_them() -> None:
    plant = Plant()
    assert {"mains_loss", "imbalance", "breaker_trip"} <= plant.cabinet.faults
    assert {"ats_test", "reset_breaker"} <= plant.cabinet.acts
    plant.cabinet.inject("imbalance")
    assert plant.cabinet.active == {"imbalance"}
    assert plant.main.active == {"imbalance"}
    with pytest.raises(ValueError, match="no fault 'entrapment'"):
        plant.cabinet.inject("entrapment")
    with pytest.raises(ValueError, match="no act 'swipe'"):
        plant.cabinet.act("swipe")
