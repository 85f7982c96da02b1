"""The demonstration tower before the shipped rules: how many messages a failure makes, with folding and without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.presence import Presence
from facility.settings import ChannelSettings, RecordsSettings, RouteSettings
from facility.wire import DeviceStatus, Status, encode, status_topic
from rules.book.rulebook import load_rulebook
from rules.effects import Judgement
from rules.engine import Engine
from rules.gateway_health import GatewayHealth
from rules.notification.notify import Routing
from rules.notification.sift import Sifter
from rules.records.records import Records, open_records
from rules.role.settling import settle
from simulators.building import Building
from simulators.scenario import Action
from tests.simulators.oracle import EPOCH, fault_of, sample

Demo = tuple[Site, Catalog]
EVERYTHING = RouteSettings(to=["duty"], severities=[1, 2, 3, 4], events=["raise"])


class Watch:
    """The rules over the tower in virtual time; `sifter` None tells every alarm on its own."""

    def __init__(self, demo: Demo, records: Records, *, sifted: bool) -> None:
        site, catalog = demo
        site = replace(site, channels=(ChannelSettings(id="duty", kind="log"),), routes=(EVERYTHING,))
        self.book = load_rulebook(site, catalog)
        self.engine = Engine(self.book, site.assets, catalog)
        self.records, self.routing = records, Routing.of(site)
        self.sifter = Sifter.of(site, self.book, self.routing) if sifted else None

    async def apply(self, judgements: list[Judgement], at: int) -> None:
        """Write down what was judged, and do what is due."""
        if judgements:
            await self.records.apply(judgements, self.routing, at, sifter=self.sifter)
        if self.sifter:
            await settle(self.records, self.sifter, at, settled_before=at - 5_000)

    async def told(self) -> list[tuple[str, str, int]]:
        """(rule, asset, severity) of every message."""
        rows = {row.id: row for row in (await self.records.alarms(limit=1000)).items}
        items = reversed((await self.records.outbox(kind="message", limit=1000)).items)
        found = [rows[item.alarm_id] if item.alarm_id else None for item in items]
        return [(row.rule, row.asset, row.severity) if row else ("flood", "", 0) for row in found]


@pytest.fixture(params=[True, False], ids=["sifted", "plain"])
async def watch(request: pytest.FixtureRequest, demo: Demo, tmp_path: Path) -> AsyncIterator[Watch]:
    """With the stages, and as it would be without."""
    async with open_records(RecordsSettings(path="records.sqlite"), tmp_path) as records:
        yield Watch(demo, records, sifted=request.param)


async def test_a_building_without_mains_is_one_power_message(watch: Watch, demo: Demo) -> None:
    site, catalog = demo
    building = Building(site, catalog, seed=1, epoch=EPOCH, quantum=0.5)
    fault = fault_of(building, "PM-01", "generator_fail")
    for second in range(-60, 200):
        if second == 0:
            building.begin(Action(0.0, fault.on, "PM-01", "generator_fail", fault.lasts))
        building.go(1.0)
        at = round((EPOCH + 60 + second) * 1000)
        judged = [
            item
            for key, values in building.values().items()
            if not building.models[key].silent
            for item in watch.engine.on_sample(sample(key, at / 1000, values))
        ]
        await watch.apply(judged + watch.engine.on_tick(at), at)
    told = await watch.told()
    emergencies = [item for item in told if item[2] == 1]
    others = [item for item in told if item[2] > 1]
    assert ("power.no_source", "PM-01", 1) in emergencies
    if watch.sifter is None:
        # a board under a dead board says nothing by itself, by the design of its rule
        assert len(others) == 13
        return
    power = [item for item in others if item[0].startswith("power.") and item[0] != "power.generator_fault"]
    assert power == [("power.mains_loss", "PM-01", 2)]
    # what is no consequence of the mains, or guards lives, is told beside it
    guards = {"fire_alarm.main_power", "water_pump.fire_power_lost"}
    assert {rule for rule, _, _ in others} <= {"power.mains_loss", "power.generator_fault"} | guards
    assert len(others) <= 4


async def test_a_killed_gateway_is_one_message(watch: Watch, demo: Demo) -> None:
    site, _ = demo
    health = GatewayHealth(site.id, {name: Presence(0) for name in site.gateways})
    names = {name: [device.id for device in site.devices_of(name)] for name in site.gateways}
    now = 1_800_000_000_000
    health = GatewayHealth(site.id, {name: Presence(now) for name in site.gateways})
    for second in range(240):
        at = now + second * 1000
        judged: list[Judgement] = []
        for gateway, devices in names.items():
            gone = gateway == "gw-1" and second >= 120
            # its devices fall silent a little before the gateway itself: a switch that dies
            states = {name: DeviceStatus("down" if gateway == "gw-1" and second >= 50 else "up") for name in devices}
            if not gone and second % 5 == 0:
                status = Status(online=True, boot="b", at=at, spool_limit=1000, devices=states)
                said = health.hear(status_topic(site.id, gateway), encode(status), at)
                judged += watch.engine.on_sample(said) if said else []
        for said in health.tick(at):
            judged += watch.engine.on_sample(said)
        await watch.apply(judged + watch.engine.on_tick(at), at)
    told = [(rule, asset) for rule, asset, _ in await watch.told()]
    if watch.sifter is None:
        assert told == [
            ("gateway.many_devices_down", "gw-1"),
            ("gateway.device_down", "gw-1"),
            ("gateway.offline", "gw-1"),
        ]
    else:
        assert told == [("gateway.many_devices_down", "gw-1"), ("gateway.offline", "gw-1")]
