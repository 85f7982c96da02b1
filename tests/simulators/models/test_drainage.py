"""The drainage pit: floats, pumps that take turns, exact leaps, and the signatures of P12."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.faultfile import repertoire
from simulators.models.water.drainage import Pit
from simulators.models.water.sump import BOTTOM, TOP
from tests.simulators.conftest import Check, number, run
from tests.simulators.models.test_outdoors import EPOCH

STOP, START, HIGH, _, OVERFLOW = Pit.LEVELS


def pit(seed: int = 1, pumps: int = 2) -> Pit:
    model = Pit(Random(seed), pumps=pumps, epoch=EPOCH)
    model.zone = 8 * 3600.0
    model.step(5.0)
    return model


def test_a_quiet_day_is_pumped_between_stop_and_start_by_turns(in_range: Check) -> None:
    model = pit()
    before = [pump.starts for pump in model.pumps]
    for _ in range(1440):
        model.leap(60.0)
        values = model.values()
        in_range("drainage", values)
        assert STOP - 0.02 <= number(values, "sump.level") <= START + 0.02
        assert values["sump.high_float"] is False
    starts = [pump.starts - first for pump, first in zip(model.pumps, before, strict=True)]
    assert sum(starts) >= 8
    assert abs(starts[0] - starts[1]) <= 1
    assert number(model.values(), "starts_last_hour") <= 2


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["", "pump_blocked", "pumps_fail", "float_stuck", "inflow_surge"]),
    st.lists(st.floats(0.5, 3000.0), min_size=1, max_size=12),
)
def test_a_leap_is_exact_however_it_is_portioned(fault: str, portions: list[float]) -> None:
    whole, parts = pit(), pit()
    for model in (whole, parts):
        if fault:
            model.inject(fault)
    whole.leap(sum(portions))
    for portion in portions:
        parts.leap(portion)
    assert parts.level == pytest.approx(whole.level, abs=1e-5)
    for one, other in zip(whole.pumps, parts.pumps, strict=True):
        assert (one.starts, one.running, one.tripped) == (other.starts, other.running, other.tripped)
        assert one.seconds == pytest.approx(other.seconds, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from(["pumps_fail", "inflow_surge", "pump_blocked"]))
def test_the_water_stays_in_the_pit_and_counters_never_fall(seed: int, pumps: int, fault: str) -> None:
    model = pit(seed, pumps)
    model.inject(fault, inflow=60.0)
    last = -1.0
    for _ in range(120):
        model.leap(60.0)
        assert BOTTOM <= model.level <= TOP
        total = sum(pump.seconds + pump.starts for pump in model.pumps)
        assert total >= last
        last = total


def test_a_blocked_pump_trips_after_a_minute_and_the_high_float_starts_the_other() -> None:
    """P12: +0.5 m in 10 min; run = 1, current 130 %, then thermal trip; high float; second pump on."""
    model = pit()
    model.inject("pump_blocked", pump=1.0)
    model.step(0.5)
    level = model.level
    model.leap(240.0)
    assert model.level - level == pytest.approx(0.2, abs=0.01), "0.5 m in ten minutes"
    while not model.pumps[0].running:
        model.step(1.0)
    assert model.level == pytest.approx(START, abs=0.01)
    values = run(model, 50)
    assert values["pump[1].current"] == pytest.approx(1.3 * 8.0, abs=0.2)
    values = run(model, 15)
    assert (values["pump[1].run"], values["pump[1].thermal"], values["pump[1].available"]) == (False, True, False)
    assert values["pump[2].run"] is False
    while not model.pumps[1].running:
        model.step(1.0)
    assert model.level == pytest.approx(HIGH, abs=0.01)
    assert model.values()["sump.high_float"] is True
    model.leap(60.0)
    assert model.values()["sump.high_float"] is True, "a float falls later than it rises"
    model.leap(240.0)
    assert model.values()["sump.high_float"] is False
    model.leap(4 * 3600.0)
    assert model.values()["sump.duty_pump"] == 2, "who can't be had misses his turn"
    assert model.values()["sump.high_float"] is False
    model.act("clear_pump")
    assert model.values()["pump[1].fault"] is False
    assert not model.active


def test_every_default_is_the_models_own() -> None:
    for name, fault in repertoire().faults_of("drainage").items():
        plain, told = pit(), pit()
        plain.inject(name)
        told.inject(name, **{key: param.default for key, param in fault.params.items()})
        for model in (plain, told):
            model.leap(2000.0)
        assert plain.values() == told.values(), name


def test_when_both_fail_the_water_reaches_the_overflow_float() -> None:
    model = pit()
    model.inject("pumps_fail")
    model.leap(2400.0)
    values = model.values()
    assert number(values, "sump.level") > OVERFLOW
    assert values["sump.overflow_float"] is values["sump.high_backup"] is values["sump.high_float"] is True
    assert values["pump[1].fault"] is values["pump[2].fault"] is True
    model.act("reset_thermal")
    model.leap(90.0)
    assert model.values()["pump[1].fault"] is True, "it trips again while it is blocked"
    model.end("pumps_fail")
    model.leap(3600.0)
    assert number(model.values(), "sump.level") < HIGH


def test_a_stuck_float_lets_the_pump_run_dry() -> None:
    model = pit()
    model.inject("float_stuck")
    model.leap(1200.0)
    values = model.values()
    assert values["sump.level"] == pytest.approx(BOTTOM, abs=0.02)
    running = f"pump[{model.duty + 1}]."
    assert values[running + "run"] is True
    assert values[running + "current"] == pytest.approx(0.6 * 8.0, abs=0.2)
    assert values[running + "cont_run_time"] == pytest.approx(1200, abs=1)
    model.act("reset_thermal")
    assert run(model, 1)[running + "run"] is True
    model.act("clean_float")
    values = run(model, 1)
    assert (values[running + "run"], values[running + "cont_run_time"]) == (False, 0)


def test_a_surge_takes_both_pumps_and_no_more() -> None:
    model = pit()
    model.inject("inflow_surge")
    top = 0.0
    for _ in range(60):
        model.leap(30.0)
        top = max(top, model.level)
    assert HIGH - 0.05 <= top < OVERFLOW - 0.3
