"""Faults of single points before the shipped rules: their alarm comes in its time, and quiet times raise none.

Each is played at points that the shipped checks look at; what they leave alone is played too, and must raise nothing.
"""

from __future__ import annotations

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import On
from rules.book.data.rules import PREFIX
from simulators.faultfile import repertoire
from tests.simulators.oracle import alone, play
from tests.simulators.quiet import quiet

FAULTS = repertoire().faults_of(On.POINT)
SEEN = [
    ("stuck", "WP-01", "sys.outlet_pressure"),
    ("stuck", "WP-01", "sys.volume"),
    ("stuck", "EL-02", "car.position"),
    ("stuck", "PM-01", "u.l1n"),
    ("stuck", "PM-01", "e.import"),
    ("flatline", "WP-01", "sys.flow"),
    ("flatline", "PM-01", "p.total"),
    ("chatter", "EL-02", "pit.water"),
    ("chatter", "SP-01", "sump.high_float"),
    ("counter_reset", "WP-01", "sys.volume"),
    ("counter_reset", "EL-02", "cnt.trips"),
    ("open_loop", "WP-01", "tank.level"),
    ("open_loop", "PM-01", "i.l1"),
    ("noise", "WP-01", "sys.inlet_pressure"),
    ("noise", "EN-01", "air.humidity"),
]
UNSEEN = [
    ("stuck", "WP-01", "tank.level"),
    ("stuck_contact", "EL-02", "pit.water"),
    ("spike", "WP-01", "tank.level"),
    ("spike", "PM-01", "u.l1n"),
    ("counter_rollover", "WP-01", "sys.volume"),
    ("counter_rollover", "EL-02", "cnt.trips"),
    ("chatter", "EL-02", "safety.light_curtain"),
]
"""Where nothing about the data is to be said."""


def test_every_fault_of_a_point_that_promises_an_alarm_is_played() -> None:
    assert {name for name, fault in FAULTS.items() if fault.expect} == {name for name, _, _ in SEEN}


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "asset", "point"), SEEN)
def test_its_alarm_comes_in_time_and_none_other_about_data(
    demo: tuple[Site, Catalog], fault: str, asset: str, point: str
) -> None:
    site, catalog = demo
    raised = play(alone(site, asset), catalog, asset, fault, point=point)
    (expected,) = FAULTS[fault].expect
    of_data = [item for item in raised if item.rule.startswith(PREFIX)]
    assert {(item.rule, item.severity) for item in of_data} == {(expected.rule, expected.severity)}
    assert expected.first <= of_data[0].seconds <= expected.last


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "asset", "point"), UNSEEN)
def test_nothing_is_said_about_data_where_nothing_can_be_known(
    demo: tuple[Site, Catalog], fault: str, asset: str, point: str
) -> None:
    site, catalog = demo
    raised = play(alone(site, asset), catalog, asset, fault, point=point)
    assert [item for item in raised if item.rule.startswith(PREFIX)] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_busy_building_told_by_exception_raises_nothing_about_data(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    raised = quiet(site, catalog, seed=3, hour=8.2, seconds=900)
    assert [item for item in raised if item.rule.startswith(PREFIX)] == []
