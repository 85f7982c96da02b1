"""The sewage sump: cycles that follow the inflow, a walk that is exact in leaps, and P12 in both forms."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.faultfile import repertoire
from simulators.models.water.sewage import Sewage
from tests.simulators.conftest import Check, number, run, until

HOUR = 3600.0
COUNTERS = ("pump[1].starts", "pump[1].run_hours", "pump[2].starts", "pump[2].run_hours")
FAULTS = repertoire().faults_of("water_pump")


def sump(seed: int = 3, *, hour: float = 11.0, pumps: int = 2, flow: float = 20.0, area: float = 4.0) -> Sewage:
    """A sump at an hour of the day."""
    return Sewage(Random(seed), pumps=pumps, flow=flow, area=area, epoch=hour * HOUR)


def check_pumps(model: Sewage) -> None:
    """A running pump has current, a stopped one has none; nothing runs that is tripped or switched off."""
    values = model.values()
    for number_, pump in enumerate(model.pumps, 1):
        key = f"pump[{number_}]."
        running = values[key + "run"]
        assert (number(values, key + "current") > 0.5) is running
        assert running or values[key + "cont_run_time"] == 0.0
        assert pump.ready or not pump.running
        assert values[key + "fault"] is values[key + "thermal"]


def test_an_ordinary_cycle() -> None:
    model = sump()
    until(model, lambda seen: seen["pump[1].run"] is True, within=HOUR, dt=1.0)
    assert model.level == pytest.approx(1.2, abs=0.001)
    assert run(model, 300, dt=1.0)["pump[1].cont_run_time"] == pytest.approx(300, abs=1.0)
    until(model, lambda seen: seen["pump[1].run"] is False, within=HOUR, dt=1.0)
    assert model.level == pytest.approx(0.5, abs=0.01)
    until(model, lambda seen: seen["pump[2].run"] is True, within=2 * HOUR, dt=1.0)
    assert model.values()["sump.duty_pump"] == 2, "the pumps take turns"


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(8.0, 60.0), st.floats(1.5, 12.0))
def test_a_quiet_day_with_leaps(in_range: Check, seed: int, pumps: int, flow: float, area: float) -> None:
    model = sump(seed, pumps=pumps, flow=flow, area=area)
    began = before = model.values()
    for _ in range(96):
        model.leap(890.0)
        run(model, 10.0, dt=0.5)
        values = model.values()
        in_range("water_pump", values)
        check_pumps(model)
        assert not any(values[key] for key in ("sump.high_float", "sump.high_backup", "sump.overflow_float"))
        assert number(values, "starts_last_hour") <= 15
        assert all(number(values, key) >= number(before, key) for key in COUNTERS if key in values)
        before = values
    starts = number(before, "pump[1].starts") - number(began, "pump[1].starts")
    assert starts >= 1


@settings(max_examples=12, deadline=None)
@given(st.floats(0.5, 1.7), st.sampled_from(sorted(Sewage.FAULTS)), st.lists(st.floats(1.0, 900.0), min_size=2))
def test_a_leap_is_as_exact_as_steps(level: float, fault: str, portions: list[float]) -> None:
    """It does not matter how time is portioned."""
    leapt, stepped = sump(), sump()
    for model in (leapt, stepped):
        model.level = level
        model.inject(fault)
    portions = portions[:7]
    leapt.leap(sum(portions))
    for portion in portions:
        stepped.leap(portion)
    assert leapt.level == pytest.approx(stepped.level, abs=1e-4)
    for key in COUNTERS:
        assert leapt.values()[key] == pytest.approx(number(stepped.values(), key), abs=1e-5), key


@pytest.mark.slow
def test_a_leapt_day_comes_to_a_stepped_day() -> None:
    leapt, stepped = sump(), sump()
    before = leapt.values()
    leapt.leap(24 * HOUR)
    for _ in range(24 * 360):
        stepped.leap(10.0)
    for key in COUNTERS:
        grown, steps = (number(model.values(), key) - number(before, key) for model in (leapt, stepped))
        assert grown == pytest.approx(steps, abs=1e-6), key


def course(model: Sewage, seconds: float, dt: float = 5.0) -> list[dict[str, Value]]:
    """The values every `dt` seconds."""
    return [run(model, dt, dt=dt) for _ in range(round(seconds / dt))]


def first(seen: list[dict[str, Value]], key: str, dt: float = 5.0) -> float:
    """Seconds until a discrete point came."""
    return next(index for index, values in enumerate(seen, 1) if values[key]) * dt


@pytest.mark.slow
def test_p12_a_blocked_pump_trips_and_the_other_empties_the_sump() -> None:
    model = sump()
    until(model, lambda seen: seen["pump[1].run"] is True, within=HOUR, dt=1.0)
    usual = number(model.values(), "pump[1].current")
    model.inject("sewage_blocked")
    level = model.level
    seen = course(model, 600)
    assert seen[20]["pump[1].run"] is True
    assert number(seen[20], "pump[1].current") / usual == pytest.approx(1.3, abs=0.06)
    assert first(seen, "pump[1].thermal") == pytest.approx(480, abs=10)
    assert model.level - level == pytest.approx(0.5, abs=0.01), "+0.5 m in 10 min"
    seen = course(model, 60)
    assert any(values["sump.high_float"] for values in seen)
    assert seen[-1]["pump[2].run"] is True
    assert model.level < 1.7
    assert not any(values["sump.overflow_float"] for values in course(model, 2400))
    model.end("sewage_blocked")
    values = run(model, 2 * HOUR, dt=10.0)
    assert (values["pump[1].fault"], values["sump.high_float"]) == (False, False)


def test_p12_both_pumps_fail_and_the_sump_runs_over() -> None:
    model = sump()
    until(model, lambda seen: seen["pump[1].run"] is True, within=HOUR, dt=1.0)
    model.inject("sewage_overflow")
    seen = course(model, 2000)
    assert first(seen, "sump.high_float") == pytest.approx(600, abs=15)
    assert first(seen, "sump.overflow_float") == pytest.approx(1200, abs=20)
    assert (seen[-1]["pump[1].fault"], seen[-1]["pump[2].fault"]) == (True, True)
    assert model.level == pytest.approx(2.3)
    model.end("sewage_overflow")
    values = run(model, 1500, dt=5.0)
    assert not any(values[key] for key in ("sump.overflow_float", "sump.high_float", "pump[1].fault", "pump[2].fault"))
    assert model.level < 1.2


def test_a_reset_pump_trips_again_while_it_is_blocked() -> None:
    model = sump()
    model.inject("sewage_overflow", trip_after=60.0)
    until(model, lambda seen: seen["pump[1].thermal"] is True, within=HOUR, dt=1.0)
    model.act("reset", pump=1.0)
    assert run(model, 2, dt=1.0)["pump[1].run"] is True
    took = until(model, lambda seen: seen["pump[1].thermal"] is True, within=100, dt=1.0)
    assert took == pytest.approx(58, abs=3)


def test_the_other_pump_works_while_one_is_switched_off() -> None:
    model = sump()
    model.act("pump_off", pump=1.0)
    until(model, lambda seen: seen["pump[2].run"] is True, within=HOUR, dt=1.0)
    assert model.values()["pump[1].mode"] == 4
    model.act("pump_off", pump=2.0)
    assert run(model, 5)["pump[2].run"] is False
    model.act("pump_auto", pump=0.0)
    assert run(model, 5)["pump[2].run"] is True


def test_a_certain_pump_can_be_blocked() -> None:
    model = sump()
    model.inject("sewage_blocked", pump=2.0)
    values = run(model, 600, dt=1.0)
    assert values["pump[1].run"] is True
    assert model.level < 1.2, "pump 1 is sound and at work"
    model.inject("sewage_blocked", pump=5.0)
    assert number(run(model, 1), "pump[1].current") > 1.2 * 4.0, "a set with fewer pumps counts round"


@pytest.mark.slow
def test_every_default_is_the_models_own() -> None:
    for name in sorted(Sewage.FAULTS):
        plain, told = sump(), sump()
        plain.inject(name)
        told.inject(name, **{key: param.default for key, param in FAULTS[name].params.items()})
        assert run(plain, 2000, dt=10.0) == run(told, 2000, dt=10.0), name
