"""Water before the shipped rules: what the repertoire expects comes, when it says, and a quiet day raises nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facility.catalog import Catalog
from facility.config import Site, load_site
from rules.engine import Engine
from simulators.building import Building
from simulators.faultfile import repertoire
from simulators.models.water.fire_water_set import FireWater
from simulators.models.water.sewage import Sewage
from simulators.models.water.water_pump import PumpSet
from tests.simulators.oracle import EPOCH, Raised, alone, judging, play, sample

SITE = """\
site: works
labels: {zh: 水厂, en: Works}
time_zone: Asia/Shanghai
gateways: [gw-1]
"""
ASSETS = """\
assets:
  - {id: WP-01, class: water_pump, labels: {zh: 供水泵组, en: Booster},
     rated: {pumps: 3, pressure: 0.55, flow: 16, tank_m3: 40}}
  - {id: SP-01, class: water_pump, labels: {zh: 排污泵, en: Sewage pumps}, rated: {pumps: 2, flow: 20, sump_m2: 4}}
  - {id: FW-01, class: water_pump, labels: {zh: 消防泵组, en: Fire water}, rated: {pumps: 2, pressure: 0.9, valves: 4}}
  - {id: WP-02, class: water_pump, labels: {zh: 泵房, en: Room alone}}
"""
DEVICES = """\
devices:
  - {id: a, gateway: gw-1, profile: grundfos-cim, asset: WP-01, port: 5021}
  - {id: b, gateway: gw-1, profile: fw-sump-1, asset: SP-01, port: 5022}
  - {id: c, gateway: gw-1, profile: fw-firewater-1, asset: FW-01, port: 5023}
"""
FAULTS = repertoire().faults_of("water_pump")
LEAPS = {
    "bearing_wear": 280.0,
    "slow_leak": 280.0,
    "water_quality": 60.0,
    "fire_tank_low": 60.0,
    "jockey_over_cycling": 60.0,
    "sewage_blocked": 5.0,
    "sewage_overflow": 5.0,
    "supply_loss": 10.0,
    "tank_overflow": 10.0,
}
"""Faults that are played in leaps: of so many seconds, less than the heartbeat, or their points would be stale."""


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Catalog]:
    """A site with one asset of each kind of water."""
    folder: Path = tmp_path_factory.mktemp("works")
    for name, text in (("site", SITE), ("assets", ASSETS), ("devices", DEVICES)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_site(folder, env={})


def owner(building: Building, fault: str) -> str:
    """The asset that can play a fault."""
    return next(asset for asset, model in building.models.items() if fault in model.faults)


def watch(site: Site, catalog: Catalog, building: Building, until: float, go: Callable[[], float]) -> list[Raised]:
    """Every alarm that the shipped rules raise until `until`; `go` lets time go by and tells by how much."""
    mapped = {key: frozenset(values) for key, values in building.values().items()}
    assets = {key: site.assets[key] for key in mapped}
    # a leap may be hours long: no reading is from the future here
    engine = Engine(judging(site.assets, catalog, mapped), assets, catalog, future_ms=round(1e12))
    found: list[Raised] = []
    now = 0.0
    while now < until:
        now += go()
        at = EPOCH + now
        judged = [
            item for key, values in building.values().items() for item in engine.on_sample(sample(key, at, values))
        ]
        judged += engine.on_tick(round(at * 1000))
        found += [
            Raised(item.at / 1000 - EPOCH, item.asset, item.rule.id, item.rule.severity)
            for item in judged
            if item.event == "raise"
        ]
    return found


def check(fault: str, asset: str, raised: list[Raised]) -> None:
    """All that is expected has come in its window, and nothing else at all."""
    expected = {item.rule: item for item in FAULTS[fault].expect if not item.planned}
    assert {item.rule for item in raised} == set(expected)
    assert {item.asset for item in raised} <= {asset}
    for rule, item in expected.items():
        first = next(one for one in raised if one.rule == rule)
        assert item.first <= first.seconds <= item.last, rule
        assert item.severity == first.severity, rule


def test_which_model_stands_for_an_asset(works: tuple[Site, Catalog]) -> None:
    models = Building(*works).models
    found = {asset: type(model) for asset, model in models.items()}
    assert found == {"WP-01": PumpSet, "SP-01": Sewage, "FW-01": FireWater, "WP-02": PumpSet}


def test_all_faults_and_acts_of_water_are_played_here(works: tuple[Site, Catalog]) -> None:
    models = Building(*works).models.values()
    assert {name for model in models for name in model.faults} == set(FAULTS)
    assert {name for model in models for name in model.acts} == set(repertoire().acts_of("water_pump"))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - LEAPS.keys()))
def test_a_fault_raises_what_is_expected(works: tuple[Site, Catalog], fault: str) -> None:
    site, catalog = works
    asset = owner(Building(site, catalog), fault)
    check(fault, asset, play(site, catalog, asset, fault))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", sorted(LEAPS))
def test_a_long_fault_raises_what_is_expected(works: tuple[Site, Catalog], fault: str) -> None:
    site, catalog = works
    asset = owner(Building(site, catalog), fault)
    site = alone(site, asset)
    building = Building(site, catalog, epoch=EPOCH)
    building.step(10.0)
    building.inject(asset, fault)

    def go() -> float:
        building.leap(LEAPS[fault])
        return LEAPS[fault]

    check(fault, asset, watch(site, catalog, building, FAULTS[fault].lasts, go))


@pytest.mark.slow
def test_a_quiet_day_raises_nothing(works: tuple[Site, Catalog]) -> None:
    site, catalog = works
    building = Building(site, catalog, epoch=EPOCH, quantum=0.5)

    def go() -> float:
        building.leap(58.0)
        building.step(2.0)
        return 60.0

    assert watch(site, catalog, building, 86_400.0, go) == []
