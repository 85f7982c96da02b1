"""Faults of lifts and doors before the shipped rules: what the repertoire promises is raised in time, and no more."""

from __future__ import annotations

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import Expected, Fault
from simulators.building import Building
from simulators.faultfile import repertoire
from simulators.models.model import Model
from simulators.models.passage.access_control import AccessController
from simulators.models.passage.elevator import Elevator
from tests.simulators.oracle import EPOCH, Raised, alone, play

ASSETS = {"elevator": "EL-02", "access_control": "AC-01"}
MODELS: dict[str, type[Model]] = {"elevator": Elevator, "access_control": AccessController}
FAULTS = [(asset, fault) for owner, asset in ASSETS.items() for fault in repertoire().faults_of(owner).values()]
SHORT = [(asset, fault) for asset, fault in FAULTS if fault.lasts <= 7200]
DAYS = 90_000.0
LONG = [(asset, fault, one) for asset, fault in FAULTS if fault.lasts > 7200 for one in fault.expect if not one.planned]


def came(expected: Expected, raised: list[Raised]) -> bool:
    return any(
        item.rule == expected.rule and item.severity == expected.severity
        and expected.first <= item.seconds <= expected.last
        for item in raised
    )  # fmt: skip


def label(item: str | Fault | Expected) -> str:
    return item if isinstance(item, str) else item.rule if isinstance(item, Expected) else item.name


@pytest.mark.parametrize("owner", ASSETS)
def test_the_repertoire_and_the_model_know_the_same(owner: str) -> None:
    assert set(repertoire().faults_of(owner)) == MODELS[owner].FAULTS
    assert set(repertoire().acts_of(owner)) == MODELS[owner].ACTS


@pytest.mark.slow
@pytest.mark.parametrize(("asset", "fault"), SHORT, ids=label)
def test_what_a_fault_of_minutes_raises(demo: tuple[Site, Catalog], asset: str, fault: Fault) -> None:
    site, catalog = demo
    raised = play(alone(site, asset), catalog, asset, fault.name)
    expected = [one for one in fault.expect if not one.planned]
    assert [one for one in expected if not came(one, raised)] == []
    assert {item.rule for item in raised} == {one.rule for one in expected}


@pytest.mark.slow
@pytest.mark.parametrize(("asset", "fault", "expected"), LONG, ids=label)
def test_what_a_fault_of_months_raises(
    demo: tuple[Site, Catalog], asset: str, fault: Fault, expected: Expected
) -> None:
    """Of weeks only the end of the window is looked at, where it is long."""
    site, catalog = demo
    part = (max(0.0, expected.first - 8_000, expected.last - 60_000), expected.last) if fault.lasts > DAYS else None
    assert came(expected, play(alone(site, asset), catalog, asset, fault.name, part=part))


@pytest.mark.slow
@pytest.mark.parametrize("hindered", [False, True])
def test_the_panel_lacks_the_feedback_of_a_lift_and_a_door_that_do_not_obey(
    demo: tuple[Site, Catalog], hindered: bool
) -> None:
    site, catalog = demo
    building = Building(site, catalog, seed=3, epoch=EPOCH, quantum=0.5)
    if hindered:
        building.inject("EL-03", "recall_fails")
        building.inject("AC-01", "fire_release_fails", door=2.0, input=0.0)
    building.inject("FA-01", "confirmed_fire")
    building.step(180)
    values = building.values()
    assert values["EL-01"]["fire.parked"] is True
    assert values["EL-03"]["fire.parked"] is not hindered
    assert values["FA-01"]["link.lift_recall_feedback"] is not hindered
    assert values["FA-01"]["link.door_release_feedback"] is not hindered
