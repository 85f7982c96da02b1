"""The signature of each failure of doors and their controller, in the figures of its time course, and that it ends."""

from __future__ import annotations

from random import Random

import pytest

from facility.readings import Value
from simulators.models.passage.access_control import AccessController, State
from tests.simulators.conftest import number, run, until

DAY = 86_400.0


def controller(seed: int = 4, *, traffic: float = 1e6, hour: float = 10.0) -> AccessController:
    return AccessController(Random(seed), doors=4, traffic=traffic, epoch=hour * 3600)


def states(values: dict[str, Value]) -> list[Value]:
    return [values[f"door[{number_}].state"] for number_ in range(1, 5)]


@pytest.mark.parametrize("fault", sorted(AccessController.FAULTS))
def test_every_fault_ends_cleanly(fault: str) -> None:
    model = controller(traffic=30.0)
    model.inject(fault, door=2.0)
    run(model, 200, 0.5)
    model.leap(15_000)
    model.end(fault)
    run(model, 600, 0.5)
    until(model, lambda values: states(values) == [0, 0, 0, 0], within=600, dt=0.5)
    values = model.values()
    assert not any(values[f"door[{n}].rex"] or values[f"reader[{n}].tamper"] for n in range(1, 5))
    assert all(values[f"reader[{n}].online"] for n in range(1, 5))
    assert values["ctl.ac_ok"]
    assert values["ctl.batt_v"] == pytest.approx(13.6)
    assert values["ctl.clock_offset"] == 0
    assert values["ctl.fire_input"] is False
    assert values["ctl.tamper"] is False
    assert values["ctl.online"] is True
    assert not model.silent
    opened = number(values, "door[2].open_count")
    model.leap(3600)
    assert number(model.values(), "door[2].open_count") > opened


def test_forced_open() -> None:
    """A01: the contact opens with a locked lock and without a grant."""
    model = controller()
    model.inject("forced_open", door=2.0)
    values = run(model, 1)
    assert values["door[2].state"] == State.FORCED
    assert values["door[2].contact"] is True
    assert values["door[2].lock"] == 0
    assert values["door[2].last_reason"] == 38
    assert model.events[-1].reason == 38
    assert model.events[-1].card == 0
    assert values["event.granted"] == 0
    assert values["door[1].contact"] is False
    model.end("forced_open")
    values = run(model, 1)
    assert values["door[2].state"] == State.CLOSED_LOCKED
    assert values["door[2].last_reason"] == 24


def test_a_door_is_not_forced_within_three_seconds_of_a_grant() -> None:
    model = controller()
    model.act("swipe", door=1.0)
    granted = model.seconds
    model.inject("forced_open", door=1.0)
    took = until(model, lambda values: values["door[1].forced"] is True, within=15)
    assert model.seconds - granted >= 3
    assert took <= 12
    assert [event.reason for event in model.events] == [1, 23, 24, 38]


def test_held_open() -> None:
    """A02: a grant, open, and held after 30 s; it stays so for as long as the fault."""
    model = controller()
    model.inject("held_open", door=1.0)
    values = run(model, 3)
    assert values["door[1].state"] == State.OPEN_AUTHORISED
    assert values["event.granted"] == 1
    until(model, lambda values: values["door[1].held"] is True, within=40)
    assert model.age("held_open") == pytest.approx(30, abs=0.2)
    assert model.values()["door[1].last_reason"] == 37
    model.leap(1000)
    values = model.values()
    assert values["door[1].held"] is True
    assert number(values, "door[1].open_seconds") == pytest.approx(1030, abs=2)
    model.leap(10 * DAY)
    assert model.values()["door[1].open_seconds"] == 65_535
    model.end("held_open")
    assert run(model, 1)["door[1].contact"] is False


def test_nobody_queues_at_a_door_that_was_held_for_hours() -> None:
    model = controller(traffic=60.0)
    model.inject("held_open", door=1.0)
    model.leap(4 * 3600)
    model.end("held_open")
    opened = number(model.values(), "door[1].open_count")
    assert number(run(model, 300, 0.5), "door[1].open_count") - opened < 15


def test_held_for_less_than_its_time_and_let_go() -> None:
    model = controller()
    model.inject("held_open", door=1.0, after=8.0)
    run(model, 6)
    model.end("held_open")
    values = run(model, 0.5)
    assert values["door[1].state"] == State.CLOSED_LOCKED
    assert values["event.held"] == 0


def test_a_held_door_that_is_forced_closes_again() -> None:
    model = controller()
    model.inject("held_open")
    run(model, 40)
    model.inject("forced_open")
    assert run(model, 1)["door[1].state"] == State.FORCED
    model.end("forced_open")
    model.end("held_open")
    assert run(model, 1)["door[1].state"] == State.CLOSED_LOCKED


def test_a_torn_off_reader() -> None:
    """A03: tamper at once, offline two seconds later."""
    model = controller()
    model.inject("reader_tamper", door=3.0)
    values = run(model, 1)
    assert values["reader[3].tamper"] is True
    assert values["reader[3].online"] is True
    assert run(model, 1.5)["reader[3].online"] is False
    assert model.values()["reader[2].online"] is True
    model.end("reader_tamper")
    assert model.values()["reader[3].online"] is True


def test_an_opened_controller() -> None:
    model = controller()
    model.inject("controller_tamper")
    assert run(model, 1)["ctl.tamper"] is True


def test_a_controller_that_is_offline() -> None:
    """A04: it answers nobody, but its doors go on working."""
    model = controller(traffic=20.0)
    assert not model.silent
    model.inject("controller_offline")
    assert model.silent
    before = number(model.values(), "event.granted")
    assert number(run(model, 300, 0.5), "event.granted") > before
    model.end("controller_offline")
    assert not model.silent


def test_a_fire_releases_every_door() -> None:
    """A05: unlocked within 10 s, opened without a card, neither forced nor held; locked again afterwards."""
    model = controller(traffic=20.0)
    run(model, 60)
    model.fire = True
    until(model, lambda _: model.released, within=10)
    values = run(model, 1)
    assert all(values[f"door[{n}].lock"] == 1 and values[f"door[{n}].fire_release"] for n in range(1, 5))
    assert values["ctl.fire_input"] is True
    assert values["event.fire"] == 4
    after = run(model, 120)
    assert number(after, "event.door_opened") > number(values, "event.door_opened") + 4
    assert after["event.granted"] == values["event.granted"]
    assert after["event.forced"] == after["event.held"] == 0
    model.fire = False
    assert State.FIRE_RELEASED not in states(run(model, 0.5))
    until(model, lambda values: states(values) == [0, 0, 0, 0], within=60)


def test_the_fault_that_brings_the_fire_input_itself() -> None:
    model = controller()
    model.inject("fire_release", input=20.0)
    assert run(model, 1)["ctl.fire_input"] is True
    assert model.released
    assert run(model, 20)["ctl.fire_input"] is False
    assert not model.released


@pytest.mark.parametrize(("doors", "locked"), [(1.0, [3]), (2.0, [3, 4]), (8.0, [3, 4])])
def test_some_of_the_doors_are_not_released(doors: float, locked: list[int]) -> None:
    """A06: the fire is there, and k of n doors stay locked."""
    model = controller(traffic=5.0)
    model.inject("fire_release_fails", door=3.0, doors=doors, input=0.0)
    assert run(model, 10)["ctl.fire_input"] is False
    model.fire = True
    run(model, 10)
    for _ in range(20):
        values = run(model, 1)
        assert [n for n in range(1, 5) if values[f"door[{n}].state"] == State.CLOSED_LOCKED] == locked
    assert not model.released
    model.end("fire_release_fails")
    run(model, 1)
    assert model.released


def test_a_late_release() -> None:
    model = controller()
    model.inject("fire_release_late", delay=30.0, input=0.0)
    run(model, 100)
    model.fire = True
    assert states(run(model, 29)) == [0, 0, 0, 0]
    assert run(model, 2)["door[1].fire_release"] is True
    assert model.released


def test_a_release_that_is_not_restored() -> None:
    """A07: the fire input has gone after a minute, and half an hour later the doors are still released."""
    model = controller()
    model.inject("release_not_restored")
    run(model, 59)
    assert model.released
    assert model.values()["ctl.fire_input"] is True
    values = run(model, 2)
    assert values["ctl.fire_input"] is False
    model.leap(1800)
    assert model.released
    model.end("release_not_restored")
    assert states(run(model, 1)) == [0, 0, 0, 0]


def test_a_credential_attack() -> None:
    """A08: more than five denials at one reader in a minute, nothing opens."""
    model = controller()
    model.inject("credential_attack", door=2.0)
    values = run(model, 60)
    assert 5 <= number(values, "event.denied.no_rights") <= 20
    assert {event.door for event in model.events} == {2}
    assert len({event.card for event in model.events}) > 3
    assert values["event.door_opened"] == 0


def test_a_stuck_exit_button() -> None:
    """A09: pressed for more than a minute, and the door is as good as unlocked."""
    model = controller()
    model.inject("rex_stuck", door=1.0)
    for _ in range(70):
        values = run(model, 1, 0.5)
        assert values["door[1].rex"] is True
    assert values["door[1].state"] == State.CLOSED_UNLOCKED
    assert values["door[2].rex"] is False


def test_a_drifting_clock() -> None:
    """A10: 0 to 95 s in 30 days, as the device's own time shows."""
    model = controller()
    model.inject("clock_drift")
    for day, offset in ((0, 0), (15, 47.5), (30, 95)):
        model.leap(day * DAY - model.seconds)
        values = model.values()
        assert number(values, "ctl.clock_offset") == pytest.approx(offset, abs=0.1)
        assert number(values, "dev.epoch") - model.epoch == pytest.approx(offset, abs=1.1)


def test_a_lost_supply() -> None:
    """A11: the battery goes from 13.6 to 11.4 V; the controller complains at 11.5 V, and then the locks drop."""
    model = controller()
    assert number(model.values(), "ctl.batt_v") == 13.6
    model.inject("ac_fault")
    values = run(model, 1)
    assert values["ctl.ac_ok"] is False
    model.leap(7200)
    assert number(model.values(), "ctl.batt_v") == pytest.approx(12.5, abs=0.01)
    model.leap(6600)
    values = model.values()
    assert values["ctl.batt_ok"] is False
    assert states(values) == [0, 0, 0, 0]
    model.leap(700)
    values = model.values()
    assert number(values, "ctl.batt_v") == pytest.approx(11.4)
    assert states(values) == [State.CLOSED_UNLOCKED] * 4
    model.end("ac_fault")
    values = run(model, 1)
    assert values["ctl.ac_ok"] is True
    assert states(values) == [0, 0, 0, 0]


@pytest.mark.parametrize("watched", [True, False])
def test_a_stuck_contact(watched: bool) -> None:
    """A12: at least 30 grants in 24 h and not one opening, at this door only."""
    model = controller(traffic=60.0, hour=10 if watched else 0)
    run(model, 60)
    model.inject("contact_stuck", door=1.0)
    before = model.values()
    unlocked = 0
    if watched:
        for _ in range(3600):
            model.step(0.5)
            unlocked += model.values()["door[1].lock"] == 1
        assert unlocked > 30
    else:
        model.leap(DAY)
    values = model.values()
    assert number(values, "event.granted") - number(before, "event.granted") >= 30
    assert values["door[1].open_count"] == before["door[1].open_count"]
    assert values["door[1].contact"] is False
    assert number(values, "door[2].open_count") > number(before, "door[2].open_count")
    model.inject("forced_open", door=1.0)
    assert run(model, 30)["door[1].forced"] is False
