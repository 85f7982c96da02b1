"""The Modbus devices of a site: each a unit, those with one address behind one listener, each with its faults."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

from facility.assets import Device
from facility.catalog import Catalog
from facility.hardware import On, Subject
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.devices.wire import Served, total
from simulators.faultfile import repertoire
from simulators.scenario import Action

Ports = Literal["config", "free"]


class ModbusDevices:
    """Devices by id. `add` them all, then `start`. `seed` is that of all chance on their wires."""

    def __init__(self, catalog: Catalog, *, seed: int) -> None:
        self.units: dict[str, ModbusUnit] = {}
        self.hosts: dict[str, ModbusHost] = {}
        self._catalog, self._seed = catalog, seed
        self._devices: list[Device] = []

    def add(self, device: Device, refresh: Callable[[], None]) -> None:
        """Another device, not yet listening. `refresh` brings its unit up to date; it is called before each answer."""
        profile = self._catalog.profiles[device.profile]
        random = Random(f"{self._seed}/{device.id}/wire")
        self.units[device.id] = ModbusUnit(profile, unit=device.unit, rename=device.rename, random=random)
        self.units[device.id].refresh = refresh
        self._devices.append(device)

    def step(self, dt: float) -> None:
        """Let time on all wires go on by `dt` seconds."""
        for unit in self.units.values():
            unit.wire.seconds += dt

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Device id -> where it listens, for those that do."""
        return {device: (host.host, host.port) for device, host in self.hosts.items()}

    @property
    def served(self) -> Served:
        """What all of them have served."""
        return total(unit.served for unit in self.units.values())

    def subjects(self) -> dict[tuple[On, str], Subject]:
        """Every device with the faults that show at it."""
        faults = repertoire().faults_of(On.DEVICE)
        return {
            (On.DEVICE, device): Subject(
                On.DEVICE, device, {name: fault for name, fault in faults.items() if name in unit.faults}
            )
            for device, unit in self.units.items()
        }

    async def start(self, ports: Ports) -> None:
        """Listen; OSError when a port is taken, and then nothing listens."""
        places: dict[tuple[str, int], list[Device]] = {}
        for device in self._devices:
            places.setdefault((device.line.host, device.line.port), []).append(device)
        try:
            for (host, port), devices in places.items():
                server = ModbusHost(host, 0 if ports == "free" else port, [self.units[item.id] for item in devices])
                await server.start()
                self.hosts.update({device.id: server for device in devices})
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every listener."""
        for host in dict.fromkeys(self.hosts.values()):
            await host.stop()
        self.hosts.clear()

    def begin(self, action: Action) -> None:
        """A fault begins, params not named at their defaults; ValueError for an unknown fault."""
        unit = self._known(action)
        fault = repertoire().faults_of(On.DEVICE)[action.name]
        unit.wire.begin(fault.name, fault.filled(action.params))
        self._settle(action.subject)

    def end(self, action: Action) -> None:
        """A fault ends; ValueError for an unknown fault."""
        self._known(action).wire.end(action.name)
        self._settle(action.subject)

    def _known(self, action: Action) -> ModbusUnit:
        unit = self.units[action.subject]
        if action.name not in unit.faults:
            known = ", ".join(sorted(unit.faults))
            raise ValueError(f"{action.subject} has no fault {action.name!r}; known: {known}")
        return unit

    def _settle(self, device: str) -> None:
        if device in self.hosts:
            self.hosts[device].settle()
