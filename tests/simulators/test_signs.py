"""The oracle of the newer classes against the conditions that their planned rules will have."""

from __future__ import annotations

import pytest

from facility.hardware import Fault
from simulators.faultfile import repertoire
from tests.simulators.conftest import Check
from tests.simulators.signs import SIGNS, model_of, watch

CLASSES = ("hvac", "cctv", "drainage", "lighting", "environment")
FAULTS = [
    pytest.param(fault, id=f"{name} {key}")
    for name in CLASSES
    for key, fault in sorted(repertoire().faults_of(name).items())
]


def every(fault: Fault) -> float:
    """Seconds between looks: fine for what is over in hours, coarse for what takes days."""
    return 1.0 if fault.lasts <= 3600 else 30.0 if fault.lasts <= 93_600 else fault.lasts / 500


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_what_its_oracle_says_in_time_and_nothing_else(fault: Fault, in_range: Check) -> None:
    model = model_of(fault.asset_class)
    model.inject(fault.name)
    looks = every(fault)
    raised = watch(model, fault.lasts, every=looks)
    in_range(fault.asset_class, model.values())
    assert set(raised) == {one.rule for one in fault.expect}
    for one in fault.expect:
        assert one.planned
        # a sign is seen one look late at most, and its delay is over one look late at most
        assert one.first <= raised[one.rule] <= one.last + 2 * looks, one.rule


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_cleanly(fault: Fault) -> None:
    model = model_of(fault.asset_class)
    model.inject(fault.name)
    model.leap(fault.lasts)
    model.step(2.0)
    model.end(fault.name)
    # a warm building needs an hour, the mean of a day two days
    model.leap(172_800.0)
    assert not watch(model, 7200.0, every=60.0)


@pytest.mark.slow
@pytest.mark.parametrize("asset_class", CLASSES)
@pytest.mark.parametrize("seed", [1, 7])
def test_quiet_equipment_shows_nothing_for_three_days(asset_class: str, seed: int, in_range: Check) -> None:
    model = model_of(asset_class, seed)
    for _ in range(3):
        assert not watch(model, 86_400.0, every=300.0)
        in_range(asset_class, model.values())


def test_every_fault_of_the_class_is_played_by_its_model_and_none_besides() -> None:
    for asset_class in CLASSES:
        assert model_of(asset_class).faults == set(repertoire().faults_of(asset_class))
        assert model_of(asset_class).acts == set(repertoire().acts_of(asset_class))


def test_every_sign_belongs_to_an_expected_rule() -> None:
    expected = {one.rule for name in CLASSES for fault in repertoire().faults_of(name).values() for one in fault.expect}
    assert expected == set(SIGNS)
