"""The demonstration folder: it loads, it has the size it should have, and its tour tells its story."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from caretaker_demo import scenario_file
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from simulators.building import Building
from simulators.devices.faulty_bus import FaultyBus
from simulators.devices.modbus_server import ModbusUnit
from simulators.player import Player
from simulators.scenario import load_scenario, scenario_seed
from simulators.service import Simulation
from tests.simulators.conftest import DEMO, number

TOUR = DEMO / "scenarios" / "tour.yaml"


def mapped(site: Site, catalog: Catalog) -> set[tuple[str, str]]:
    """(asset, point) of everything that a gateway reads here; a map by index counts for the doors there are."""
    found = set()
    for device in site.devices:
        for key in device.points or catalog.profiles[device.profile].points:
            for index in range(1, 5) if "[n]" in key else (0,):
                found.add((device.asset, device.rename.get(key, key).replace("[n]", f"[{index}]")))
    return found


def test_what_stands_in_it(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    classes = [asset.asset_class for asset in site.assets.values()]
    assert classes.count("elevator") == 4
    assert classes.count("water_pump") == 5
    assert set(classes) == set(catalog.classes)
    assert classes.count("fire_alarm") == 1
    assert classes.count("access_control") == 2
    points = mapped(site, catalog)
    assert 850 <= len(points) <= 1050
    assert len({asset for asset, key in points if key == "u.l1n"}) == 4, "four meters"
    assert len([key for _, key in points if re.fullmatch(r"door\[\d\]\.contact", key)]) == 8, "eight doors"
    assert any(key == "ats.position" for _, key in points)
    assert any(key == "ups.mode" for _, key in points)
    assert len(site.gateways) == 2
    assert all(site.devices_of(gateway) for gateway in site.gateways)
    assert {asset.location for asset in site.assets.values()} <= set(site.locations)
    assert all(asset.ledger for asset in site.assets.values())
    addresses = [(device.line.host, device.line.port, device.unit) for device in site.devices
                 if catalog.profiles[device.profile].protocol == "modbus"]  # fmt: skip
    assert len(set(addresses)) == len(addresses)
    assert {host for host, _, _ in addresses} == {"127.0.0.1"}
    assert site.settings.broker.embedded
    assert [channel.kind for channel in site.channels] == ["log"]


def test_every_mapped_point_has_a_value(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    values = Building(site, catalog).values()
    missing = [(asset, key) for asset, key in mapped(site, catalog) if values[asset].get(key) is None]
    assert not missing


def test_the_same_seed_gives_the_same_readings_to_the_byte(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo

    def record(seed: int) -> list[list[int]]:
        building = Building(site, catalog, seed=seed, epoch=1_700_000_000.0)
        units = [
            (device.asset, ModbusUnit(catalog.profiles[device.profile]))
            for device in site.devices
            if catalog.profiles[device.profile].protocol == "modbus"
        ]
        images = []
        for _ in range(20):
            building.step(0.5)
            values = building.values()
            for asset, unit in units:
                unit.update(values[asset])
                images += [list(block.words) for block in unit.image.blocks.values()]
        return images

    assert record(1) == record(1)
    assert record(1) != record(2)


@pytest.mark.slow
def test_the_tour_tells_its_story(demo: tuple[Site, Catalog]) -> None:
    """Each signature stands long enough for a rule with an on-delay of 10 s, and is gone at the end."""
    site, catalog = demo
    building = Building(site, catalog, seed=scenario_seed(TOUR))
    scenario = load_scenario(TOUR, building.subjects())
    assert scenario.duration <= 60
    assert max(action.until for action in scenario.actions) <= 52
    stories = {
        "entrapment": lambda v: bool(v["EL-02"]["alarm.car_button"]) and not v["EL-02"]["car.in_door_zone"],
        "dry run": lambda v: number(v["WP-01"], "sys.inlet_pressure") < 0.02 and number(v["WP-01"], "sys.freq") > 30,
        "mains lost": lambda v: v["PM-01"]["ats.src1_ok"] is False,
        "on generator": lambda v: v["PM-01"]["ats.position"] == 2,
        "on battery": lambda v: v["UPS-01"]["ups.mode"] == 1,
        "confirmed fire": lambda v: number(v["FA-01"], "cnt.alarm") >= 2 and bool(v["FA-01"]["panel.started"]),
        "forced door": lambda v: v["AC-01"]["door[2].forced"] is True,
        "held door": lambda v: v["AC-02"]["door[1].held"] is True,
        "reader": lambda v: v["AC-01"]["reader[3].tamper"] is True,
        "pit": lambda v: v["EL-03"]["pit.water"] is True,
        "lifts recalled": lambda v: v["EL-01"]["fire.parked"] is True and v["EL-04"]["fire.parked"] is True,
        "doors released": lambda v: v["AC-01"]["door[1].fire_release"] is True,
    }
    seconds = dict.fromkeys(stories, 0.0)
    player = Player(scenario, building)
    while not player.over:
        for piece in player.pieces(0.1):
            building.step(piece)
        values = building.values()
        for name, seen in stories.items():
            seconds[name] += 0.1 if seen(values) else 0.0
    assert seconds.pop("lifts recalled") > 1
    assert all(lasted >= 9.5 for lasted in seconds.values()), seconds
    assert not any(seen(values) for seen in stories.values()), "something is still on"
    assert not any(model.active for model in building.models.values())


def test_the_folder_holds_no_secret() -> None:
    for path in Path(DEMO).rglob("*.yaml"):
        assert "password" not in path.read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("name", ["tour", "drill", "wires"])
async def test_every_shipped_scenario_can_be_played_in_the_demonstration(demo: tuple[Site, Catalog], name: str) -> None:
    site, catalog = demo
    lines = {gateway: FaultyBus(MemoryBus()) for gateway in site.gateways}
    simulation = Simulation(site, catalog, bus=None, clock=SystemClock(), gateways=lines, broker=Switch())
    simulation.people = Idle()
    scenario = load_scenario(DEMO / "scenarios" / f"{name}.yaml", simulation.subjects)
    assert scenario.actions


class Switch:
    """A broker that nobody has."""

    def away(self) -> None: ...

    def back(self) -> None: ...


class Idle:
    """People who do nothing."""

    def attend(self, act: str, asset: str) -> None: ...


def test_a_site_s_own_scenarios_come_first(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    own = tmp_path / "scenarios" / "drill.yaml"
    own.write_text("duration: 1\nseed: 44\n", encoding="utf-8")
    assert scenario_file("drill", tmp_path) == own
    assert scenario_seed(own) == 44
    assert scenario_file("tour", tmp_path) == TOUR
    assert scenario_file("nowhere.yaml", tmp_path) == Path("nowhere.yaml")
