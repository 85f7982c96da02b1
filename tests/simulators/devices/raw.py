"""The simplest Modbus client: a socket and bytes, so that nothing of a library stands between test and wire."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from facility.catalog import Catalog
from facility.hardware import On
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.faultfile import repertoire

LIFT = {"car.floor": 3, "car.position": 70_000.0, "dev.heartbeat": 9, "dev.epoch": 1_000_000, "pit.water": True}
"""What the units of these tests show."""


def begin(unit: ModbusUnit, fault: str, **params: float) -> None:
    """A fault begins with its default params, save those given."""
    known = repertoire().faults_of(On.DEVICE)[fault].params
    unit.wire.begin(fault, {name: param.default for name, param in known.items()} | params)


@asynccontextmanager
async def listening(catalog: Catalog, *, units: int = 2) -> AsyncIterator[tuple[ModbusHost, Sequence[ModbusUnit]]]:
    """A listener with lifts behind it, units 1, 2, ..."""
    lifts = [
        ModbusUnit(catalog.profiles["fw-lift-1"], unit=number, random=Random(number)) for number in range(1, units + 1)
    ]
    for lift in lifts:
        lift.update(LIFT)
    host = ModbusHost("127.0.0.1", 0, lifts)
    await host.start()
    try:
        yield host, lifts
    finally:
        await host.stop()


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.transaction = 0

    def ask(self, address: int, count: int = 1, *, unit: int = 1, function: int = 4) -> None:
        """Send a read; its transaction id is one more than the last."""
        self.transaction += 1
        self.send(struct.pack(">HHHBBHH", self.transaction, 0, 6, unit, function, address, count))

    def send(self, data: bytes) -> None:
        """Send anything."""
        self._writer.write(data)

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        return await self._reader.readexactly(size)

    async def frame(self) -> bytes:
        """A whole frame by its own length."""
        head = await self.exactly(6)
        return head + await self.exactly(int.from_bytes(head[4:6], "big"))

    async def silent(self, seconds: float = 30.0) -> bool:
        """Whether nothing comes for so long, in the loop's own time; what comes is lost."""
        try:
            async with asyncio.timeout(seconds):
                return not await self._reader.read(1)
        except TimeoutError:
            return True

    async def over(self) -> bool:
        """Whether the other side has closed the connection in order; ConnectionResetError when it broke it off."""
        return await self._reader.read(1) == b""

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()


@asynccontextmanager
async def connected(host: ModbusHost) -> AsyncIterator[Raw]:
    """A connection to a listener."""
    raw = Raw(*await asyncio.open_connection(host.host, host.port))
    try:
        yield raw
    finally:
        await raw.close()
