"""Who speaks for which points, and that a frozen gateway holds rules still, in virtual time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from facility.assets import GATEWAY_CLASS, Asset
from facility.bus import MemoryBus
from facility.points import Label
from facility.presence import STATUS, Presence
from facility.readings import Sample
from facility.wire import Status, again_topic, encode, status_topic
from rules.book.compiled import Rulebook
from rules.book.mapped import served_points
from rules.effects import Judgement
from rules.engine import Engine
from rules.role.gateways import LOOK, Gateways
from rules.role.silence import Silence
from tests.gateway.plant import LoopClock
from tests.rules.plant import CATALOG, OVERLOAD, a_site

T0 = 1_700_000_000_000
HERE = Status(online=True, boot="b1")
HELD = dataclasses.replace(OVERLOAD, rule=dataclasses.replace(OVERLOAD.rule, id="held", delay=60.0))


def test_points_are_silent_when_all_who_serve_them_are_gone() -> None:
    presence = {"g0": Presence(T0), "g1": Presence(T0)}
    served = {"g0": {"A": frozenset({"x", "y"}), "B": frozenset({"x"})}, "g1": {"A": frozenset({"y"})}}
    silence = Silence(presence, served)
    assert silence.look(T0).silent == []
    presence["g1"].spoke(T0 + 20_000)
    turned = silence.look(T0 + 40_000)
    assert (turned.silent, turned.heard, turned.back) == ([("A", ["x"]), ("B", ["x"])], [], [])
    assert silence.look(T0 + 41_000).silent == []
    assert silence.look(T0 + 60_000).silent == [("A", ["y"])]
    presence["g0"].spoke(T0 + 61_000)
    turned = silence.look(T0 + 61_000)
    assert (turned.silent, turned.heard, turned.back) == ([], [("A", ["x"]), ("A", ["y"]), ("B", ["x"])], ["g0"])


def test_a_device_serves_the_points_of_its_profile(tmp_path: Path) -> None:
    site = a_site(tmp_path, "http://127.0.0.1:9/", lifts=["EL-001", "EL-002"])
    lifts = tuple(dataclasses.replace(device, profile="fw-lift-1") for device in site.devices)
    served = served_points(dataclasses.replace(site, devices=lifts), CATALOG)
    assert {gateway: set(assets) for gateway, assets in served.items()} == {"g0": {"EL-001"}, "g1": {"EL-002"}}
    assert "car.overload" in served["g0"]["EL-001"]
    assert served_points(site, CATALOG) == {"g0": {}, "g1": {}}


class Watched:
    """A lift behind g0 and another behind g1, their rules, and what is judged: (second, event, asset)."""

    def __init__(self, folder: Path) -> None:
        site = a_site(folder, "http://127.0.0.1:9/", lifts=["EL-001", "EL-002"])
        lifts = tuple(dataclasses.replace(device, profile="fw-lift-1") for device in site.devices)
        gateways = {name: Asset(name, GATEWAY_CLASS, Label(name, name)) for name in site.gateways}
        site = dataclasses.replace(site, devices=lifts, assets={**site.assets, **gateways})
        self.clock, self.bus = LoopClock(), MemoryBus()
        book = Rulebook(dict.fromkeys(("EL-001", "EL-002"), (HELD,)), time_zone=site.time_zone)
        self.engine = Engine(book, site.assets, CATALOG)
        self.judged: list[tuple[str, str, float]] = []
        self.gateways = Gateways(
            site, CATALOG, self.engine, bus=self.bus, clock=self.clock, judge=self._judge, counts=Counter()
        )
        self.start = self.clock.ms()

    def _judge(self, _: str, work: Callable[[], list[Judgement]]) -> None:
        self.judged += [(item.event, item.asset, (item.at - self.start) / 1000) for item in work()]

    def sample(self, asset: str, *, overload: bool) -> None:
        sample = Sample(asset, self.clock.ms(), {"car.overload": overload})
        self._judge("", lambda: self.engine.on_sample(sample))

    async def tick(self) -> None:
        while True:
            self._judge("", lambda: self.engine.on_tick(self.clock.ms()))
            await asyncio.sleep(0.5)


@pytest.mark.looptime
async def test_a_frozen_gateway_holds_its_rules_and_no_other(tmp_path: Path) -> None:
    house = Watched(tmp_path)
    async with (
        house.bus.subscribe(status_topic("s1", "+")) as statuses,
        house.bus.subscribe(again_topic("s1", "+")) as asked,
    ):
        work = [
            asyncio.create_task(one) for one in (house.gateways.listen(statuses), house.gateways.watch(0), house.tick())
        ]

        async def say(*gateways: str) -> None:
            for gateway in gateways:
                await house.bus.publish(status_topic("s1", gateway), encode(HERE))

        await asyncio.sleep(1)
        for asset in ("EL-001", "EL-002"):
            house.sample(asset, overload=True)
        for _ in range(12):
            await say("g1")
            await asyncio.sleep(STATUS)
        # g0 never said a word: its lift's minute was not over after the 30 s that silence takes
        assert house.judged == [("raise", "EL-002", 61.0)]
        assert asked.take_nowait() is None
        await say("g0", "g1")
        house.gateways.spoke("g0")
        await asyncio.sleep(LOOK)
        assert (await anext(asked)).topic == again_topic("s1", "g0")
        for _ in range(12):
            house.gateways.spoke("g0")
            await say("g1")
            await asyncio.sleep(STATUS)
        assert [(event, asset) for event, asset, _ in house.judged] == [("raise", "EL-002"), ("raise", "EL-001")]
        for task in work:
            task.cancel()
        await asyncio.wait(work)
