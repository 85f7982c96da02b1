"""The power network of a building: who is fed by whom, what a dead board does, and the alarms that must come of it."""

from __future__ import annotations

import dataclasses

import pytest

from facility.assets import Asset, Device
from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import On
from facility.points import Label
from simulators.building import Building
from simulators.faultfile import repertoire
from simulators.models.fire.fire_panel import FirePanel
from simulators.models.passage.elevator import Elevator
from tests.simulators.conftest import Check, number
from tests.simulators.models.power_plant import tower
from tests.simulators.oracle import EPOCH, fault_of, play

Demo = tuple[Site, Catalog]
OUTAGE = ("PM-02", "PM-03", "PM-04", "UPS-01", "FA-01", "EL-01", "WP-01", "FW-01", "SP-01", "DR-01", "LT-01")
"""What a blackout is felt by."""


def only(site: Site, *names: str) -> Site:
    """A site with these assets alone."""
    assets = {
        name: dataclasses.replace(site.assets[name], parents=tuple(p for p in site.assets[name].parents if p in names))
        for name in names
    }
    devices = tuple(device for device in site.devices if device.asset in names)
    return dataclasses.replace(site, assets=assets, devices=devices)


def board(name: str, *parents: str, load: float = 10.0) -> tuple[Asset, Device]:
    """One more board with a meter."""
    asset = Asset(name, "power", Label("配电柜", "Board"), rated={"load": load}, parents=parents)
    return asset, Device(f"{name}-meter", "gw-2", "eastron-sdm630", name, points=frozenset({"u.l1n", "p.total"}))


def grown(site: Site, *boards: tuple[Asset, Device]) -> Site:
    """The site with more boards."""
    assets = {**site.assets, **{asset.id: asset for asset, _ in boards}}
    return dataclasses.replace(site, assets=assets, devices=(*site.devices, *(device for _, device in boards)))


@pytest.fixture(scope="module")
def whole(demo: Demo) -> Site:
    """The tower with everything of power in it."""
    return tower(demo)


def test_every_fault_and_act_of_power_can_be_played_somewhere(whole: Site, demo: Demo) -> None:
    subjects = Building(whole, demo[1]).subjects()
    names = [name for name, asset in whole.assets.items() if asset.asset_class == "power"]
    assert set().union(*(subjects[On.ASSET, name].faults for name in names)) >= repertoire().faults_of("power").keys()
    assert set().union(*(subjects[On.ASSET, name].acts for name in names)) == repertoire().acts_of("power").keys()
    models = Building(whole, demo[1]).models
    assert set().union(*(models[name].faults for name in names)) == repertoire().faults_of("power").keys()
    assert set().union(*(models[name].acts for name in names)) == repertoire().acts_of("power").keys()
    assert "breaker_trip" not in subjects[On.ASSET, "PM-02"].faults, "its inside is not watched"


def test_a_loss_of_the_mains_is_felt_by_everything_until_the_generator_comes(whole: Site, demo: Demo) -> None:
    building = Building(only(whole, "PM-01", "PM-02", "EL-01", "FA-01"), demo[1], epoch=EPOCH)
    lift, panel = building.models["EL-01"], building.models["FA-01"]
    building.step(1)
    assert lift.powered
    building.inject("PM-01", "mains_loss")
    building.step(0.3)
    assert not lift.powered
    assert isinstance(panel, FirePanel)
    assert panel.mains < 1
    building.step(12)
    assert lift.powered
    assert panel.mains > 200


def test_a_tripped_breaker_stops_what_it_feeds_and_nothing_else(whole: Site, demo: Demo) -> None:
    names = ("PM-01", "PM-02", "PM-03", "EL-01", "WP-01")
    building = Building(only(whole, *names), demo[1], epoch=EPOCH)
    building.inject("PM-01", "breaker_trip", breaker=1.0)
    building.step(0.5)
    values = building.values()
    assert (values["PM-02"]["u.l1n"], values["PM-02"]["p.total"]) == (0, 0)
    assert number(values["PM-03"], "u.l1n") > 200
    assert values["PM-01"]["breaker[1].position"] == 2
    assert isinstance(building.models["EL-01"], Elevator)
    assert not building.models["EL-01"].powered
    assert building.models["WP-01"].powered
    building.models["PM-01"].act("reset_breaker", breaker=1.0)
    building.step(0.5)
    assert building.models["EL-01"].powered


def test_a_lost_phase_of_a_board_stops_its_motors(demo: Demo) -> None:
    building = Building(only(demo[0], "PM-02", "EL-01"), demo[1], epoch=EPOCH)
    building.inject("PM-02", "phase_loss")
    building.step(0.2)
    assert not building.models["EL-01"].powered


def test_only_what_hangs_behind_the_switch_is_taken_over(demo: Demo) -> None:
    site = grown(only(demo[0], "PM-01", "UPS-01"), board("PM-08"), board("PM-09", "UPS-01"))
    building = Building(site, demo[1], epoch=EPOCH)
    building.inject("PM-01", "mains_loss")
    building.step(5)
    assert number(building.values()["PM-09"], "u.l1n") > 200, "the UPS feeds it"
    building.step(10)
    values = building.values()
    assert number(values["PM-01"], "u.l1n") > 200
    assert number(values["PM-08"], "u.l1n") < 1
    assert values["PM-08"]["f"] == 0


def test_a_switch_behind_a_main_board_is_no_load_of_it_while_on_the_generator(whole: Site, demo: Demo) -> None:
    boards = (board("LV-01", "TX-01", load=50.0), board("LV-02", "LV-01", load=20.0))
    site = grown(only(whole, "PM-01", "PM-02", "TX-01"), *boards)
    site = dataclasses.replace(
        site,
        assets={**site.assets, "PM-01": dataclasses.replace(site.assets["PM-01"], parents=("LV-01",))},
        devices=(*site.devices, Device("LV-01-io", "gw-2", "fw-board-1", "LV-01")),
    )
    building = Building(site, demo[1], epoch=EPOCH)
    building.step(1)
    values = building.values()
    fed = number(values["PM-01"], "p.total") + number(values["LV-02"], "p.total")
    assert number(values["LV-01"], "p.total") == pytest.approx(fed + 50, abs=8)
    breakers = [number(values["LV-01"], f"breaker[{n}].current") for n in (1, 2)]
    assert breakers[0] == pytest.approx(number(values["PM-01"], "i.l1"), rel=0.05)
    building.inject("LV-01", "breaker_trip", breaker=1.0)
    building.step(20)
    values = building.values()
    assert (values["PM-01"]["ats.src1_ok"], values["PM-01"]["ats.position"]) == (False, 2)
    assert number(values["PM-01"], "p.total") > 60
    assert values["LV-01"]["breaker[1].current"] == 0
    assert number(values["LV-01"], "p.total") == pytest.approx(70, abs=8)
    building.models["LV-01"].act("reset_breaker", breaker=1.0)
    building.step(20)
    assert number(building.values()["LV-01"], "p.total") == pytest.approx(fed + 50, abs=10)


def test_hours_go_by_as_one(whole: Site, demo: Demo) -> None:
    """A fault that begins just before a leap is felt by all for the whole of it."""
    building = Building(only(whole, "PM-01", "PM-02", "UPS-01"), demo[1], epoch=EPOCH)
    building.step(1)
    before = number(building.values()["PM-02"], "e.import")
    building.inject("PM-01", "ats_fail_to_transfer")
    building.go(600)
    values = building.values()
    assert number(values["PM-02"], "e.import") == pytest.approx(before, abs=1e-6)
    assert number(values["UPS-01"], "ups.charge") == pytest.approx(40, abs=4)
    building.models["PM-01"].end("ats_fail_to_transfer")
    building.go(3600)
    values = building.values()
    assert number(values["PM-02"], "e.import") - before == pytest.approx(31, rel=0.1)
    assert number(values["UPS-01"], "ups.charge") > 60


@pytest.mark.slow
def test_a_quiet_day_of_all_boards(whole: Site, demo: Demo, in_range: Check) -> None:
    names = [name for name, asset in whole.assets.items() if asset.asset_class == "power"]
    building = Building(only(whole, *names), demo[1], epoch=EPOCH, quantum=0.5)
    counters = {(name, key): 0.0 for name in names for key in ("e.import", "eq.import", "ups.energy", "gen.starts")}
    for _ in range(40):
        building.go(2400)
        values = building.values()
        for points in values.values():
            in_range("power", points)
        for (name, key), last in counters.items():
            if key in values[name]:
                assert number(values[name], key) >= last
                counters[name, key] = number(values[name], key)
        feeders = [values[name] for name in ("PM-02", "PM-03", "PM-04")]
        for key in ("p.total", "e.import", "demand.p"):
            assert sum(number(points, key) for points in feeders) < number(values["PM-01"], key)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("asset", "fault", "beside"),
    [
        ("PM-01", "mains_loss", ("PM-02", "UPS-01", "EL-01")),
        ("PM-01", "ats_fail_to_transfer", OUTAGE),
        ("GE-01", "generator_fail", ("PM-01", *OUTAGE)),
        ("PM-01", "mains_phase_loss", ("PM-02", "PM-04", "EL-01")),
        ("PM-02", "phase_loss", ("EL-01",)),
        ("PM-02", "imbalance", ()),
        ("PM-02", "over_voltage", ()),
        ("PM-02", "under_voltage", ()),
        ("PM-02", "harmonics", ()),
        ("PM-02", "low_power_factor", ()),
        ("PM-01", "breaker_trip", ("PM-02", "EL-01")),
        ("PM-01", "hot_joint", ()),
        ("PM-01", "residual_current", ()),
        ("TX-01", "transformer_over_temperature", ("PM-01", "PM-02", "UPS-01", "EL-01")),
        ("UPS-01", "ups_low", ()),
        ("UPS-01", "ups_overload", ()),
        ("PM-02", "meter_replaced", ()),
        ("PM-02", "meter_rollover", ()),
    ],
)
def test_the_shipped_rules_raise_what_is_expected_and_nothing_else(
    whole: Site, demo: Demo, asset: str, fault: str, beside: tuple[str, ...]
) -> None:
    site = only(whole, asset, *beside)
    expected = [one for one in fault_of(Building(site, demo[1]), asset, fault).expect if not one.planned]
    raised = play(site, demo[1], asset, fault)
    assert all(item.seconds > 0 for item in raised), "a quiet building raises nothing"
    for one in expected:
        found = [item for item in raised if (item.rule, item.severity) == (one.rule, one.severity)]
        assert found, one.rule
        assert all(one.first <= item.seconds <= one.last for item in found), found
        assert all(one.of != "self" or item.asset == asset for item in found), found
    assert {item.rule for item in raised} == {one.rule for one in expected}


def test_an_aged_battery_is_found_in_the_time_that_the_oracle_gives(demo: Demo) -> None:
    building = Building(only(demo[0], "UPS-01"), demo[1], epoch=EPOCH)
    (expected,) = fault_of(building, "UPS-01", "battery_ageing").expect
    building.inject("UPS-01", "battery_ageing")
    building.leap(expected.first - 120)
    assert building.values()["UPS-01"]["ups.replace_battery"] is False
    building.leap(expected.last - expected.first)
    assert building.values()["UPS-01"]["ups.replace_battery"] is True
