"""Simulated devices before a real gateway and the shipped rules, over loopback sockets, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from facility import wire
from facility.assets import Line
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import On
from facility.presence import Presence
from facility.readings import Quality, Sample, Value
from facility.wire import DeviceStatus
from gateway.service import Gateway
from gateway.spool import MemorySpool
from rules.book.mapped import mapped_points
from rules.book.rulebook import PACKS, assign, read_rules
from rules.engine import Engine
from rules.gateway_health import GatewayHealth
from simulators.scenario import Action
from simulators.service import Simulation
from tests.gateway.plant import LoopClock
from tests.simulators.oracle import Raised


def only(site: Site, *devices: str) -> Site:
    """The site with these devices, their assets and their gateways."""
    kept = tuple(device for device in site.devices if device.id in devices)
    names = {device.asset for device in kept} | {device.gateway for device in kept}
    assets = {key: replace(site.assets[key], parents=()) for key in site.assets if key in names}
    return replace(site, assets=assets, devices=kept, gateways=tuple(sorted({item.gateway for item in kept})))


@dataclass
class Stage:
    """Simulated devices and the gateway that reads them. `raised` is stamped in seconds since `began`."""

    simulation: Simulation
    gateway: Gateway
    raised: list[Raised] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    began: float = 0.0
    engine: Engine | None = None

    def begin(self, device: str, fault: str, **params: float) -> None:
        """A fault begins now."""
        self.began = asyncio.get_running_loop().time()
        self.simulation.begin(Action(0.0, On.DEVICE, device, fault, params=params))

    def end(self, device: str, fault: str) -> None:
        """A fault ends now."""
        self.simulation.end(Action(0.0, On.DEVICE, device, fault))

    def status(self, device: str) -> DeviceStatus:
        """What the gateway thinks of a device."""
        return self.gateway.status().devices[device]

    def requests(self, device: str) -> int:
        """How often the gateway has asked a device."""
        return self.gateway.counters()[device]["requests"]

    async def until(self, seen: Callable[[], bool], *, within: float) -> float:
        """Seconds until `seen` holds; fails when it does not."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while not seen():
            assert loop.time() - begun < within, f"not within {within} s"
            await asyncio.sleep(0.1)
        return loop.time() - begun

    def judge(self, sample: Sample | None) -> None:
        """Show a sample to the rules."""
        if self.engine is None:
            return
        at = sample.at if sample else LoopClock().ms()
        judged = self.engine.on_sample(sample) if sample else self.engine.on_tick(at)
        seconds = asyncio.get_running_loop().time() - self.began
        self.raised += [
            Raised(seconds, item.asset, item.rule.id, item.rule.severity) for item in judged if item.event == "raise"
        ]

    def add(
        self, asset: str, at: int, values: dict[str, Value], quality: dict[str, Quality], *, hist: bool = False
    ) -> None:
        """The gateway has read something."""
        if not hist:
            self.judge(Sample(asset, at, values, quality))


@asynccontextmanager
async def staged(site: Site, catalog: Catalog, *devices: str, judged: tuple[str, ...] = ()) -> AsyncIterator[Stage]:
    """The devices' simulation and their one gateway, running; `judged`: the assets that the shipped rules look at."""
    site, clock = only(site, *devices), LoopClock()
    simulation = Simulation(site, catalog, bus=None, clock=clock)
    addresses = await simulation.start()
    wired = tuple(replace(item, line=Line(*addresses[item.id])) for item in site.devices)
    site = replace(site, devices=wired)
    name = site.gateways[0]
    bus, spool = MemoryBus(), MemorySpool(limit=1_000_000)
    stage = Stage(simulation, Gateway(site, name, catalog, bus=bus, spool=spool, clock=clock, version="test"))
    if judged:
        mapped = mapped_points(site, catalog)
        assets = {key: site.assets[key] for key in judged}
        stage.engine = Engine(assign(read_rules([PACKS], catalog, assets=site.assets), assets, mapped), assets, catalog)
    tasks = [asyncio.create_task(driver.run(stage)) for driver in stage.gateway.drivers]
    tasks.append(asyncio.create_task(_tell(stage, site.id, name)))
    try:
        yield stage
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await simulation.stop()


async def _tell(stage: Stage, site: str, name: str) -> None:
    """The gateway's status every second, as it tells it of each change, and a tick of the rules."""
    clock = LoopClock()
    health = GatewayHealth(site, {name: Presence(clock.ms())})
    while True:
        status = wire.encode(stage.gateway.status())
        stage.judge(health.hear(wire.status_topic(site, name), status, clock.ms()))
        stage.judge(None)
        await asyncio.sleep(1.0)
