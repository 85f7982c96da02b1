"""Transformer and switchboard: W08, W09, W12, W13, and what people do about them."""

from __future__ import annotations

import pytest

from tests.simulators.conftest import Check, number
from tests.simulators.models.power_plant import Plant

HOT = "transformer_over_temperature"


def heated(minutes: float) -> Plant:
    """A plant whose transformer has had no cooling for so long."""
    plant = Plant()
    plant.run(1)
    plant.transformer.inject(HOT)
    plant.leap(minutes * 60)
    return plant


@pytest.mark.parametrize(
    ("minutes", "temp", "fan", "alarm", "trip"),
    [
        (0, 80, False, False, False), (10, 92, False, False, False), (20, 104, True, False, False),
        (43.4, 132, True, True, False), (58, 149.6, True, True, False), (58.5, 150, True, True, True),
    ],
)  # fmt: skip
def test_w08_windings_rise_evenly_until_the_trip(
    minutes: float, temp: float, fan: bool, alarm: bool, trip: bool
) -> None:
    values = heated(minutes).values()
    assert number(values, "tx.temp_max") == pytest.approx(temp, abs=1)
    assert (values["tx.fan"], values["tx.alarm"], values["tx.trip"]) == (fan, alarm, trip)
    assert values["tx.fan_current"] == 0
    assert values["tx.no_air_flow"] is fan
    assert values["tx.fault"] is fan


def test_w08_steps_and_leaps_rise_alike() -> None:
    plant = Plant()
    plant.transformer.inject(HOT, rate=120.0)
    plant.run(20)
    assert number(plant.values(), "tx.temp_max") == pytest.approx(120, abs=1)
    values = plant.leap(3600)
    assert values["tx.trip"] is True
    assert number(values, "tx.temp_max") < 130, "tripped, it has been cooling for most of the hour"


def test_w08_the_trip_takes_the_mains_away_and_the_generator_comes() -> None:
    plant = heated(58.2)
    assert plant.values()["tx.trip"] is False
    values = plant.run(9)
    assert values["tx.trip"] is True
    assert (values["ats.src1_ok"], values["p.total"], values["f"]) == (False, 0, 0)
    assert number(values, "u.l1n") < 1
    plant.lifts.step(0.1)
    assert number(plant.lifts.values(), "u.l1n") < 1
    assert plant.run(12)["ats.position"] == 2
    plant.transformer.act("reset_transformer_trip")
    assert plant.run(1)["tx.trip"] is True, "still too hot to be reset"
    plant.leap(1200)
    assert plant.run(1)["tx.trip"] is True, "it stays until somebody resets it"
    plant.transformer.act("reset_transformer_trip")
    values = plant.run(1)
    assert (values["tx.trip"], values["ats.src1_ok"]) == (False, True)


def test_w08_ends_with_fans_that_cool() -> None:
    plant = heated(45)
    plant.transformer.end(HOT)
    values = plant.run(1)
    assert (values["tx.fan"], values["tx.no_air_flow"]) == (True, False)
    assert number(values, "tx.fan_current") > 1
    plant.leap(600)
    assert plant.values()["tx.alarm"] is False
    plant.leap(4 * 3600)
    values = plant.values()
    assert number(values, "tx.temp_max") == pytest.approx(80, abs=4)
    assert values["tx.fan"] is False
    ran = number(values, "tx.fan_hours") - number(Plant().values(), "tx.fan_hours")
    assert ran == pytest.approx((45 - 20 / 1.2 + 35) / 60, abs=0.2), "without flow, then until 90 degrees"
    tripped = heated(60)
    tripped.transformer.end(HOT)
    values = tripped.run(10)
    assert (values["tx.trip"], values["ats.position"]) == (False, 0)


def test_w09_a_breaker_trips_and_what_it_feeds_is_dead(in_range: Check) -> None:
    plant = Plant()
    values = plant.run(1)
    before = number(values, "p.total")
    assert number(values, "breaker[1].current") == pytest.approx(number(plant.lifts.values(), "i.l1"), rel=0.1)
    plant.cabinet.inject("breaker_trip", breaker=1.0, cause=1.0)
    values = plant.run(0.2)
    assert (values["breaker[1].position"], values["breaker[1].trip_cause"], values["breaker[1].current"]) == (2, 1, 0)
    lifts = plant.lifts.values()
    assert (lifts["u.l1n"], lifts["i.l1"], lifts["p.total"], lifts["f"]) == (0, 0, 0, 0)
    assert number(values, "u.l1n") > 200
    assert number(values, "p.total") == pytest.approx(before - 30, abs=4)
    assert values["breaker[2].position"] == 1
    assert values["ups.mode"] == 0
    in_range("power", values)
    counted = number(plant.lifts.values(), "e.import")
    plant.leap(3600)
    assert plant.lifts.values()["e.import"] == counted
    plant.cabinet.act("reset_breaker", breaker=1.0)
    plant.run(0.2)
    assert number(plant.lifts.values(), "p.total") > 20
    assert plant.values()["breaker[1].trip_cause"] == 0


def test_w09_breakers_of_a_ups_and_of_the_boards_own_consumers() -> None:
    plant = Plant()
    own = number(plant.run(1), "p.total") - number(plant.lifts.values(), "p.total")
    plant.board.inject("breaker_trip", breaker=2.0)
    values = plant.run(1)
    assert (values["breaker[2].trip_cause"], values["ups.mode"], values["ups.input_bad"]) == (2, 1, True)
    assert number(values, "p.total") - number(plant.lifts.values(), "p.total") == pytest.approx(own * 2 / 3, rel=0.1)
    plant.board.inject("breaker_trip", breaker=3.0)
    assert plant.run(1)["breaker[2].position"] == 2, "the first one is still open"
    plant.board.end("breaker_trip")
    values = plant.run(1)
    assert (values["breaker[2].position"], values["breaker[3].position"], values["ups.mode"]) == (1, 1, 0)
    assert number(values, "p.total") - number(plant.lifts.values(), "p.total") == pytest.approx(own, rel=0.1)


def test_a_breaker_that_is_not_there_is_said_so() -> None:
    plant = Plant()
    with pytest.raises(ValueError, match=r"no breaker 9; the board has 1 \.\. 4"):
        plant.cabinet.inject("breaker_trip", breaker=9.0)
    assert plant.board.active == frozenset()
    with pytest.raises(ValueError, match="no breaker 0"):
        plant.cabinet.act("reset_breaker", breaker=0.0)


def test_w12_a_joint_gets_hot() -> None:
    plant = Plant()
    values = plant.run(60, dt=0.5)
    assert [number(values, f"busbar.temp[{n}]") for n in (1, 2, 3)] == pytest.approx([50, 45, 50], abs=3)
    plant.board.inject("hot_joint")
    plant.leap(1800)
    plant.leap(1800)
    values = plant.run(30, dt=0.5)
    assert number(values, "busbar.temp[2]") == pytest.approx(92, abs=8)
    assert number(values, "busbar.temp[1]") == pytest.approx(50, abs=4)
    plant.leap(12 * 3600)
    night = number(plant.run(30, dt=0.5), "busbar.temp[2]")
    share = number(plant.values(), "i.l2") / (number(values, "i.l2"))
    assert night - 40 == pytest.approx((number(values, "busbar.temp[2]") - 40) * share**2, rel=0.4), "by the square"
    assert night < 75
    plant.board.end("hot_joint")
    assert number(plant.leap(7200), "busbar.temp[2]") < 47


@pytest.mark.slow
def test_w13_the_leakage_rises_in_steps() -> None:
    plant = Plant()
    seen = [number(plant.run(5), "residual_current")]
    plant.board.inject("residual_current")
    for _ in range(4):
        seen.append(number(plant.run(10, dt=0.5), "residual_current"))
        assert number(plant.run(100, dt=0.5), "residual_current") == pytest.approx(seen[-1], abs=2), "steps, no slope"
        plant.leap(190)
    assert seen == pytest.approx([40, 135, 230, 325, 420], abs=2)
    plant.board.end("residual_current")
    assert number(plant.run(10), "residual_current") == pytest.approx(40, abs=2)
