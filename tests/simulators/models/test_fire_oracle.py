"""What the repertoire says must be raised by a failure of the fire panel, before the shipped rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.readings import Quality, Sample
from rules.engine import Engine
from rules.rulebook import PACKS, assign, read_rules
from simulators.building import Building
from simulators.faultfile import repertoire
from simulators.models.fire.fire_panel import FirePanel
from tests.simulators.oracle import EPOCH, Raised, play, sample

PANEL = "FA-01"
FAULTS = repertoire().faults_of("fire_alarm")
DAY = 86_400.0
WITH_LIFTS = {name for name in FAULTS if name.startswith("linkage_") or name == "confirmed_fire"}
"""What is played with the lifts and doors that the linkage moves; the others with the panel alone."""


def around(site: Site, *, lifts: bool) -> Site:
    """The demonstration site, as far as a fire concerns it."""
    classes = {"fire_alarm", "elevator", "access_control"} if lifts else {"fire_alarm"}
    kept = {name: replace(asset, parents=()) for name, asset in site.assets.items() if asset.asset_class in classes}
    return replace(site, assets=kept, devices=tuple(device for device in site.devices if device.asset in kept))


def check(name: str, raised: list[Raised]) -> None:
    """Everything expected came in its time, and nothing else."""
    expected = [one for one in FAULTS[name].expect if not one.planned]
    for one in expected:
        at = [item.seconds for item in raised if (item.rule, item.severity) == (one.rule, one.severity)]
        assert at, f"{one.rule} did not come"
        assert one.first <= at[0] <= one.last, (one.rule, at)
    assert {item.rule for item in raised} == {one.rule for one in expected}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"dirty_detector", "link_lost"}))
def test_what_must_be_raised_is_raised(demo: tuple[Site, Catalog], name: str) -> None:
    site, catalog = demo
    fine = 0.5 if FAULTS[name].lasts > DAY else 30.0
    check(name, play(around(site, lifts=name in WITH_LIFTS), catalog, PANEL, name, fine=fine))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_dirty_detector_is_found(demo: tuple[Site, Catalog]) -> None:
    """Two months of dust: only the days are played in which it must be found."""
    site, catalog = demo
    expected = FAULTS["dirty_detector"].expect
    part = (min(one.first for one in expected) - 90_000.0, max(one.last for one in expected))
    raised = play(around(site, lifts=False), catalog, PANEL, "dirty_detector", part=part, fine=0.5)
    check("dirty_detector", raised)


@pytest.mark.slow
def test_a_silent_panel_is_missed(demo: tuple[Site, Catalog]) -> None:
    """A gateway that asks it and gets no answer says so of every point."""
    site, catalog = around(demo[0], lifts=False), demo[1]
    building = Building(site, catalog, epoch=EPOCH, quantum=0.5)
    panel = building.models[PANEL]
    assert isinstance(panel, FirePanel)
    points = frozenset(building.values()[PANEL])
    rules = assign(read_rules([PACKS], catalog, assets=site.assets), site.assets, {PANEL: points})
    engine = Engine(rules, site.assets, catalog)
    raised = []
    for second in range(-60, int(FAULTS["link_lost"].lasts)):
        if second == 0:
            building.inject(PANEL, "link_lost")
        building.step(1.0)
        at, values = EPOCH + second + 1, building.values()[PANEL]
        told = sample(PANEL, at, values)
        if panel.silent:
            told = Sample(PANEL, round(at * 1000), dict.fromkeys(values), dict.fromkeys(values, Quality.COMM))
        judged = [*engine.on_sample(told), *engine.on_tick(round(at * 1000))]
        raised += [
            Raised(item.at / 1000 - EPOCH, item.asset, item.rule.id, item.rule.severity)
            for item in judged
            if item.event == "raise"
        ]
    check("link_lost", raised)
