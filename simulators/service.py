"""The hardware of a site, running: steps every model, serves it over Modbus TCP and MQTT, plays scenarios.

Time: the models go `speed` times as fast as the clock. Devices' own clocks show the real time whatever the speed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from facility.assets import Device
from facility.bus import Bus
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.hardware import On, Subject
from facility.points import Kind
from facility.readings import Value
from simulators.building import QUANTUM, Building
from simulators.devices.faulty_bus import FaultyBus
from simulators.devices.modbus_devices import ModbusDevices, Ports
from simulators.devices.native_host import NativeHost
from simulators.devices.natives import NATIVES
from simulators.devices.uplinks import BrokerSwitch, Uplinks
from simulators.devices.wire import Served
from simulators.faultfile import repertoire
from simulators.making import points_of
from simulators.models.model import SLICE
from simulators.player import Player
from simulators.scenario import Action, Scenario

log = logging.getLogger(__name__)
T = TypeVar("T")

LOG_LIMIT = 100_000
LEISURE = 10.0
"""Up to this speed the models step as finely as they can; above it, more coarsely, or the processor would be busy."""

EVENT_POINTS = (".contact", ".forced", ".held", ".last_reason")
"""What an event-driven door controller tells at once; the rest waits until it is asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """The truth: from `at_ms` (wall clock, ms since 1970) on, the device answers `value`."""

    asset: str
    point: str
    at_ms: int
    value: Value


class People(Protocol):
    """The people on duty."""

    def attend(self, act: str, asset: str) -> None:
        """Do something about the alarms or tickets of an asset, soon."""
        ...


class Simulation:
    """All simulated devices of a site. `start`, then `run` beside `play`; `stop` in the end.

    `changes`: when discrete and enum points really changed on the wire (the newest 100,000). `crashed`: device id ->
    why its simulation broke down; it answers no more, the others go on. An asset that no device reads stands there by
    its own id. `gateways`: the connections of the gateways that can be disturbed here; they may come later.
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
        quantum = QUANTUM if speed <= LEISURE and step <= 2 * QUANTUM else SLICE
        self.building = Building(site, catalog, seed=seed, epoch=clock.ms() / 1000, quantum=quantum)
        self.building.attempt = self._attempt
        self.crashed: dict[str, str] = {}
        self._broken: set[str] = set()
        self.changes: deque[Change] = deque(maxlen=LOG_LIMIT)
        self.late = 0
        self._clock, self._catalog, self._step = clock, catalog, step
        self._values: dict[str, dict[str, Value]] = {}
        self._modbus = ModbusDevices(catalog, seed=seed)
        self._natives = NativeHost(bus, clock, self.values_of, guard=self._guarded)
        self._uplinks = Uplinks({} if gateways is None else gateways, broker)
        self._polled = tuple(device for device in site.devices if self._is_polled(device))
        for device in self._polled:
            self._modbus.add(device, partial(self._update, device), partial(self._obey, device))
        for device in site.devices:
            self._add_native(device)
        self._truth: dict[str, dict[str, Value]] = {}
        self._watched: dict[str, tuple[str, ...]] = {}
        self.people: People | None = None
        """Who attends to alarms and tickets when a scenario says so; set by whoever runs the rest of the system too."""
        self.hand = Player(Scenario("by hand", 0.0, seed, ()), self)
        """What is done by hand, beside any scenario."""
        self.player: Player | None = None
        self._played = asyncio.Event()
        self._began = self._done = 0.0

    @property
    def subjects(self) -> dict[tuple[On, str], Subject]:
        """What can be acted upon, and how; what `load_scenario` wants to know."""
        duties = repertoire().acts_of(On.PEOPLE) if self.people else {}
        assets = {
            key: dataclasses.replace(subject, acts={**subject.acts, **duties})
            for key, subject in self.building.subjects().items()
        }
        return {**assets, **self._modbus.subjects(), **self._natives.subjects(), **self._uplinks.subjects()}

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
        return self._modbus.addresses

    @property
    def served(self) -> Served:
        """What all Modbus devices together have served."""
        return self._modbus.served

    @property
    def served_by(self) -> Mapping[str, Served]:
        """Modbus device id -> what it has served."""
        return {device: unit.served for device, unit in self._modbus.units.items()}

    async def start(self, *, ports: Ports = "free") -> dict[str, tuple[str, int]]:
        """Listen; device id -> (host, port). `config` takes the ports of devices.yaml, `free` any that are free.

        OSError when a port is taken; then nothing listens.
        """
        for device in self.site.devices:
            if device.asset not in self.building.models:
                log.warning("%s: assets of this class are not simulated", device.id)
            elif device.id in self._modbus.units or device.id in self._natives.devices:
                self._watch(device)
            else:
                log.warning("%s: the profile %s has no simulated device", device.id, device.profile)
        await self._modbus.start(ports)
        self._note(self._clock.ms(), self._watched)
        return self.addresses

    async def run(self) -> None:
        """Step all models until cancelled; a failing step is logged and the next one goes on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._natives.run(), name="simulated devices on the broker")
            await self._go()

    async def play(self, scenario: Scenario) -> None:
        """Play a scenario to its end beside `run`; what is still on when this is cancelled is ended."""
        self.player, self._played = Player(scenario, self), asyncio.Event()
        try:
            await self._played.wait()
        finally:
            player, self.player = self.player, None
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
        if action.on is On.PEOPLE and self.people:
            self.people.attend(action.name, action.subject)
        else:
            self.building.act(action)
        log.info("%s: %s", action.subject, action.name)

    def inject(self, asset: str, fault: str, **params: float) -> None:
        """Begin a fault of an asset now; ValueError for an unknown asset or fault."""
        self.begin(Action(0.0, On.ASSET, asset, fault, params=params))

    async def stop(self) -> None:
        """Stop listening, and say goodbye on the broker."""
        await self._modbus.stop()
        await self._natives.stop()

    def tick(self, dt: float) -> None:
        """One step by `dt` seconds of the models' time: what `run` does again and again."""
        now = self._clock.ms()
        self.building.set_epoch(now / 1000 - dt)
        for piece in self.player.pieces(dt) if self.player else (dt,):
            for part in self.hand.pieces(piece):
                self.building.go(part)
        if self.player and self.player.over:
            self._played.set()
        self._values.clear()
        self._modbus.step(dt)
        self._note(self._clock.ms(), (device.asset for device in self._polled))
        for native in self._natives.devices.values():
            self._natives.silence(native, silent=self._is_silent(native.id, native.asset))
            if self._guarded(native.id, partial(self._natives.tell, native, dt)):
                self._note(self._clock.ms(), [native.asset])

    def _stage(self, action: Action) -> Building | ModbusDevices | NativeHost | Uplinks:
        """Who plays a fault."""
        if action.on is On.DEVICE:
            return self._home_of(action.subject)
        return self._uplinks if action.on in (On.GATEWAY, On.BROKER) else self.building

    def _home_of(self, device: str) -> ModbusDevices | NativeHost:
        """Who has a device; ValueError for one that nobody has."""
        if device in self._natives.devices:
            return self._natives
        if device not in self._modbus.units:
            known = ", ".join(sorted({*self._modbus.units, *self._natives.devices}))
            raise ValueError(f"no simulated device {device!r}; known: {known}")
        return self._modbus

    def _is_polled(self, device: Device) -> bool:
        return device.asset in self.building.models and self._catalog.profiles[device.profile].protocol == "modbus"

    def values_of(self, asset: str) -> dict[str, Value]:
        """What the sensors of an asset show now; worked out when somebody asks, once a step."""
        if asset not in self._values:
            self._values[asset] = self.building.values_of(asset)
        return self._values[asset]

    def _update(self, device: Device) -> None:
        """Bring a device's registers up to date; asked for before each answer."""
        unit = self._modbus.units[device.id]
        self._guarded(device.id, partial(unit.update, self.values_of(device.asset)))
        unit.silent = self._is_silent(device.id, device.asset)

    def _obey(self, device: Device, key: str, value: Value) -> None:
        """Somebody has written to a device; ValueError when its model does not do that."""
        self.building.command(device.asset, key, value)
        self._values.pop(device.asset, None)
        log.info("%s: %s is set to %s", device.asset, key, value)

    def _is_silent(self, device: str, asset: str) -> bool:
        return device in self.crashed or self.building.models[asset].silent

    def _attempt(self, asset: str, act: Callable[[], None]) -> None:
        """Let a model do something; one that raises takes all devices of its asset down with it."""
        if asset in self._broken:
            return
        try:
            act()
        except Exception as error:
            self._broken.add(asset)
            devices = [device.id for device in self.site.devices if device.asset == asset]
            self._crash(devices or [asset], error)

    def _guarded(self, device: str, act: Callable[[], T]) -> T | None:
        """Let a device do something, unless it has crashed; if it raises, it has, and None comes of it."""
        if device in self.crashed:
            return None
        try:
            return act()
        except Exception as error:
            self._crash([device], error)
        return None

    def _crash(self, devices: Sequence[str], error: Exception) -> None:
        names = ", ".join(devices)
        log.error("%s: crashed, answers no more; the other devices go on", names, exc_info=error)
        for device in devices:
            self.crashed.setdefault(device, f"{type(error).__name__}: {error}")

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
            watched = self._watched.get(asset, ())
            if not watched:
                continue
            known, values = self._truth.setdefault(asset, {}), self.values_of(asset)
            for key in watched:
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
