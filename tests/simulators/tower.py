"""A part of the demo building with its gateways and the shipped rules, over a memory bus and in virtual time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from facility.bus import Bus, MemoryBus, Message
from facility.catalog import Catalog
from facility.config import Site
from facility.errors import BusError
from facility.presence import Presence
from facility.wire import Batch, Stored, decode, encode, parse_topic, readings_topic, status_topic, stored_topic
from gateway.service import Gateway, will
from gateway.spool import MemorySpool
from rules.book.mapped import mapped_points
from rules.effects import Judgement
from rules.engine import Engine
from rules.gateway_health import GatewayHealth
from simulators.devices.faulty_bus import FaultyBus
from simulators.scenario import Action
from simulators.service import Simulation
from tests.gateway.plant import LoopClock
from tests.simulators.oracle import Raised, judging

STEP = 1.0
"""Seconds of a step of the hardware and of the rules."""


@dataclass
class Tower:
    """What a test holds of it. `raised`: every alarm, `standing`: those that stand, as (rule, asset).

    Seconds are since the fault began.
    """

    simulation: Simulation
    gateways: dict[str, Gateway]
    lines: dict[str, FaultyBus]
    bus: MemoryBus
    raised: list[Raised] = field(default_factory=list)
    standing: set[tuple[str, str]] = field(default_factory=set)
    began: float = 0.0

    async def play(self, action: Action) -> None:
        """Play one fault for its length."""
        self.began = asyncio.get_running_loop().time()
        self.simulation.begin(action)
        await asyncio.sleep(action.lasts or 0.0)
        self.simulation.end(action)


def part(site: Site, *assets: str) -> Site:
    """The demo site with only some assets, their devices and the gateways."""
    kept = {key: dataclasses.replace(site.assets[key], parents=()) for key in (*assets, *site.gateways)}
    return dataclasses.replace(
        site, assets=kept, devices=tuple(device for device in site.devices if device.asset in assets)
    )


class Switch:
    """A broker that can be taken away: nobody's line is there then, and no last will is told."""

    def __init__(self) -> None:
        self.lines: list[FaultyBus] = []

    def away(self) -> None:
        for line in self.lines:
            line.begin("offline")

    def back(self) -> None:
        for line in self.lines:
            line.end("offline")

    def line(self, bus: Bus) -> FaultyBus:
        """One more connection to the broker."""
        self.lines.append(FaultyBus(bus))
        return self.lines[-1]


@asynccontextmanager
async def tower(demo: tuple[Site, Catalog], *assets: str) -> AsyncIterator[Tower]:
    """These assets of the demo building, running; only devices on the broker are read, Modbus needs real sockets."""
    site, catalog = part(demo[0], *assets), demo[1]
    clock, bus, switch = LoopClock(), MemoryBus(), Switch()
    lines: dict[str, FaultyBus] = {}
    simulation = Simulation(
        site, catalog, bus=switch.line(bus), clock=clock, step=STEP, gateways=lines, broker=switch
    )  # fmt: skip
    gateways = {}
    for name in site.gateways:
        lines[name] = FaultyBus(switch.line(bus), will=will(site.id, name, name))
        gateways[name] = Gateway(
            site, name, catalog, bus=lines[name], spool=MemorySpool(), clock=clock, version="1", boot=name
        )  # fmt: skip
    found = Tower(simulation, gateways, lines, bus)
    await simulation.start()
    work = [simulation.run(), *(gateway.run() for gateway in gateways.values())]
    work += [_watch(found, site, catalog, switch.line(bus)), _confirm(site, switch.line(bus))]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(simulation.stop)
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.sleep(60.4)
            assert not found.raised, "a quiet building raises nothing"
            yield found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                assert task.cancelled(), task


async def _confirm(site: Site, bus: Bus) -> None:
    """Confirm every batch, as ingest does."""
    async with bus.subscribe(readings_topic(site.id, "+"), limit=100_000) as messages:
        async for message in messages:
            gateway, batch = parse_topic(message.topic)[1], decode(Batch, message.payload)
            with suppress(BusError):
                stored = encode(Stored(batch.boot, [(batch.seq, batch.seq)]))
                await bus.publish(stored_topic(site.id, gateway), stored)


async def _watch(found: Tower, site: Site, catalog: Catalog, bus: Bus) -> None:
    """Judge readings and what gateways say of themselves by the shipped rules."""
    clock = LoopClock()
    engine = Engine(judging(site.assets, catalog, mapped_points(site, catalog)), site.assets, catalog)
    health = GatewayHealth(site.id, {name: Presence(clock.ms()) for name in site.gateways})
    topics = (readings_topic(site.id, "+"), status_topic(site.id, "+"))
    async with bus.subscribe(*topics, limit=100_000) as messages:
        while True:
            while message := messages.take_nowait():
                _judge(found, engine, health, message, clock.ms())
            judged = [item for sample in health.tick(clock.ms()) for item in engine.on_sample(sample)]
            _note(found, [*judged, *engine.on_tick(clock.ms())])
            await asyncio.sleep(STEP)


def _judge(found: Tower, engine: Engine, health: GatewayHealth, message: Message, now: int) -> None:
    if message.topic.endswith("/status"):
        said = health.hear(message.topic, message.payload, now, retained=message.retain)
        _note(found, engine.on_sample(said) if said else [])
        return
    batch = decode(Batch, message.payload)
    for sample in batch.samples:
        _note(found, engine.on_sample(sample, historical=batch.hist))


def _note(found: Tower, judged: list[Judgement]) -> None:
    for item in judged:
        if item.event == "raise":
            seconds = (item.at - LoopClock.start) / 1000 - found.began
            found.raised.append(Raised(seconds, item.asset, item.rule.id, item.rule.severity))
            found.standing.add((item.rule.id, item.asset))
        else:
            found.standing.discard((item.rule.id, item.asset))
