"""A small plant for gateway tests: a class, a Modbus and an MQTT profile, a site, servers good and bad."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from facility.assets import Asset, Device, Line
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.config import Site
from facility.errors import DeviceError
from facility.points import (
    Ask,
    Availability,
    Kind,
    Label,
    Limits,
    Point,
    Profile,
    Register,
    State,
    Table,
    Topic,
    TopicValue,
)
from facility.readings import Quality, Value
from facility.settings import Settings
from gateway.modbus import ModbusConnection
from gateway.planner import Read

LABEL = Label("点", "point")
FAST = 0.05
"""Seconds between polls in tests on real sockets."""


def a_point(key: str, kind: Kind = Kind.ANALOG, **changes: object) -> Point:
    """A point; analog in [-1000, 1000] unless told."""
    base = Point(key, kind, LABEL, interval=FAST)
    if kind is Kind.ANALOG:
        base = replace(base, unit="V", low=-1000.0, high=1000.0)
    return replace(base, **changes)  # type: ignore[arg-type]


MODES = {number: State(number, code, LABEL) for number, code in enumerate(("off", "on", "fault"))}
POINTS = {
    point.key: point
    for point in (
        a_point("volts", deadband=0.5),
        a_point("temp"),
        a_point("energy", Kind.COUNTER, unit="kW.h"),
        a_point("mode", Kind.ENUM, states=MODES),
        a_point("running", Kind.DISCRETE),
        a_point("alarm", Kind.DISCRETE),
    )
}
CLASS = AssetClass("machine", LABEL, POINTS)

REGISTERS = (
    Register("volts", Table.HOLDING, 0, "uint16", scale=0.1),
    Register("temp", Table.HOLDING, 1, "int16", sentinels=frozenset({0x8000})),
    Register("energy", Table.HOLDING, 2, "uint32", words=2),
    Register("mode", Table.HOLDING, 4, "uint16"),
    Register("running", Table.DISCRETE, 0, "bool"),
    Register("alarm", Table.DISCRETE, 1, "bool", invert=True),
)
POLLED = Profile("box", "machine", LABEL, "test", "modbus", REGISTERS, Limits(timeout=0.2))
TOPICS = (
    Topic(
        "{base}/state",
        (
            TopicValue("volts", "/u"),
            TopicValue("temp", "/t"),
            TopicValue("energy", "/e"),
            TopicValue("mode", "/mode", values={"off": 0, "on": 1}),
            TopicValue("running", "/run"),
            TopicValue("alarm", "/alarm"),
        ),
        {"/id": "{id}"},
    ),
)
NATIVE = Profile(
    "native", "machine", LABEL, "test", "mqtt", topics=TOPICS, params=("base", "id"), stale_after=1.0,
    availability=Availability("{base}/online", "true", "false"),
    asks=(Ask("{base}/get", '{"id":"{id}"}', 0.5),),
)  # fmt: skip


def a_catalog(*profiles: Profile, points: Mapping[str, Point] = POINTS) -> Catalog:
    """The class with its profiles."""
    found = profiles or (POLLED, NATIVE)
    return Catalog({"machine": AssetClass("machine", LABEL, points)}, {profile.id: profile for profile in found})


def a_device(name: str = "d1", **changes: object) -> Device:
    """A polled device that serves the asset M-<name>."""
    base = Device(name, "gw", "box", f"M-{name}")
    return replace(base, **changes)  # type: ignore[arg-type]


def a_site(*devices: Device, folder: Path = Path("/nowhere")) -> Site:
    """A site with these devices, all at one gateway."""
    assets = {device.asset: Asset(device.asset, "machine", LABEL) for device in devices}
    return Site("s", LABEL, folder, "UTC", ("zh", "en"), ("gw",), {}, assets, devices, Settings())


@dataclass
class Recorder:
    """A sink that keeps everything."""

    samples: list[tuple[str, int, dict[str, Value], dict[str, Quality]]] = field(default_factory=list)
    history: list[tuple[str, int, dict[str, Value], dict[str, Quality]]] = field(default_factory=list)

    def add(
        self, asset: str, at: int, values: dict[str, Value], quality: dict[str, Quality], *, hist: bool = False
    ) -> None:
        """Keep one sample."""
        (self.history if hist else self.samples).append((asset, at, values, quality))

    def last(self, asset: str) -> dict[str, tuple[Value, Quality]]:
        """The newest value and quality of each point of an asset."""
        found: dict[str, tuple[Value, Quality]] = {}
        for name, _, values, quality in self.samples:
            if name == asset:
                found.update({key: (value, quality.get(key, Quality.GOOD)) for key, value in values.items()})
        return found

    def count(self, asset: str, key: str) -> int:
        """How often a point was told."""
        return sum(key in values for name, _, values, _ in self.samples if name == asset)


@dataclass
class Box:
    """What a simulated machine holds; pymodbus encodes it."""

    volts: int = 2301
    temp: int = -5
    energy: int = 70_000
    mode: int = 1
    running: bool = True
    alarm: bool = True
    answer: Callable[[int, int, int], ExcCodes | None] | None = None
    requests: int = 0

    def words(self) -> list[int]:
        """The holding registers."""
        types = ModbusClientMixin.DATATYPE
        encode = ModbusClientMixin.convert_to_registers
        parts = (
            (self.volts, types.UINT16),
            (self.temp, types.INT16),
            (self.energy, types.UINT32),
            (self.mode, types.UINT16),
        )
        return [word for value, type_ in parts for word in encode(value, type_)]

    def device(self, unit: int) -> SimDevice:
        """As pymodbus serves it."""
        nothing = [SimData(60_000, count=16, values=False, datatype=DataType.BITS)]
        flags = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        words = [SimData(0, count=5, datatype=DataType.REGISTERS)]
        empty = [SimData(60_000, count=1, datatype=DataType.REGISTERS)]

        async def act(
            function: int, _start: int, address: int, count: int, registers: list[int], _set: object
        ) -> ExcCodes | None:
            self.requests += 1
            if self.answer and (refused := self.answer(function, address, count)):
                return refused
            if function == 3:
                registers[:5] = self.words()
            elif function == 2:
                registers[0] = int(self.running) | int(self.alarm) << 1
            return None

        return SimDevice(id=unit, simdata=(nothing, flags, words, empty), action=act)


@asynccontextmanager
async def modbus_server(*boxes: Box, port: int = 0) -> AsyncIterator[int]:
    """A pymodbus server with the boxes as units 1, 2, ...; yields its port."""
    devices = [box.device(unit) for unit, box in enumerate(boxes, 1)]
    server = ModbusTcpServer(devices, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await server.shutdown()


Reply = Callable[[bytes], Sequence[bytes] | None]
"""Request frame -> pieces to send; None closes the connection."""


@asynccontextmanager
async def raw_server(reply: Reply) -> AsyncIterator[int]:
    """A TCP server that answers each Modbus frame with whatever `reply` gives; yields its port."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readexactly(6)
                frame = head + await reader.readexactly(int.from_bytes(head[4:6], "big"))
                pieces = reply(frame)
                if pieces is None:
                    return
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def good_reply(frame: bytes, words: Sequence[int] = (2301, 20, 0, 7, 1), flags: int = 3) -> bytes:
    """The right answer to a read request."""
    function, count = frame[7], int.from_bytes(frame[10:12], "big")
    address = int.from_bytes(frame[8:10], "big")
    if function in (1, 2):
        data = bytes([flags]) + bytes((count + 7) // 8 - 1)
    else:
        data = struct.pack(f">{count}H", *words[address : address + count])
    return frame[:4] + struct.pack(">HBBB", len(data) + 3, frame[6], function, len(data)) + data


class LoopClock:
    """The event loop's time as every kind of time, so that a virtual loop moves the wall clock too."""

    start = 1_700_000_000_000

    def ms(self) -> int:
        """Milliseconds since 1970."""
        return self.start + round(self.monotonic() * 1000)

    def now(self) -> datetime:
        """The same as an instant."""
        return datetime.fromtimestamp(self.ms() / 1000, UTC)

    def monotonic(self) -> float:
        """Seconds of the loop."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))


class FakeLine(ModbusConnection):
    """A connection without a socket, for virtual time. `units` that are not there time out; an answer takes `takes`."""

    def __init__(self, *units: int, takes: float = 0.01) -> None:
        super().__init__(Line(port=1))
        self.units = set(units)
        self.takes = takes
        self.asked: list[tuple[float, int, Read]] = []
        self.forbidden: set[int] = set()
        self.code = 0
        self.open = True
        self.words = list(range(200))

    @property
    def connected(self) -> bool:
        """Whether `open`."""
        return self.open

    async def read(
        self, device: str, unit: int, read: Read, timeout: float, *, quiet: float = 0.0, urgent: bool = False
    ) -> bytes:
        """As the real one, from `words`; refuses `forbidden` addresses, and everything with `code`."""
        self.asked.append((asyncio.get_running_loop().time(), unit, read))
        if not self.open:
            raise DeviceError(device, "refused", "no connection")
        if unit not in self.units:
            await asyncio.sleep(timeout)
            raise DeviceError(device, "timeout", "no answer")
        await asyncio.sleep(self.takes)
        self.took = self.takes
        if self.code:
            raise DeviceError(device, "exception", "exception", code=self.code)
        if self.forbidden & set(range(read.address, read.end)):
            raise DeviceError(device, "exception", "illegal data address", code=2)
        if read.table.is_bits:
            return bytes(read.size)
        return struct.pack(f">{read.count}H", *self.words[read.address : read.end])

    def times(self, unit: int) -> list[float]:
        """When a unit was asked."""
        return [at for at, asked, _ in self.asked if asked == unit]
