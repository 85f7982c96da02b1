"""Meters: quantities that agree, energy that is the integral of power, and W05, W06, W07, W14, W15."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.models.power.daily import OFFICE
from simulators.models.power.power_meter import PHASES
from tests.simulators.conftest import Check, number
from tests.simulators.models.power_plant import NOON, Plant


def check_meter(values: dict[str, Value]) -> None:
    """Power, current, voltage and energy of one meter belong together."""
    for phase in PHASES:
        active, reactive = number(values, f"p.{phase}"), number(values, f"q.{phase}")
        volts, amps = number(values, f"u.{phase}n"), number(values, f"i.{phase}")
        apparent, factor = number(values, f"s.{phase}"), number(values, f"pf.{phase}")
        assert apparent == pytest.approx(math.hypot(active, reactive))
        if volts > 50:
            assert apparent == pytest.approx(volts * amps / 1000, rel=1e-6)
            assert active == pytest.approx(apparent * factor, rel=1e-6)
    for name in ("p", "q"):
        assert number(values, f"{name}.total") == pytest.approx(sum(number(values, f"{name}.{x}") for x in PHASES))
    assert number(values, "s.total") == pytest.approx(math.hypot(number(values, "p.total"), number(values, "q.total")))
    assert number(values, "e.import") == pytest.approx(sum(number(values, f"e.import.{x}") for x in PHASES))


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["", "imbalance", "under_voltage", "low_power_factor", "phase_loss"]),
    st.floats(0, 86_400),
)  # fmt: skip
def test_quantities_agree_and_feeders_are_part_of_the_main_meter(seed: int, fault: str, epoch: float) -> None:
    plant = Plant(seed, epoch)
    if fault:
        plant.main.inject(fault)
    for seconds in (1.0, 0.0, 5.0):
        main = plant.run(seconds) if seconds else plant.leap(40_000)
        lifts = plant.lifts.values()
        check_meter(main)
        check_meter(lifts)
        for phase in PHASES:
            assert number(lifts, f"p.{phase}") <= number(main, f"p.{phase}") + 1e-9
            assert number(lifts, f"e.import.{phase}") <= number(main, f"e.import.{phase}")
        assert number(lifts, "demand.p") <= number(main, "demand.p")


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.booleans(), st.floats(1, 90_000)), min_size=1, max_size=6))
def test_energy_is_the_integral_of_power_over_steps_and_leaps(seed: int, pieces: list[tuple[bool, float]]) -> None:
    plant = Plant(seed)
    plant.run(1)
    for leaps, seconds in pieces:
        before, begin, demand = (
            number(plant.values(), "e.import"),
            plant.main.hour,
            number(plant.values(), "demand.max"),
        )
        if leaps:
            loads = [(60.0, plant.main), (30.0, plant.lifts)]
            swung = sum(load * (1 + meter._wander.mean(seconds)) for load, meter in loads)
            worked = swung * OFFICE.mean(begin + seconds / 3600, seconds) * seconds / 3600
            plant.leap(seconds)
        else:
            worked = sum(number(plant.run(0.1), "p.total") * 0.1 / 3600 for _ in range(20))
        assert number(plant.values(), "e.import") - before == pytest.approx(worked, rel=0.02)
        assert number(plant.values(), "demand.max") >= demand


@pytest.mark.slow
def test_a_leap_adds_what_many_steps_add() -> None:
    stepped, leaped = Plant(3), Plant(3)
    stepped.run(1800, dt=0.5)
    leaped.leap(1800)
    for key in ("e.import", "eq.import"):
        before = number(Plant(3).values(), key)
        rise = number(stepped.values(), key) - before
        assert number(leaped.values(), key) - before == pytest.approx(rise, rel=0.05), "but for what swings"


def test_the_load_follows_the_hour() -> None:
    night, noon = Plant(epoch=3 * 3600), Plant(epoch=NOON)
    for plant in (night, noon):
        plant.run(2)
    ratio = number(night.main.values(), "p.total") / number(noon.main.values(), "p.total")
    assert ratio == pytest.approx(0.42, abs=0.05)
    night.leap(7 * 3600)
    assert number(night.main.values(), "p.total") == pytest.approx(90, rel=0.1)


@settings(max_examples=50)
@given(st.floats(0, 24), st.floats(0.001, 72))
def test_a_day_curve_is_integrated_exactly(hour: float, length: float) -> None:
    pieces = 200
    begin = hour - length
    middles = (OFFICE.at(begin + length * (piece + 0.5) / pieces) for piece in range(pieces))
    assert OFFICE.mean(hour, length * 3600) == pytest.approx(sum(middles) / pieces, abs=0.01)
    top = max(OFFICE.at(begin + length * piece / pieces) for piece in range(pieces + 1))
    assert top - 1e-9 <= OFFICE.top(hour, length * 3600) <= top + 0.05


def test_w05_currents_part_and_the_voltages_follow_over_an_hour() -> None:
    plant = Plant()
    values = plant.run(2)
    assert number(values, "unbalance.u") == pytest.approx(0.8, abs=0.3)
    neutral = number(values, "i.n")
    plant.main.inject("imbalance")
    plant.leap(1800)
    assert number(plant.run(1), "unbalance.u") == pytest.approx(1.7, abs=0.3)
    plant.leap(1800)
    values = plant.run(1)
    assert number(values, "unbalance.u") == pytest.approx(2.6, abs=0.3)
    one, two, three = (number(values, f"i.{phase}") for phase in PHASES)
    assert one / two == pytest.approx(1.4, abs=0.05)
    assert three / two == pytest.approx(0.7, abs=0.05)
    assert number(values, "i.n") > 5 * neutral
    check_meter(values)
    plant.main.end("imbalance")
    values = plant.run(1)
    assert number(values, "unbalance.u") < 1.2
    assert number(values, "unbalance.i") < 5


@pytest.mark.parametrize(("fault", "end", "limit"), [("over_voltage", 238, 235.4), ("under_voltage", 196, 198)])
def test_w06_voltage_leaves_the_band(fault: str, end: float, limit: float) -> None:
    plant = Plant()
    assert number(plant.run(1), "u.ln_avg") == pytest.approx(220, abs=2)
    plant.main.inject(fault)
    plant.leap(300)
    assert number(plant.run(1), "u.ln_avg") == pytest.approx((220 + end) / 2, abs=2)
    plant.leap(300)
    values = plant.run(1)
    assert number(values, "u.ln_avg") == pytest.approx(end, abs=2)
    assert (number(values, "u.ln_avg") - limit) * (end - limit) > 0
    assert number(plant.lifts.values(), "u.ln_avg") == pytest.approx(end, abs=2), "what it feeds has it too"
    plant.main.end(fault)
    assert number(plant.run(1), "u.ln_avg") == pytest.approx(220, abs=2)


def test_w04_a_board_lacks_a_phase_while_the_mains_are_good() -> None:
    plant = Plant()
    plant.run(1)
    plant.lifts.inject("phase_loss")
    plant.run(1)
    values = plant.lifts.values()
    assert values["u.l2n"] == 55
    assert values["i.l2"] == 0
    assert number(values, "unbalance.u") > 30
    assert number(plant.main.values(), "u.l2n") > 200
    plant.lifts.end("phase_loss")
    plant.run(1)
    assert number(plant.lifts.values(), "u.l2n") > 200


def test_w07_car_chargers_distort_the_voltage() -> None:
    plant = Plant()
    assert number(plant.run(1), "thd.u") == pytest.approx(2.1, abs=0.2)
    plant.main.inject("harmonics")
    values = plant.run(300, dt=0.5)
    assert number(values, "thd.u") == pytest.approx(6.2, abs=0.2)
    assert number(values, "thd.u.l1") == number(values, "thd.u")
    plant.main.end("harmonics")
    assert number(plant.leap(600), "thd.u") == pytest.approx(2.1, abs=0.2)


def test_w14_a_capacitor_step_is_off() -> None:
    plant = Plant()
    assert number(plant.run(1), "pf") == pytest.approx(0.95, abs=0.005)
    plant.main.inject("low_power_factor")
    values = plant.run(10)
    assert number(values, "pf") == pytest.approx(0.78, abs=0.005)
    assert number(values, "phase_angle") == pytest.approx(38.7, abs=0.5)
    assert number(plant.lifts.values(), "pf") == pytest.approx(0.95, abs=0.005)
    plant.main.end("low_power_factor")
    assert number(plant.run(10), "pf") == pytest.approx(0.95, abs=0.005)


def test_w15_a_register_begins_again() -> None:
    plant = Plant()
    plant.run(1)
    plant.lifts.inject("meter_rollover")
    assert plant.lifts.values()["e.import"] == pytest.approx(999_999.9)
    before, fell = 999_999.9, 0
    for _ in range(120):
        plant.run(1, dt=0.5)
        now = number(plant.lifts.values(), "e.import")
        fell += now < before
        before = now
    assert fell == 1
    assert 0 < before < 1.5, "30 kW for two minutes are one kilowatt-hour"
    plant.lifts.end("meter_rollover")
    plant.run(1)
    assert number(plant.lifts.values(), "e.import") >= before


def test_w15_a_new_meter_begins_near_nothing() -> None:
    plant = Plant()
    plant.run(1)
    main = number(plant.main.values(), "e.import")
    plant.lifts.inject("meter_replaced")
    values = plant.lifts.values()
    assert values["e.import"] == pytest.approx(0.4)
    assert values["demand.max"] == values["demand.p"]
    plant.run(2)
    plant.lifts.end("meter_replaced")
    plant.run(2)
    assert number(plant.lifts.values(), "e.import") > 0.4
    assert number(plant.main.values(), "e.import") > main, "nobody touched the main meter"


@pytest.mark.slow
def test_a_quiet_day_with_leaps_stays_in_range(in_range: Check) -> None:
    plant = Plant()
    counters = ("e.import", "eq.import", "demand.max", "ups.energy", "gen.run_hours", "gen.starts", "tx.fan_hours")
    before = dict.fromkeys(counters, 0.0)
    random = Random(4)
    for _ in range(150):
        plant.leap(random.uniform(1, 1200))
        values = plant.run(20, dt=0.5)
        in_range("power", values)
        assert all(198 < number(values, f"u.l{phase}n") < 235.4 for phase in (1, 2, 3))
        assert 49.8 < number(values, "f") < 50.2
        assert number(values, "unbalance.u") < 2
        assert number(values, "pf") > 0.9
        assert number(values, "thd.u") < 5
        assert number(values, "residual_current") < 50
        assert 60 < number(values, "tx.temp_max") < 90
        assert (values["ats.position"], values["ups.mode"], values["gen.run"]) == (0, 0, False)
        assert (values["tx.alarm"], values["tx.fan"], values["breaker[1].position"]) == (False, False, 1)
        temps = [number(values, f"busbar.temp[{phase}]") for phase in (1, 2, 3)]
        assert max(temps) - min(temps) < 10
        for key in counters:
            assert number(values, key) >= before[key]
            before[key] = number(values, key)
