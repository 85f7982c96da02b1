"""Supply, meters, transfer switch and UPS: one supply, points that agree, and the failures."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.models.ats import Ats
from simulators.models.cabinet import Cabinet
from simulators.models.power_meter import PHASES, Meter
from simulators.models.supply import Supply
from simulators.models.ups import Ups
from tests.simulators.conftest import Check, number


class Plant:
    """A main board that feeds one meter and a UPS."""

    def __init__(self, seed: int = 5) -> None:
        self.supply = Supply(Random(seed))
        self.lifts = Meter(Random(seed + 1), self.supply, load=30.0)
        self.main = Meter(Random(seed + 2), self.supply, load=60.0, feeders=[self.lifts])
        self.ats = Ats(self.supply)
        self.board = Cabinet([self.ats, self.main])
        self.ups = Ups(Random(seed + 3), self.supply)

    def run(self, seconds: float, dt: float = 0.1) -> dict[str, Value]:
        for _ in range(round(seconds / dt)):
            for model in (self.lifts, self.board, self.ups):
                model.step(dt)
            self.supply.step(dt)
        return {**self.board.values(), **self.ups.values()}


def check_meter(values: dict[str, Value]) -> None:
    for phase in PHASES:
        active, reactive = number(values, f"p.{phase}"), number(values, f"q.{phase}")
        volts, amps = number(values, f"u.{phase}n"), number(values, f"i.{phase}")
        assert number(values, f"s.{phase}") == pytest.approx(math.hypot(active, reactive))
        if volts > 50:
            assert active == pytest.approx(volts * amps * number(values, f"pf.{phase}") / 1000, rel=1e-6)
    for name in ("p", "q"):
        assert number(values, f"{name}.total") == pytest.approx(sum(number(values, f"{name}.{x}") for x in PHASES))
    assert number(values, "e.import") == pytest.approx(sum(number(values, f"e.import.{x}") for x in PHASES))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_power_is_voltage_times_current_times_power_factor(seed: int) -> None:
    plant = Plant(seed)
    for _ in range(20):
        check_meter(plant.run(1.0))
        check_meter(plant.lifts.values())


def test_the_main_meter_carries_what_it_feeds() -> None:
    plant = Plant()
    values = plant.run(30)
    assert number(values, "p.total") > number(plant.lifts.values(), "p.total") + 40


def test_energy_is_the_integral_of_power() -> None:
    plant = Plant()
    plant.run(1)
    before, worked = number(plant.main.values(), "e.import"), 0.0
    for _ in range(300):
        worked += number(plant.run(0.1), "p.total") * 0.1 / 3600
    assert number(plant.main.values(), "e.import") - before == pytest.approx(worked)


@pytest.mark.slow
def test_a_quiet_hour_stays_in_range(in_range: Check) -> None:
    plant = Plant()
    counters = ("e.import", "eq.import", "demand.max", "ups.energy", "gen.run_hours")
    before = dict.fromkeys(counters, 0.0)
    for _ in range(720):
        values = plant.run(5.0, dt=0.5)
        in_range("power", values)
        assert 198 < number(values, "u.l1n") < 235.4
        assert 49.8 < number(values, "f") < 50.2
        assert number(values, "unbalance.u") < 2
        assert number(values, "pf") > 0.9
        assert values["ats.position"] == 0
        assert values["ups.mode"] == 0
        assert values["gen.run"] is False
        for key in counters:
            assert number(values, key) >= before[key]
            before[key] = number(values, key)


def test_mains_loss_transfers_and_comes_back(in_range: Check) -> None:
    plant = Plant()
    plant.run(5)
    plant.board.inject("mains_loss")
    values = plant.run(1.0)
    assert number(values, "u.l1n") < 5
    assert values["i.l1"] == pytest.approx(0, abs=0.1)
    assert values["f"] == 0
    assert values["ats.src1_ok"] is False
    assert values["ats.line1_status"] == 1
    assert values["ats.position"] == 0
    assert values["ups.mode"] == 1
    assert values["ups.input_bad"] is True
    assert number(values, "ups.out_u") > 220
    in_range("power", values)
    values = plant.run(2.5)
    assert values["gen.run"] is True
    assert values["ats.generator"] == 1
    values = plant.run(7.0)
    assert values["ats.src2_ok"] is True
    values = plant.run(2.0)
    assert values["ats.position"] == 2
    assert values["ats.breaker2"] == 2
    assert values["ats.breaker1"] == 1
    assert number(values, "u.l1n") > 200
    assert values["ups.mode"] == 0
    assert number(values, "ups.charge") < 100
    plant.board.end("mains_loss")
    values = plant.run(8)
    assert values["ats.position"] == 0
    assert values["ats.src1_ok"] is True
    assert number(values, "u.l1n") > 200
    assert plant.run(15)["gen.run"] is False


def test_a_transfer_switch_that_fails() -> None:
    plant = Plant()
    plant.board.inject("ats_fail_to_transfer")
    values = plant.run(20)
    assert values["ats.switching"] == 4
    assert values["ats.fail_to_transfer"] is True
    assert values["ats.position"] == 4
    assert values["ats.alarm.close2_fail"] is True
    assert values["ats.alarm"] == 0x10
    assert number(values, "u.l1n") < 5
    assert values["ats.src2_ok"] is True
    assert values["ups.mode"] == 1
    plant.board.end("ats_fail_to_transfer")
    values = plant.run(5)
    assert values["ats.position"] == 0
    assert number(values, "u.l1n") > 200


def test_a_generator_that_does_not_start() -> None:
    plant = Plant()
    plant.board.inject("generator_fail")
    values = plant.run(20)
    assert values["gen.fault"] is True
    assert values["ats.generator"] == 3
    assert values["ats.src2_ok"] is False
    assert values["ats.alarm.generator"] is True
    assert values["ats.position"] == 0


def test_phase_loss() -> None:
    plant = Plant()
    plant.run(2)
    plant.board.inject("phase_loss")
    values = plant.run(2)
    assert 20 < number(values, "u.l2n") < 90 < number(values, "u.l1n")
    assert number(values, "unbalance.u") > 30
    assert number(values, "i.l2") == pytest.approx(0, abs=0.5)
    assert values["ats.line1_status"] == 4


@pytest.mark.parametrize(
    ("fault", "key", "low", "high"),
    [
        ("imbalance", "unbalance.i", 20, 60), ("imbalance", "unbalance.u", 1.5, 4),
        ("over_voltage", "u.l1n", 235.4, 250), ("under_voltage", "u.l1n", 185, 198),
        ("harmonics", "thd.u.l1", 5, 8), ("residual_current", "residual_current", 300, 500),
        ("low_power_factor", "pf", 0.7, 0.85), ("hot_joint", "busbar.temp[2]", 85, 100),
    ],
)  # fmt: skip
def test_what_a_meter_sees(fault: str, key: str, low: float, high: float) -> None:
    plant = Plant()
    plant.run(2)
    plant.lifts.inject(fault)
    plant.run(60, dt=0.5)
    assert low < number(plant.lifts.values(), key) < high
    plant.lifts.end(fault)
    plant.run(60, dt=0.5)
    assert not low < number(plant.lifts.values(), key) < high


def test_a_ups_that_runs_low_and_out(in_range: Check) -> None:
    plant = Plant()
    plant.ups.inject("ups_low", seconds=30.0)
    values = plant.run(29)
    assert values["ups.mode"] == 1
    assert 15 < number(values, "ups.charge") < 30
    assert number(values, "ups.runtime") < 300
    assert values["ups.charging"] == 2
    values = plant.run(4)
    assert values["ups.shutdown_imminent"] is True
    values = plant.run(20)
    assert values["ups.mode"] == 3
    assert values["ups.out_u"] == 0
    assert values["ups.efficiency"] is None
    in_range("power", values)
    plant.ups.end("ups_low")
    assert plant.run(1)["ups.mode"] == 0


def test_ups_battery_and_overload() -> None:
    plant = Plant()
    good = number(plant.run(1), "ups.runtime")
    plant.ups.inject("battery_ageing")
    plant.ups.inject("ups_overload")
    values = plant.run(1)
    assert values["ups.replace_battery"] is True
    assert number(values, "ups.runtime") < 0.5 * good
    assert values["ups.overload"] is True
    assert number(values, "ups.load") > 100


def test_a_cabinet_hands_a_fault_to_the_part_that_knows_it() -> None:
    plant = Plant()
    assert {"mains_loss", "imbalance"} <= plant.board.faults
    plant.board.inject("imbalance")
    assert plant.board.active == {"imbalance"}
    assert plant.main.active == {"imbalance"}
    with pytest.raises(ValueError, match="no fault 'entrapment'"):
        plant.board.inject("entrapment")
