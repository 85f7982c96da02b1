"""The Modbus devices of a site: each a unit, those with one address behind one listener, each with its faults."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

from facility.assets import Device, Framing, Line
from facility.catalog import Catalog
from facility.hardware import On, Subject
from facility.readings import Value
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.devices.wire import Served, total
from simulators.faultfile import repertoire
from simulators.scenario import Action

Ports = Literal["config", "free"]


Place = tuple[str, int, str, bool]
"""Host, port (0: a free one), serial port, and whether frames are those of RTU."""


def _place(line: Line) -> Place:
    """Where the devices of a line listen. Those of a serial port can't be on it: they are on a free port of this
    machine, as if a converter stood between."""
    if line.serial:
        return "127.0.0.1", 0, line.serial, True
    return line.host, line.port, "", line.framing is Framing.RTU


class ModbusDevices:
    """Devices by id. `add` them all, then `start`. `seed` is that of all chance on their wires."""

    def __init__(self, catalog: Catalog, *, seed: int) -> None:
        self.units: dict[str, ModbusUnit] = {}
        self.hosts: dict[str, ModbusHost] = {}
        self._catalog, self._seed = catalog, seed
        self._devices: list[Device] = []

    def add(self, device: Device, refresh: Callable[[], None], obey: Callable[[str, Value], None]) -> None:
        """Another device, not yet listening. `refresh` brings its unit up to date; it is called before each answer.
        `obey` does what was written to it; see ModbusUnit."""
        profile = self._catalog.profiles[device.profile]
        random = Random(f"{self._seed}/{device.id}/wire")
        self.units[device.id] = ModbusUnit(profile, unit=device.unit, rename=device.rename, random=random)
        self.units[device.id].refresh = refresh
        self.units[device.id].obey = obey
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
        places: dict[Place, list[Device]] = {}
        for device in self._devices:
            places.setdefault(_place(device.line), []).append(device)
        try:
            for (host, port, _, is_rtu), devices in places.items():
                units = [self.units[item.id] for item in devices]
                server = ModbusHost(host, 0 if ports == "free" else port, units, is_rtu=is_rtu)
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
