"""Where a point of an asset is reached: over the pollers of a gateway, whatever devices and names are in between."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from facility.classfile import AssetClass
from facility.errors import DeviceError
from facility.points import Point, Register
from facility.readings import Quality, Value
from gateway.codec import decode
from gateway.driver import Driver
from gateway.health import State
from gateway.modbus import REFUSALS, ModbusConnection, Write
from gateway.mqtt import MqttDevice
from gateway.planner import Read
from gateway.poller import ModbusPoller
from gateway.unit import Unit


class UnreachableError(Exception):
    """No device of this gateway can be commanded like that; says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """One point of one Modbus device. Every request goes before the polls; DeviceError as from ModbusConnection."""

    connection: ModbusConnection
    unit: Unit
    register: Register
    point: Point

    @property
    def device(self) -> str:
        """The device's id."""
        return self.unit.device.id

    @property
    def down(self) -> str:
        """Why the device can't be asked; empty when it is not known to be down."""
        health = self.unit.health
        return f"the device {self.device} is down: {health.error}" if health.state is State.DOWN else ""

    async def words(self, register: Register) -> tuple[int, ...]:
        """The words of a register of the device as they are now (a bits table: one 0 or 1)."""
        read = Read(register.table, register.address, register.words, (register,))
        self.unit.counts["requests"] += 1
        data = await self.connection.read(
            self.device, self.unit.device.unit, read, self.unit.timeout, quiet=self.unit.limits.delay, urgent=True
        )
        return (data[0] & 1,) if register.table.is_bits else struct.unpack(f">{register.words}H", data)

    async def value(self) -> tuple[Value, Quality]:
        """The point as the device shows it now."""
        return decode(self.register, await self.words(self.register), self.point)

    async def written(self) -> tuple[Value, Quality]:
        """The value that stands where it is written; where that can't be read, the point itself."""
        place = self.register.written()
        try:
            return decode(place, await self.words(place), self.point)
        except DeviceError as error:
            if error.code not in REFUSALS or place == self.register:
                raise
            return await self.value()

    async def write(self, words: Sequence[int]) -> None:
        """Write the words of the place; returns when the device has confirmed."""
        place = self.register.written()
        multiple = self.register.writing is not None and self.register.writing.multiple
        write = Write(place.table, place.address, tuple(words), multiple)
        self.unit.counts["requests"] += 1
        await self.connection.write(
            self.device, self.unit.device.unit, write, self.unit.timeout, quiet=self.unit.limits.delay
        )


class Targets:
    """The points behind the drivers that a gateway has at the moment."""

    def __init__(
        self, drivers: Callable[[], Sequence[Driver]], classes: Callable[[], Mapping[str, AssetClass]]
    ) -> None:
        self._drivers = drivers
        self._classes = classes

    def asset_class(self, target: Target) -> AssetClass:
        """The class of the asset."""
        return self._classes()[target.unit.profile.asset_class]

    def find(self, asset: str, point: str) -> Target:
        """The point; of several devices that have it the first that says how it is written. UnreachableError."""
        found = [target for target in self._of(asset) if target.register.point == point]
        if found:
            return next((target for target in found if target.register.writing), found[0])
        native = [driver for driver in self._drivers() if isinstance(driver, MqttDevice)]
        names = ", ".join(driver.device.id for driver in native if driver.device.asset == asset)
        if names:
            raise UnreachableError(f"{point} of {asset} can't be commanded: {names} speaks MQTT")
        if not any(True for _ in self._of(asset)):
            raise UnreachableError(f"no device of this gateway serves an asset {asset!r}")
        raise UnreachableError(f"no device of this gateway has the point {point!r} of {asset}")

    def beside(self, target: Target, key: str) -> Target:
        """Another point that the profile of a target names, be it read or not, of the same asset. UnreachableError."""
        device = target.unit.device
        name = device.rename.get(key, key)
        for register in target.unit.profile.registers:
            if register.point == key:
                return replace(target, register=replace(register, point=name), point=target.unit.points[name])
        for other in self._of(device.asset):
            if other.register.point == name:
                return other
        raise UnreachableError(f"no device of this gateway shows {name} of {device.asset}")

    def _of(self, asset: str) -> Iterator[Target]:
        for driver in self._drivers():
            if isinstance(driver, ModbusPoller):
                for unit in driver.units:
                    if unit.device.asset == asset:
                        for register in unit.registers:
                            yield Target(driver.connection, unit, register, unit.points[register.point])
