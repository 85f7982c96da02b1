"""Doors: contact, lock and state that agree, events, and the failures."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.models.access_control import AccessController, State
from tests.simulators.conftest import Check, number, run, until


def controller(seed: int = 4, **size: float) -> AccessController:
    return AccessController(Random(seed), doors=int(size.get("doors", 4)), traffic=size.get("traffic", 20.0))


def check_relations(values: dict[str, Value], doors: int = 4) -> None:
    for number_ in range(1, doors + 1):
        key = f"door[{number_}]."
        state = values[key + "state"]
        assert values[key + "forced"] == (state == State.FORCED)
        assert values[key + "held"] == (state == State.HELD)
        if state in (State.OPEN_AUTHORISED, State.FORCED, State.HELD):
            assert values[key + "contact"] is True
        if state in (State.CLOSED_LOCKED, State.CLOSED_UNLOCKED):
            assert values[key + "contact"] is False
        if values[key + "contact"] is False:
            assert values[key + "open_seconds"] == 0
        if state in (State.CLOSED_LOCKED, State.FORCED):
            assert values[key + "lock"] == 0


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_points_agree_and_counters_grow(seed: int) -> None:
    model = controller(seed)
    counters = ("ctl.event_index", "event.granted", "door[1].open_count", "event.door_opened", "event.push_button")
    before = {key: number(model.values(), key) for key in counters}
    for _ in range(400):
        model.step(0.5)
        values = model.values()
        check_relations(values)
        for key in counters:
            assert number(values, key) >= before[key]
            before[key] = number(values, key)


@pytest.mark.slow
def test_a_quiet_hour(in_range: Check) -> None:
    model = controller(traffic=60.0)
    for _ in range(1440):
        model.step(2.5)
        values = model.values()
        in_range("access_control", values)
        assert not any(values[f"door[{n}].forced"] or values[f"door[{n}].held"] for n in range(1, 5))
    assert number(values, "event.granted") > 20
    opened, closed = number(values, "event.door_opened"), number(values, "event.door_closed")
    assert 0 <= opened - closed <= 4


def test_forced_open_has_no_grant_and_a_locked_lock() -> None:
    model = controller(traffic=1e6)
    model.inject("forced_open", door=2.0)
    values = run(model, 1)
    check_relations(values)
    assert values["door[2].state"] == State.FORCED
    assert values["door[2].last_reason"] == 38
    assert model.events[-1].reason == 38
    assert model.events[-1].card == 0
    assert values["event.granted"] == 0
    assert values["door[1].contact"] is False
    model.end("forced_open")
    values = run(model, 1)
    assert values["door[2].state"] == State.CLOSED_LOCKED
    assert values["door[2].last_reason"] == 24


def test_held_open_begins_with_a_grant() -> None:
    model = controller(traffic=1e6)
    model.inject("held_open", door=1.0, after=8.0)
    values = run(model, 3)
    assert values["door[1].state"] == State.OPEN_AUTHORISED
    assert values["event.granted"] == 1
    values = run(model, 6)
    check_relations(values)
    assert values["door[1].held"] is True
    assert values["door[1].last_reason"] == 37
    assert number(values, "door[1].open_seconds") == pytest.approx(9, abs=1)
    model.end("held_open")
    assert run(model, 1)["door[1].contact"] is False


def test_a_held_door_that_is_forced_closes_again() -> None:
    model = controller(traffic=1e6)
    model.inject("held_open")
    run(model, 40)
    model.inject("forced_open")
    check_relations(run(model, 1))
    model.end("forced_open")
    model.end("held_open")
    values = run(model, 1)
    assert values["door[1].state"] == State.CLOSED_LOCKED


def test_a_torn_off_reader_goes_offline_after_its_alarm() -> None:
    model = controller()
    model.inject("reader_tamper", door=3.0)
    values = run(model, 1)
    assert values["reader[3].tamper"] is True
    assert values["reader[3].online"] is True
    assert run(model, 2)["reader[3].online"] is False
    model.end("reader_tamper")
    values = run(model, 0.5)
    assert values["reader[3].tamper"] is False
    assert values["reader[3].online"] is True


def test_fire_releases_every_door_and_locks_them_again() -> None:
    model = controller()
    model.fire = True
    values = run(model, 1)
    assert all(values[f"door[{n}].lock"] == 1 and values[f"door[{n}].fire_release"] for n in range(1, 5))
    assert values["ctl.fire_input"] is True
    assert model.released
    assert values["event.fire"] == 4
    model.fire = False
    until(model, lambda values: all(values[f"door[{n}].state"] == 0 for n in range(1, 5)), within=60)


def test_a_release_that_fails_at_one_door() -> None:
    model = controller(traffic=1e6)
    model.inject("fire_release")
    model.inject("fire_release_fails", door=4.0)
    values = run(model, 2)
    assert values["door[4].lock"] == 0
    assert values["door[3].lock"] == 1
    assert not model.released


def test_supply_clock_button_and_cards() -> None:
    model = controller(traffic=1e6)
    for fault in ("ac_fault", "clock_drift", "rex_stuck", "credential_attack", "controller_tamper"):
        model.inject(fault)
    epoch = model.epoch
    values = run(model, 30)
    assert values["ctl.ac_ok"] is False
    assert number(values, "ctl.batt_v") < 13.55
    assert number(values, "dev.epoch") - epoch == pytest.approx(125, abs=1)
    assert values["door[1].rex"] is True
    assert values["ctl.tamper"] is True
    assert number(values, "event.denied.no_rights") >= 6
    model.end("rex_stuck")
    assert run(model, 1)["door[1].rex"] is False
    assert run(model, 580, dt=0.5)["ctl.batt_ok"] is False
