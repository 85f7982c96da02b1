"""The rules role and the gateways themselves: what they say, what their last will says, and their silence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from facility import presence
from facility.assets import GATEWAY_CLASS, Asset
from facility.bus import MemoryBus
from facility.config import Site
from facility.points import Label
from facility.wire import DeviceStatus, Status, encode, status_topic
from rules.book.compiled import Rulebook
from rules.book.mapped import mapped_points
from rules.book.rulebook import PACKS, assign, read_rules
from rules.life.rows import AlarmRow
from rules.records.records import Records
from rules.role import readback
from tests.rules.plant import CATALOG, CLOCK, Line, Store, a_sample, a_site, at_work
from tests.services.hook import a_hook
from tests.services.waiting import until


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)


def watched(folder: Path, url: str = "") -> Site:
    """The lifts' site with its gateways as assets; no device, so that no profile is needed."""
    site = a_site(folder, url or "http://127.0.0.1:9/", lifts=["EL-001", "EL-002"])
    gateways = {name: Asset(name, GATEWAY_CLASS, Label(f"网关 {name}", f"Gateway {name}")) for name in site.gateways}
    return dataclasses.replace(site, assets={**site.assets, **gateways}, devices=())


def shipped(site: Site) -> Rulebook:
    """The shipped rules at the site's gateways, their delays a thousandth as long."""
    quick = [
        dataclasses.replace(item, rule=dataclasses.replace(item.rule, delay=item.rule.delay / 1000, clear_delay=0.0))
        for item in read_rules([PACKS], CATALOG, assets=site.assets)
    ]
    return assign(quick, site.assets, mapped_points(site, CATALOG))


async def rows(records: Records) -> list[AlarmRow]:
    return list((await records.alarms(limit=100)).items)


async def say(bus: MemoryBus, status: Status, gateway: str = "g0") -> None:
    await bus.publish(status_topic("s1", gateway), encode(status), retain=True)


def fine(**changes: object) -> Status:
    given: dict[str, object] = {"online": True, "boot": "b1", "at": CLOCK.ms(), "spool_limit": 1000} | changes
    return Status(**given)  # type: ignore[arg-type]


def test_every_rule_of_the_pack_runs_at_every_gateway(tmp_path: Path) -> None:
    book = shipped(watched(tmp_path))
    pack = {item.rule.id for item in book.by_asset["g0"]}
    assert pack == {item.rule.id for item in book.by_asset["g1"]} >= {"gateway.offline", "gateway.device_down"}
    assert not [unused for unused in book.unused if unused.rule.startswith("gateway.")]


async def test_a_last_will_raises_a_ticket_and_a_word_clears_it(records: Records, tmp_path: Path) -> None:
    async with a_hook() as hook:
        site, bus = watched(tmp_path, hook.url), MemoryBus()
        async with at_work(site, records, bus=bus, book=shipped(site)) as rules:
            await say(bus, fine())
            await say(bus, Status(online=False, boot="b1"))
            await hook.wait_for(1)
            assert rules.metrics()["gateways_offline"] == 1
            await say(bus, fine())
            await hook.wait_for(2)
        assert [post.body["event"] for post in hook.posts] == ["raise", "clear"]
        (row,) = await rows(records)
        assert (row.rule, row.asset, row.asset_class, row.severity) == ("gateway.offline", "g0", "gateway", 2)
        assert row.ticket_id
        assert row.facts == {"gw.online": False}


async def test_what_was_said_before_the_start_counts(records: Records, tmp_path: Path) -> None:
    site, bus = watched(tmp_path), MemoryBus()
    await say(bus, Status(online=False, boot="b1"), "g0")
    devices = {"lift-1": DeviceStatus("down", "timeout"), "lift-2": DeviceStatus("up")}
    await say(bus, fine(devices=devices, shed=12, storage_ok=False, problem="the disk refuses"), "g1")
    async with at_work(site, records, bus=bus, book=shipped(site)) as rules:
        await until(lambda: rules.metrics().get("alarms_opened", 0) >= 4)
    found = {(row.rule, row.asset): row.facts for row in await rows(records)}
    assert found == {
        ("gateway.offline", "g0"): {"gw.online": False},
        ("gateway.device_down", "g1"): {"gw.devices_down": 1, "gw.down": "lift-1"},
        ("gateway.shedding", "g1"): {"gw.shedding": True, "gw.shed": 12},
        ("gateway.storage", "g1"): {"gw.storage_ok": False, "gw.problem": "the disk refuses"},
    }


async def test_silence_is_noticed_without_any_message(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "SILENT_MS", 300)
    site, bus = watched(tmp_path), MemoryBus()
    async with at_work(site, records, bus=bus, book=shipped(site)) as rules:
        await say(bus, fine())
        await until(lambda: rules.metrics().get("alarms_opened", 0) >= 2)
    assert {(row.rule, row.asset) for row in await rows(records)} == {
        ("gateway.offline", "g0"),
        ("gateway.offline", "g1"),
    }


async def test_statuses_move_no_cursor_and_garbage_stops_nothing(records: Records, tmp_path: Path) -> None:
    site, bus, store = watched(tmp_path), MemoryBus(), Store()
    async with at_work(site, records, bus=bus, store=store, book=shipped(site)) as rules:
        await bus.publish(status_topic("s1", "g0"), b"{no json")
        await say(bus, fine(), "g9")
        await Line(bus).send(a_sample("EL-001", CLOCK.ms() - 60_000, car_overload=False))
        await say(bus, fine(at=CLOCK.ms()))
        await until(lambda: rules.metrics().get("statuses", 0) == rules.metrics().get("samples", 0) == 1)
        counted = rules.metrics()
        assert (counted["undecodable"], counted["unknown_gateway"]) == (1, 1)
    cursor = (await records.cursors("s1"))["g0"]
    assert set(cursor.assets) == {"EL-001"}
    assert cursor.at < CLOCK.ms() - 50_000


async def test_a_site_whose_gateways_are_no_assets_is_left_alone(records: Records, tmp_path: Path) -> None:
    bus = MemoryBus()
    async with at_work(a_site(tmp_path, "http://127.0.0.1:9/"), records, bus=bus) as rules:
        await say(bus, Status(online=False, boot="b1"))
        await until(lambda: rules.metrics().get("unknown_gateway", 0) == 1)
        assert rules.metrics().get("engine_unknown_asset", 0) == 0
