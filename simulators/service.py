"""The hardware of a site, running: steps every model, serves it over Modbus TCP and MQTT, plays scenarios.

Time: the models go `speed` times as fast as the clock. Devices' own clocks show the real time whatever the speed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from facility.assets import Device
from facility.bus import Bus
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.points import Kind
from facility.readings import Value
from simulators.building import QUANTUM, Building
from simulators.devices.faulty_bus import FaultyBus
from simulators.devices.lines import BrokerSwitch, Lines
from simulators.devices.modbus_server import ModbusHost, ModbusUnit, Served
from simulators.devices.native_host import NativeHost
from simulators.devices.natives import NATIVES
from simulators.faultfile import On
from simulators.making import points_of
from simulators.player import Player
from simulators.scenario import Action, Scenario, Subject

log = logging.getLogger(__name__)

LOG_LIMIT = 100_000
LEISURE = 10.0
"""Up to this speed the models step as finely as they can; above it, more coarsely, or the processor would be busy."""
FIXED = {
    "fw-lift-1": {0: 0x4C31, 1: 0x0100},
    "fw-fire-1": {0: 0x4631, 1: 0x0100},
    "fw-door-1": {0: 0x4431, 1: 0x0100},
}
"""Profile -> registers that identify the map and are no points."""

EVENT_POINTS = (".contact", ".forced", ".held", ".last_reason")
"""What an event-driven door controller tells at once; the rest waits until it is asked."""

Ports = Literal["config", "free"]


@dataclass(frozen=True, slots=True)
class Change:
    """The truth: from `at_ms` (wall clock, ms since 1970) on, the device answers `value`."""

    asset: str
    point: str
    at_ms: int
    value: Value


class Simulation:
    """All simulated devices of a site. `start`, then `run` beside `play`; `stop` in the end.

    `changes`: when discrete and enum points really changed on the wire (the newest 100,000). `served`: what the Modbus
    devices have answered. `gateways`: the connections of the gateways that can be disturbed here; they may come later.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of whoever runs the hardware
        self,
        site: Site,
        catalog: Catalog,
        *,
        bus: Bus | None,
        clock: Clock,
        seed: int = 1,
        speed: float = 1.0,
        step: float = 0.1,
        gateways: Mapping[str, FaultyBus] | None = None,
        broker: BrokerSwitch | None = None,
    ) -> None:
        self.site, self.speed = site, speed
        quantum = QUANTUM if speed <= LEISURE else 0.5
        self.building = Building(site, catalog, seed=seed, epoch=clock.ms() / 1000, quantum=quantum)
        self.changes: deque[Change] = deque(maxlen=LOG_LIMIT)
        self.served = Served()
        self.late = 0
        self._clock, self._catalog, self._step = clock, catalog, step
        self._units: list[tuple[str, ModbusUnit]] = []
        self._hosts: dict[str, ModbusHost] = {}
        self._lines = Lines({} if gateways is None else gateways, broker)
        self._truth: dict[str, dict[str, Value]] = {}
        self._watched: dict[str, tuple[str, ...]] = {}
        self._values = self.building.values()
        self._natives = NativeHost(bus, clock, lambda asset: self._values[asset])
        for device in site.devices:
            self._add_native(device)
        self._player: Player | None = None
        self._played = asyncio.Event()
        self._began = self._done = 0.0

    @property
    def subjects(self) -> dict[tuple[On, str], Subject]:
        """What can be acted upon, and how; what `load_scenario` wants to know."""
        return {**self.building.subjects(), **self._natives.subjects(), **self._lines.subjects()}

    @property
    def published(self) -> int:
        """Messages of the devices on the broker."""
        return self._natives.published

    @property
    def unpublished(self) -> int:
        """Messages that the broker was not there for."""
        return self._natives.unpublished

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Device id -> where it listens, for those that do."""
        return {device: (host.host, host.port) for device, host in self._hosts.items()}

    async def start(self, *, ports: Ports = "free") -> dict[str, tuple[str, int]]:
        """Listen; device id -> (host, port). `config` takes the ports of devices.yaml, `free` any that are free.

        OSError when a port is taken; then nothing listens.
        """
        hosts: dict[tuple[str, int], list[Device]] = {}
        for device in self.site.devices:
            profile = self._catalog.profiles[device.profile]
            if device.asset not in self.building.models:
                log.warning("%s: assets of this class are not simulated", device.id)
            elif device.id in self._natives.devices:
                self._watch(device)
            elif profile.protocol == "modbus":
                hosts.setdefault((device.host, device.port), []).append(device)
            else:
                log.warning("%s: the profile %s has no simulated device", device.id, device.profile)
        self._values = self.building.values()
        try:
            for (host, port), devices in hosts.items():
                units = [self._add_unit(device) for device in devices]
                server = ModbusHost(host, 0 if ports == "free" else port, units)
                await server.start()
                self._hosts.update({device.id: server for device in devices})
        except OSError:
            await self.stop()
            raise
        self._note(self._clock.ms(), self._watched)
        return self.addresses

    async def run(self) -> None:
        """Step all models until cancelled; a failing step is logged and the next one goes on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._natives.run(), name="simulated devices on the broker")
            await self._go()

    async def play(self, scenario: Scenario) -> None:
        """Play a scenario to its end beside `run`; what is still on when this is cancelled is ended."""
        self._player, self._played = Player(scenario, self), asyncio.Event()
        try:
            await self._played.wait()
        finally:
            player, self._player = self._player, None
            if player:
                player.stop()

    def begin(self, action: Action) -> None:
        """A fault begins; ValueError for an unknown subject or fault."""
        self._stage(action).begin(action)
        log.info("%s: %s begins", action.point or action.subject, action.name)

    def end(self, action: Action) -> None:
        """A fault ends; ValueError for an unknown subject or fault."""
        self._stage(action).end(action)
        log.info("%s: %s ends", action.point or action.subject, action.name)

    def act(self, action: Action) -> None:
        """Somebody does something; ValueError for an unknown subject or act."""
        self.building.act(action)
        log.info("%s: %s", action.subject, action.name)

    def inject(self, asset: str, fault: str, **params: float) -> None:
        """Begin a fault of an asset now; ValueError for an unknown asset or fault."""
        self.begin(Action(0.0, On.ASSET, asset, fault, params=params))

    async def stop(self) -> None:
        """Stop listening, and say goodbye on the broker."""
        for host in dict.fromkeys(self._hosts.values()):
            await host.stop()
        self._hosts.clear()
        await self._natives.stop()

    def tick(self, dt: float) -> None:
        """One step by `dt` seconds of the models' time: what `run` does again and again."""
        now = self._clock.ms()
        self.building.set_epoch(now / 1000 - dt)
        for piece in self._player.pieces(dt) if self._player else (dt,):
            self.building.go(piece)
        if self._player and self._player.over:
            self._played.set()
        self._values = self.building.values()
        for asset, unit in self._units:
            unit.update(self._values[asset])
        self._note(self._clock.ms(), (asset for asset, _ in self._units))
        for native in self._natives.devices.values():
            if self._natives.tell(native, dt):
                self._note(self._clock.ms(), [native.asset])

    def _stage(self, action: Action) -> Building | NativeHost | Lines:
        """Who plays a fault."""
        if action.on is On.DEVICE:
            return self._natives
        return self._lines if action.on in (On.GATEWAY, On.BROKER) else self.building

    def _add_unit(self, device: Device) -> ModbusUnit:
        profile = self._catalog.profiles[device.profile]
        fixed = FIXED.get(profile.id)
        unit = ModbusUnit(profile, unit=device.unit, rename=device.rename, fixed=fixed, served=self.served)
        unit.update(self._values[device.asset])
        self._units.append((device.asset, unit))
        self._watch(device)
        return unit

    def _add_native(self, device: Device) -> None:
        make, model = NATIVES.get(device.profile), self.building.models.get(device.asset)
        native = make(device, model, self.site.time_zone) if make and model else None
        if native:
            self._natives.add(device.id, device.asset, native)

    def _watch(self, device: Device) -> None:
        """Remember which points of the asset are discrete or enum, for the log of changes."""
        profile = self._catalog.profiles[device.profile]
        points = self._catalog.classes[profile.asset_class].points
        keys = points_of(dataclasses.replace(self.site, devices=(device,)), self._catalog)[device.asset]
        keys = frozenset(key for key in keys if points[key].kind in (Kind.DISCRETE, Kind.ENUM))
        if profile.protocol == "mqtt":
            keys = frozenset(key for key in keys if key.endswith(EVENT_POINTS))
        self._watched[device.asset] = tuple(sorted({*self._watched.get(device.asset, ()), *keys}))

    def _note(self, at_ms: int, assets: Iterable[str]) -> None:
        """Log what differs from the last time, for these assets."""
        for asset in dict.fromkeys(assets):
            known, values = self._truth.setdefault(asset, {}), self._values[asset]
            for key in self._watched[asset]:
                value = values.get(key)
                if key not in known or known[key] != value:
                    if key in known:
                        self.changes.append(Change(asset, key, at_ms, value))
                    known[key] = value

    async def _go(self) -> None:
        """Steps on an absolute schedule; one that comes late makes the next one longer instead of many short ones."""
        self._began, self._done = self._clock.monotonic(), 0.0
        while True:
            self._done += self._step
            behind = self._clock.monotonic() - self._began - self._done
            dt = self._step
            if behind > self._step:
                self.late += 1
                dt += behind
                self._done += behind
            await self._clock.sleep(self._began + self._done - self._clock.monotonic())
            try:
                self.tick(dt * self.speed)
            except Exception:
                log.exception("a step of the simulated hardware failed")


async def run_for(simulation: Simulation, seconds: float | None) -> None:
    """Run a started simulation for so many seconds (for ever if None), then stop it."""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await simulation.run()
    finally:
        await simulation.stop()
