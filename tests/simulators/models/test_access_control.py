"""Doors on ordinary days: contact, lock and state that agree, events that are counted, cards and buttons."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.models.passage.access_control import COUNTERS, AccessController, State
from tests.simulators.conftest import Check, number, run, until

FIRST_INDEX = 88_100


def controller(seed: int = 4, *, traffic: float = 20.0, hour: float = 10.0) -> AccessController:
    return AccessController(Random(seed), doors=4, traffic=traffic, epoch=hour * 3600)


def quiet() -> AccessController:
    return controller(traffic=1e6)


def check_relations(values: dict[str, Value], doors: int = 4) -> None:
    for number_ in range(1, doors + 1):
        key = f"door[{number_}]."
        state = values[key + "state"]
        assert values[key + "forced"] == (state == State.FORCED)
        assert values[key + "held"] == (state == State.HELD)
        assert values[key + "fire_release"] == (state == State.FIRE_RELEASED)
        if state in (State.OPEN_AUTHORISED, State.FORCED, State.HELD):
            assert values[key + "contact"] is True
        if state in (State.CLOSED_LOCKED, State.CLOSED_UNLOCKED):
            assert values[key + "contact"] is False
        if values[key + "contact"] is False:
            assert values[key + "open_seconds"] == 0
        if state in (State.CLOSED_LOCKED, State.FORCED):
            assert values[key + "lock"] == 0
        if state == State.FIRE_RELEASED:
            assert values[key + "lock"] == 1
    counted = sum(int(number(values, key)) for key in COUNTERS.values())
    assert counted == number(values, "ctl.event_index") - FIRST_INDEX, "every event is counted under its reason"
    opened = sum(number(values, f"door[{n}].open_count") - 1000 for n in range(1, doors + 1))
    forced = number(values, "event.forced")
    assert opened - forced <= number(values, "event.door_opened") <= opened


def grown(values: dict[str, Value], before: dict[str, Value]) -> dict[str, float]:
    keys = (*COUNTERS.values(), "ctl.event_index", "door[1].open_count", "door[4].open_count")
    return {key: number(values, key) - number(before, key) for key in keys}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000))
def test_whatever_happens_points_agree_and_counters_grow(seed: int) -> None:
    """Faults, acts, fires and leaps in any order."""
    random = Random(seed)
    model = controller(seed, hour=random.uniform(0, 24))
    faults, before = sorted(model.faults), model.values()
    for _ in range(14):
        deed = random.randrange(6)
        if deed == 0:
            model.inject(random.choice(faults), door=float(random.randrange(1, 5)))
        elif deed == 1:
            model.end(random.choice(faults))
        elif deed == 2:
            model.act(random.choice(sorted(model.acts)), door=float(random.randrange(9)))
        elif deed == 3:
            model.fire = not model.fire
        elif deed == 4:
            model.leap(random.uniform(1, 20_000))
        for _ in range(random.randrange(1, 40)):
            model.step(0.5)
        values = model.values()
        check_relations(values)
        assert min(grown(values, before).values()) >= 0
        before = values


@pytest.mark.slow
def test_a_quiet_hour(in_range: Check) -> None:
    model = controller(traffic=60.0, hour=8)
    for _ in range(1440):
        model.step(2.5)
        values = model.values()
        in_range("access_control", values)
        assert not any(values[f"door[{n}].forced"] or values[f"door[{n}].held"] for n in range(1, 5))
    check_relations(values)
    assert number(values, "event.granted") > 100
    opened, closed = number(values, "event.door_opened"), number(values, "event.door_closed")
    assert 0 <= opened - closed <= 4


# what goes by unwatched


def test_people_come_by_day_and_hardly_at_night() -> None:
    visits = {}
    for hour in (3, 8, 12, 15, 18, 22):
        model = controller(traffic=60.0, hour=hour)
        for _ in range(5):
            model.epoch = hour * 3600.0
            model.leap(3600)
        visits[hour] = number(model.values(), "event.door_opened")
    assert visits[3] * 20 < visits[8]
    assert visits[22] < visits[15] < min(visits[8], visits[12], visits[18]) / 1.5


@pytest.mark.slow
def test_a_leap_counts_what_a_watched_time_would_have() -> None:
    watched, leapt = controller(traffic=60.0, hour=7), controller(traffic=60.0, hour=7)
    before = watched.values()
    for _ in range(2 * 14_400):
        watched.step(0.5)
    leapt.leap(14_400)
    seen, told = grown(watched.values(), before), grown(leapt.values(), before)
    for key in ("event.granted", "event.push_button", "event.door_opened", "event.door_closed", "ctl.event_index"):
        assert told[key] == pytest.approx(seen[key], rel=0.15), key
    assert told["event.denied.no_rights"] + told["event.denied.time"] > 10


def test_a_leap_lets_whoever_passes_through_and_leaves_the_newest_event_in_the_log() -> None:
    model = controller()
    until(model, lambda values: any(values[f"door[{n}].contact"] for n in range(1, 5)), within=120)
    model.leap(3600)
    values = model.values()
    check_relations(values)
    assert not any(values[f"door[{n}].contact"] for n in range(1, 5))
    assert model.events[-1].index == values["ctl.event_index"]
    indices = [event.index for event in model.events]
    assert indices == sorted(set(indices))


# cards and buttons


def test_a_good_card_opens_one_door() -> None:
    model = quiet()
    model.act("swipe", door=2.0)
    values = model.values()
    assert values["event.granted"] == 1
    assert values["door[2].lock"] == 1
    assert values["door[2].last_reason"] == 1
    assert values["door[2].last_reader"] == 2
    assert values["door[1].lock"] == 0
    assert model.events[-1].card > 0
    until(model, lambda values: values["door[2].state"] == State.OPEN_AUTHORISED, within=5)
    until(model, lambda values: values["door[2].state"] == State.CLOSED_LOCKED, within=10)
    assert model.values()["event.door_closed"] == 1


def test_an_unknown_card_opens_nothing() -> None:
    model = quiet()
    model.act("swipe_unknown", door=3.0)
    values = run(model, 10)
    assert values["event.denied.unknown"] == 1
    assert values["event.door_opened"] == 0
    assert values["door[3].lock"] == 0
    assert model.events[-1].granted is False


def test_the_exit_button_opens_without_a_card() -> None:
    model = quiet()
    model.act("press_exit", door=4.0)
    values = model.values()
    assert values["door[4].rex"] is True
    assert values["event.push_button"] == 1
    assert model.events[-1].card == 0
    until(model, lambda values: values["door[4].contact"] is True, within=5)
    assert run(model, 10)["door[4].rex"] is False


def test_a_card_at_an_open_or_released_door_is_only_logged() -> None:
    model = quiet()
    model.inject("forced_open", door=1.0)
    run(model, 1)
    model.act("swipe", door=1.0)
    values = run(model, 1)
    assert values["event.granted"] == 1
    assert values["door[1].state"] == State.FORCED
    model.fire = True
    run(model, 1)
    model.act("press_exit", door=2.0)
    assert run(model, 20)["door[2].state"] == State.FIRE_RELEASED


def test_a_reset_on_site_shuts_what_was_forced_and_puts_the_covers_back() -> None:
    model = quiet()
    for fault in ("forced_open", "reader_tamper", "controller_tamper", "rex_stuck"):
        model.inject(fault, door=2.0)
    run(model, 5)
    model.act("reset")
    values = run(model, 1)
    assert values["door[2].contact"] is False
    assert values["reader[2].tamper"] is False
    assert values["ctl.tamper"] is False
    assert model.active == {"rex_stuck"}


def test_an_unknown_fault_or_act_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'nonsense'"):
        quiet().inject("nonsense")
    with pytest.raises(ValueError, match="no act 'kick'; known: press_exit, reset, swipe, swipe_unknown"):
        quiet().act("kick")
