"""The linkage: every effect with everything that can go wrong with it, alone and with the lifts and doors it moves."""

from __future__ import annotations

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.readings import Value
from simulators.building import Building
from simulators.models.fire.fire_linkage import HOOKS, OUTPUTS, START, Output
from simulators.models.fire.fire_panel import FirePanel
from tests.simulators.conftest import Check, number, run
from tests.simulators.models.test_fire_panel import check_relations, panel

NUMBERS = {output.name: place for place, output in enumerate(OUTPUTS, 1)}
LATE = 200.0


def burning(**hooks: dict[str, float]) -> FirePanel:
    """A panel one second after the fire was confirmed, with what is wrong with it."""
    model = panel()
    for hook, params in hooks.items():
        model.inject(hook, **{"first": 0.0, "second": 1.0, **params})
    model.inject("confirmed_fire", first=0.0, second=1.0)
    model.step(2.0)
    return model


def told(values: dict[str, Value], output: Output) -> dict[str, Value]:
    """What the panel shows of one effect: feedback contacts, then what proves it."""
    keys = [f"link.output[{NUMBERS[output.name]}].feedback", *output.contact]
    return {key: values[key] for key in keys}


def proofs(values: dict[str, Value], output: Output) -> list[bool]:
    """For each point that proves the effect, whether it does."""
    found = []
    for proof in output.proofs:
        units = range(proof.first, proof.first + output.units) if "{}" in proof.key else [0]
        found += [values[proof.key.format(unit)] == proof.done for unit in units]
    return found


def later(model: FirePanel, seconds: float) -> dict[str, Value]:
    model.leap(seconds)
    return model.values()


def others(values: dict[str, Value], output: Output) -> list[Value]:
    return [values[f"link.output[{place}].feedback"] for name, place in NUMBERS.items() if name != output.name]


each = pytest.mark.parametrize("output", [item for item in OUTPUTS if item.name != START], ids=lambda item: item.name)


def test_every_row_of_the_matrix_that_a_panel_can_show_has_an_output() -> None:
    rows = {output.row for output in OUTPUTS}
    assert rows == {f"L{row}" for row in range(1, 19)} - {"L5", "L11", "L15", "L17"}
    assert len(NUMBERS) == len(OUTPUTS) == 18
    assert OUTPUTS[0].units == len(OUTPUTS)
    assert set(HOOKS) == {f"linkage_{name}" for name in ("delay", "fail", "weak", "partial", "unexpected", "lost")}


@each
def test_good(output: Output, in_range: Check) -> None:
    model = burning()
    model.leap(LATE)
    values = model.values()
    in_range("fire_alarm", values)
    check_relations(values)
    assert set(told(values, output).values()) == {True}
    assert all(proofs(values, output))


@each
def test_delayed(output: Output) -> None:
    model = burning(linkage_delay={"effect": NUMBERS[output.name], "seconds": 150.0})
    model.leap(output.seconds + 145.0)
    values = model.values()
    check_relations(values)
    assert values[f"link.output[{NUMBERS[output.name]}].cmd"] is True
    assert set(told(values, output).values()) == {False}
    assert not any(proofs(values, output))
    assert all(others(values, output))
    model.leap(10.0)
    assert set(told(model.values(), output).values()) == {True}
    assert all(proofs(model.values(), output))


@each
def test_failed(output: Output) -> None:
    model = burning(linkage_fail={"effect": NUMBERS[output.name]})
    model.leap(3600.0)
    values = model.values()
    check_relations(values)
    assert values[f"link.output[{NUMBERS[output.name]}].cmd"] is True
    assert all(values[key] is True for key in output.command)
    assert set(told(values, output).values()) == {False}
    assert not any(proofs(values, output))
    assert all(others(values, output))
    assert number(values, "cnt.started") - number(values, "cnt.feedback") == 1


@each
def test_weak(output: Output) -> None:
    model = burning(linkage_weak={"effect": NUMBERS[output.name]})
    model.leap(LATE)
    values = model.values()
    check_relations(values)
    assert set(told(values, output).values()) == {True}
    assert not any(proofs(values, output))
    assert not any(model.tells(output.name, unit) for unit in range(output.units))
    assert all(others(values, output))


@each
def test_in_part(output: Output) -> None:
    model = burning(linkage_partial={"effect": NUMBERS[output.name], "count": output.units - 1})
    model.leap(LATE)
    values = model.values()
    check_relations(values)
    assert set(told(values, output).values()) == {False}
    assert sum(model.tells(output.name, unit) for unit in range(output.units)) == output.units - 1
    single = [proof for proof in output.proofs if "{}" in proof.key]
    assert sum(proofs(values, output)) == len(single) * (output.units - 1)
    assert all(others(values, output))


@each
def test_unexpected(output: Output) -> None:
    model = panel()
    model.step(1.0)
    model.inject("linkage_unexpected", effect=float(NUMBERS[output.name]))
    model.leap(output.seconds + 1.0)
    values = model.values()
    assert values["panel.fire"] is False
    assert values["panel.started"] is False
    assert not any(values[key] for key in (f"link.output[{NUMBERS[output.name]}].cmd", *output.command))
    assert set(told(values, output).values()) == {True}
    assert all(proofs(values, output))
    assert (values["cnt.started"], values["cnt.feedback"]) == (0, 1)
    assert not any(others(values, output))
    model.end("linkage_unexpected")
    values = run(model, 1)
    assert set(told(values, output).values()) == {False}
    assert not any(proofs(values, output))


@each
def test_lost(output: Output) -> None:
    model = burning(linkage_lost={"effect": NUMBERS[output.name]})
    model.leap(LATE)
    values = model.values()
    assert values[f"link.output[{NUMBERS[output.name]}].cmd"] is True
    assert set(told(values, output).values()) == {None}
    assert {values[proof.key.format(proof.first)] for proof in output.proofs} <= {None}
    assert all(others(values, output))
    assert number(values, "cnt.started") - number(values, "cnt.feedback") == 1
    model.end("linkage_lost")
    assert set(told(run(model, 1), output).values()) == {True}


def test_what_the_pumps_and_fans_do_is_seen_at_the_pressure() -> None:
    """The second proof: run contact and pressure, or run contact alone."""
    for effect, key, good in (
        (11, "hydrant.pressure", 0.8),
        (12, "sprinkler.pressure", 0.8),
        (7, "stair[2].pressure", 25),
    ):
        for hook, there in (("linkage_weak", False), ("linkage_fail", False), ("linkage_lost", True)):
            model = burning(**{hook: {"effect": effect}})
            assert (number(later(model, 60), key) > good) is there, (effect, hook)
    assert number(later(burning(), 60), "hydrant.pressure") > 0.8


def test_a_report_that_the_centre_does_not_confirm_is_a_fault_of_its_link() -> None:
    for hook, ok in (("linkage_fail", False), ("linkage_weak", False), ("linkage_lost", None)):
        values = later(burning(**{hook: {"effect": 18}}), 15)
        assert values["utd.link_ok"] is ok
        assert values["utd.centre_link_fault"] is (None if ok is None else not ok)
    assert later(burning(), 15)["utd.link_ok"] is True


# the start signal: what happens to it happens to all


def test_start_signal_delayed() -> None:
    model = burning(linkage_delay={"effect": 1, "seconds": 20.0})
    assert (later(model, 15)["panel.started"], model.values()["cnt.started"]) == (False, 0)
    model.leap(4.5)
    values = model.values()
    check_relations(values)
    assert values["cnt.started"] == 18
    assert values["hydrant_pump.run"] is False
    model.leap(60.0)
    assert model.values()["cnt.feedback"] == 18


def test_start_signal_failed_or_only_a_lamp() -> None:
    values = later(burning(linkage_fail={"effect": 1}), 60)
    assert (values["panel.started"], values["cnt.started"], values["cnt.feedback"]) == (False, 0, 0)
    values = later(burning(linkage_weak={"effect": 1}), 60)
    assert (values["panel.started"], values["cnt.started"], values["cnt.feedback"]) == (True, 1, 1)
    assert values["hydrant_pump.start_cmd"] is False


def test_start_signal_in_part() -> None:
    values = later(burning(linkage_partial={"effect": 1, "count": 12}), 60)
    check_relations(values)
    assert (values["panel.started"], values["cnt.started"], values["cnt.feedback"]) == (True, 12, 12)


def test_start_signal_unexpected() -> None:
    model = panel()
    model.inject("linkage_unexpected", effect=1.0)
    values = later(model, 60)
    assert values["panel.fire"] is False
    assert (values["panel.started"], values["hydrant_pump.run"], values["link.lift_recall_cmd"]) == (True, True, True)
    assert values["link.output[1].cmd"] is False
    model.end("linkage_unexpected")
    assert run(model, 1)["cnt.started"] == 0


def test_start_signal_lost() -> None:
    values = later(burning(linkage_lost={"effect": 1}), 60)
    assert values["panel.started"] is values["cnt.started"] is None
    assert values["cnt.feedback"] == 17


def test_the_same_fire_may_go_wrong_in_many_ways() -> None:
    """Hooks are combined as long as they differ; they are one fire, with two detectors."""
    model = burning(
        linkage_fail={"effect": 11}, linkage_delay={"effect": 9, "seconds": 100.0}, linkage_weak={"effect": 5}
    )
    values = later(model, 60)
    check_relations(values)
    assert values["cnt.alarm"] == 2
    assert [values[f"link.output[{n}].feedback"] for n in (11, 9, 5, 7)] == [False, False, True, True]
    model.end("linkage_fail")
    values = run(model, 1)
    assert values["panel.fire"] is True, "the others still burn"
    assert values["hydrant_pump.run"] is True


# the building: lifts and doors answer for themselves


@pytest.fixture
def tower(demo: tuple[Site, Catalog]) -> Building:
    site, catalog = demo
    return Building(site, catalog, seed=3, epoch=1_700_000_000.0, quantum=0.5)


def played(tower: Building, fault: str, seconds: float, **params: float) -> dict[str, dict[str, Value]]:
    tower.inject("FA-01", fault, **{"first": 0.0, "second": 1.0, **params})
    tower.step(seconds)
    return tower.values()


def parked(values: dict[str, dict[str, Value]]) -> list[Value]:
    return [values[f"EL-0{lift}"]["fire.parked"] for lift in (1, 2, 3, 4)]


def released(values: dict[str, dict[str, Value]]) -> list[Value]:
    return [values[controller]["door[1].fire_release"] for controller in ("AC-01", "AC-02")]


@pytest.mark.slow
def test_a_good_linkage_brings_every_lift_home_and_frees_every_door(tower: Building) -> None:
    values = played(tower, "confirmed_fire", 90.0)
    assert parked(values) == [True] * 4
    assert released(values) == [True] * 2
    assert values["FA-01"]["link.lift_recall_feedback"] is True
    assert values["FA-01"]["link.door_release_feedback"] is True
    tower.models["FA-01"].end("confirmed_fire")
    tower.step(60.0)
    assert released(tower.values()) == [False] * 2
    assert tower.values()["EL-01"]["fire.return_active"] is False


@pytest.mark.slow
def test_a_failed_linkage_leaves_lift_2_and_the_second_doors(tower: Building) -> None:
    values = played(tower, "linkage_failure", 95.0)
    assert parked(values) == [True, False, True, True]
    assert released(values) == [True, False]
    assert values["FA-01"]["link.lift_recall_feedback"] is False
    assert values["FA-01"]["link.door_release_feedback"] is False


@pytest.mark.slow
def test_a_contact_may_say_that_the_lifts_are_home_when_they_are_not(tower: Building) -> None:
    values = played(tower, "linkage_weak", 60.0, effect=5.0)
    assert parked(values) == [False] * 4
    assert values["FA-01"]["link.lift_recall_feedback"] is True


@pytest.mark.slow
def test_doors_may_be_freed_without_a_command(tower: Building) -> None:
    tower.inject("FA-01", "linkage_unexpected", effect=6.0)
    tower.step(10.0)
    values = tower.values()
    assert released(values) == [True] * 2
    assert values["FA-01"]["link.door_release_feedback"] is True
    assert values["FA-01"]["link.door_release_cmd"] is False
    assert values["FA-01"]["panel.fire"] is False
