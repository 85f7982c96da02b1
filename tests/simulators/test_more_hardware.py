"""A building in a file with the newer hardware: every mapped point gets a value, every fault can be played."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.hardware import On
from facility.readings import Quality
from gateway.codec import decode
from rules.book.rulebook import load_rulebook
from simulators.building import Building
from simulators.faultfile import repertoire
from simulators.making import points_of
from simulators.scenario import Action
from simulators.service import Simulation

SITE = """\
site: more
labels: {zh: 新设备, en: More hardware}
time_zone: Asia/Shanghai
gateways: [gw-1]
"""
ASSETS = """\
assets:
  - {id: CH-01, class: hvac, labels: {zh: 冷站, en: Chiller plant}, rated: {cooling: 900}}
  - {id: CH-02, class: hvac, labels: {zh: 冷水机组, en: Chiller}}
  - {id: AH-01, class: hvac, labels: {zh: 空调机组, en: Air handler}}
  - {id: CC-01, class: cctv, labels: {zh: 录像机, en: Recorder}, rated: {cameras: 16, disks: 8, recording_days: 40}}
  - {id: DR-01, class: drainage, labels: {zh: 集水井, en: Pit}, rated: {pumps: 4}}
  - {id: LT-01, class: lighting, labels: {zh: 照明, en: Lighting}}
  - {id: LT-02, class: lighting, labels: {zh: 走廊灯, en: Corridor}}
  - {id: EN-01, class: environment, labels: {zh: 管井, en: Riser}}
  - {id: EN-02, class: environment, labels: {zh: 机房, en: Server room}}
  - {id: AC-01, class: access_control, labels: {zh: 后门, en: Back door}}
"""
DEVICES = """\
devices:
  - {id: d1, gateway: gw-1, profile: fw-chiller-1, asset: CH-01, host: 127.0.0.1, port: 15901}
  - {id: d2, gateway: gw-1, profile: daikin-microtech3, asset: CH-02, host: 127.0.0.1, port: 15902}
  - {id: d3, gateway: gw-1, profile: fw-ahu-1, asset: AH-01, host: 127.0.0.1, port: 15903}
  - {id: d4, gateway: gw-1, profile: fw-nvr-1, asset: CC-01, host: 127.0.0.1, port: 15904}
  - {id: d5, gateway: gw-1, profile: fw-drain-1, asset: DR-01, host: 127.0.0.1, port: 15905}
  - {id: d6, gateway: gw-1, profile: fw-light-1, asset: LT-01, host: 127.0.0.1, port: 15906}
  - {id: d7, gateway: gw-1, profile: xy-md1, asset: EN-02, host: 127.0.0.1, port: 15907}
  - {id: d8, gateway: gw-1, profile: shelly-1pm, asset: LT-02, params: {prefix: s1}}
  - id: d9
    gateway: gw-1
    profile: tasmota-switch
    asset: LT-02
    params: {topic: t1}
    rename:
      "circuit[1].on": "circuit[2].on"
      "circuit[1].power": "circuit[2].power"
      "circuit[1].voltage": "circuit[2].voltage"
      "circuit[1].current": "circuit[2].current"
      "circuit[1].energy": "circuit[2].energy"
  - {id: d10, gateway: gw-1, profile: zigbee2mqtt-leak, asset: EN-01, params: {base: zigbee2mqtt, name: riser/leak}}
  - id: d11
    gateway: gw-1
    profile: zigbee2mqtt-contact
    asset: EN-01
    params: {base: zigbee2mqtt, name: riser/door}
    rename:
      "sensor[1].battery": "sensor[2].battery"
      "sensor[1].voltage": "sensor[2].voltage"
      "sensor[1].temp": "sensor[2].temp"
      "sensor[1].link_quality": "sensor[2].link_quality"
      "sensor[1].bridge": "sensor[2].bridge"
  - {id: d12, gateway: gw-1, profile: esp-rfid, asset: AC-01, params: {topic: rfid, hostname: back}}
"""


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Catalog]:
    """The building as the loader reads it."""
    folder = tmp_path_factory.mktemp("more")
    for name, text in (
        ("site", SITE),
        ("assets", ASSETS),
        ("devices", DEVICES),
        ("people", "channels: []\nroutes: []\n"),
    ):
        Path(folder, f"{name}.yaml").write_text(text)
    return load_site(folder, env={})


def test_every_mapped_point_of_every_asset_has_a_value(more: tuple[Site, Catalog]) -> None:
    site, catalog = more
    building = Building(site, catalog, epoch=1_767_582_000.0)
    building.go(60.0)
    values = building.values()
    mapped = points_of(site, catalog)
    assert set(values) == set(site.assets) - {"gw-1"}
    for asset, keys in mapped.items():
        concrete = {key for key in keys if "[n]" not in key}
        assert not concrete - values[asset].keys(), asset
        assert not [key for key in concrete if values[asset][key] is None], asset


def test_an_asset_has_the_faults_of_what_stands_there(more: tuple[Site, Catalog]) -> None:
    site, catalog = more
    building = Building(site, catalog)
    subjects = building.subjects()
    assert "chiller_trip" in subjects[On.ASSET, "CH-02"].faults
    assert "filter_clogged" not in subjects[On.ASSET, "CH-02"].faults
    assert "filter_clogged" in subjects[On.ASSET, "AH-01"].faults
    assert "sensor_lost" in subjects[On.ASSET, "EN-01"].faults
    assert "sensor_lost" not in subjects[On.ASSET, "EN-02"].faults, "a wired sensor has no battery"
    for (_, name), subject in subjects.items():
        for fault in subject.faults.values():
            if fault.on is On.ASSET and fault.asset_class in ("hvac", "cctv", "drainage", "lighting", "environment"):
                action = Action(0.0, On.ASSET, name, fault.name, fault.lasts)
                building.begin(action)
                building.step(0.5)
                building.end(action)


def test_params_are_those_that_the_models_read() -> None:
    folder = Path(__file__).parents[2] / "simulators" / "models"
    sources = {
        "hvac": ("rooms/chiller", "rooms/air_handler"),
        "cctv": ("rooms/camera_recorder",),
        "drainage": ("water/drainage", "water/sump"),
        "lighting": ("rooms/lighting",),
        "environment": ("rooms/environment",),
    }
    for asset_class, files in sources.items():
        text = "".join((folder / f"{name}.py").read_text() for name in files)
        faults = repertoire().faults_of(asset_class)
        declared = {(fault.name, name) for fault in faults.values() for name in fault.params}
        declared |= {(act.name, name) for act in repertoire().acts_of(asset_class).values() for name in act.params}
        for owner, name in declared:
            assert f'"{name}"' in text, (asset_class, owner, name)
        for owner, name in re.findall(r'self\.param\("(\w+)", "(\w+)"', text):
            assert (owner, name) in declared


def test_every_asset_is_judged_by_the_pack_of_its_class(more: tuple[Site, Catalog]) -> None:
    site, catalog = more
    by_asset = load_rulebook(site, catalog).by_asset
    simulated = [name for name, asset in site.assets.items() if asset.asset_class != "gateway"]
    assert simulated
    for name in simulated:
        assert {item.rule.asset_class for item in by_asset[name]} == {site.assets[name].asset_class}


@pytest.mark.slow
async def test_the_simulation_serves_it_all_with_the_magic_words_of_its_maps(more: tuple[Site, Catalog]) -> None:
    site, catalog = more
    simulation = Simulation(site, catalog, bus=MemoryBus(), clock=SystemClock())
    addresses = await simulation.start(ports="free")
    try:
        assert set(addresses) == {f"d{number}" for number in range(1, 8)}
        simulation.tick(0.5)
        units = {device.asset: simulation._modbus.units[device.id] for device in simulation._polled}
        for asset, magic, version in (
            ("CH-01", 0x4331, 0x0100),
            ("AH-01", 0x4131, 0x0101),
            ("CC-01", 0x5631, 0x0100),
            ("DR-01", 0x5031, 0x0100),
            ("LT-01", 0x4931, 0x0101),
        ):
            unit = units[asset]
            unit.refresh()
            assert unit.words(unit.profile.registers[0].table, 0, 2) == [magic, version]
            for register in unit.profile.registers:
                if register.table.is_bits:
                    continue
                point = catalog.classes[unit.profile.asset_class].points[register.point]
                words = unit.words(register.table, register.address, register.words)
                assert decode(register, tuple(words), point)[1] is Quality.GOOD, register.point
    finally:
        await simulation.stop()
