"""One contract for Modbus servers of others: libmodbus in C, modbus-serial in JavaScript, pymodbus, on every transport.

Each holds the machine of `TABLE`, laid out by its own encoder in its own source (tests/peers), and must give exactly
the same readings to a real poller; answer the largest requests; refuse what it does not have; and hold afterwards, by
its own account, what was written.
"""

from __future__ import annotations

import asyncio
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from facility.assets import Framing, Line
from facility.clock import SystemClock
from facility.errors import DeviceError
from facility.points import Kind, Limits, Profile, Register, Table
from facility.readings import Quality, Value
from gateway.health import State
from gateway.modbus import ModbusConnection, Write
from gateway.planner import Read
from gateway.poller import ModbusPoller
from gateway.unit import Unit
from tests.gateway.lines import converter, joined
from tests.gateway.plant import LABEL, Recorder, a_device, a_point
from tests.services.ports import free_port
from tests.services.require import PEERS, require, require_peer
from tests.services.waiting import until

pytestmark = pytest.mark.slow

UNITS = (1, 2)
WIDE = {"low": -1e10, "high": 1e10}
H, I, C, D = Table.HOLDING, Table.INPUT, Table.COIL, Table.DISCRETE  # noqa: E741
TABLE: Sequence[tuple[Register, Kind, Callable[[int], Value]]] = [
    (Register("uint16", H, 0, "uint16"), Kind.ANALOG, lambda unit: 2300 + unit),
    (Register("int16", H, 1, "int16"), Kind.ANALOG, lambda _: -5),
    (Register("uint32", H, 2, "uint32", words=2), Kind.COUNTER, lambda _: 70_000),
    (Register("uint32_swapped", H, 4, "uint32", words=2, word_order="little"), Kind.COUNTER, lambda _: 3_000_000_000),
    (Register("float32", H, 6, "float32", words=2), Kind.ANALOG, lambda _: 230.25),
    (Register("float32_swapped", H, 8, "float32", words=2, word_order="little"), Kind.ANALOG, lambda _: -0.15625),
    (Register("string", H, 10, "string", words=4), Kind.TEXT, lambda _: "PUMP-7/B"),
    (Register("int32", H, 14, "int32", words=2), Kind.ANALOG, lambda _: -70_000),
    (Register("input_uint16", I, 0, "uint16"), Kind.ANALOG, lambda unit: 40_000 + unit),
    (Register("input_int16", I, 1, "int16"), Kind.ANALOG, lambda _: -32_768),
    (Register("coil_on", C, 0, "bool"), Kind.DISCRETE, lambda _: True),
    (Register("coil_off", C, 1, "bool"), Kind.DISCRETE, lambda _: False),
    (Register("coil_ninth", C, 9, "bool"), Kind.DISCRETE, lambda _: True),
    (Register("discrete_off", D, 2, "bool"), Kind.DISCRETE, lambda _: False),
    (Register("discrete_on", D, 3, "bool"), Kind.DISCRETE, lambda _: True),
]
POINTS = {
    register.point: a_point(register.point, kind, **(WIDE if kind is Kind.ANALOG else {}))
    for register, kind, _ in TABLE
}
PROFILE = Profile(
    "peer", "machine", LABEL, "test", "modbus", tuple(item[0] for item in TABLE), Limits(timeout=2.0, gap=0)
)
WRITES = (
    Write(C, 4100, (1,)),
    Write(C, 4100, (0,)),
    Write(H, 200, (0xFFFE,)),
    Write(C, 4100, (1,), multiple=True),
    Write(H, 200, (7,), multiple=True),
    Write(C, 4101, (1, 0, 1, 1, 0, 0, 0, 1, 1)),
    Write(H, 201, tuple(range(1, 124))),
)
"""With each of the functions 5, 6, 15 and 16, the last with as many registers as it takes."""


def expected(unit: int) -> dict[str, tuple[Value, Quality]]:
    """Every reading of a unit."""
    return {register.point: (value(unit), Quality.GOOD) for register, _, value in TABLE}


Account = Callable[[int, Table, int, int], Awaitable[list[int]]]
"""(unit, table, first, count) -> what the peer itself says that it holds there, after something was written."""


@dataclass
class Peer:
    """A server of others and the line that leads to it."""

    line: Line
    account: Account


@dataclass
class Program:
    """A peer in processes of its own; it says what it holds after each write."""

    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    held: dict[tuple[int, str, int], int] = field(default_factory=dict)
    said: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    listening: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, *command: str | Path) -> int:
        """Start one and wait until it is ready; the port that it listens on."""
        process = await asyncio.create_subprocess_exec(*command, cwd=PEERS, stdout=subprocess.PIPE)
        self.processes.append(process)
        assert process.stdout
        async with asyncio.timeout(20):
            words = (await process.stdout.readline()).split()
        assert words[:1] == [b"ready"], words
        self.listening.append(asyncio.create_task(self._listen(process.stdout)))
        return int(words[1])

    async def _listen(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self.said.put_nowait(line)

    async def account(self, unit: int, table: Table, first: int, count: int) -> list[int]:
        """By its output so far, waiting until it has spoken of them all."""
        wanted = [(unit, str(table), first + place) for place in range(count)]
        async with asyncio.timeout(10):
            while not all(key in self.held for key in wanted):
                said, kind, start, *values = (await self.said.get()).decode().split()
                for place, value in enumerate(values):
                    self.held[int(said), kind, int(start) + place] = int(value)
        return [self.held.pop(key) for key in wanted]

    async def stop(self) -> None:
        """End them."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self.listening)


@pytest.fixture(scope="session")
def libmodbus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server in C, compiled."""
    require("/usr/include/modbus/modbus.h", "libmodbus-dev")
    compiler, binary = require("cc", "gcc"), tmp_path_factory.mktemp("libmodbus") / "server"
    source = PEERS / "libmodbus.c"
    subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-o", binary, source, "-lmodbus"], check=True)
    return binary


@asynccontextmanager
async def program(command: Sequence[str | Path], transport: str, folder: Path) -> AsyncIterator[Peer]:
    """A peer that has a TCP server for many units and a serial server for one."""
    async with AsyncExitStack() as stack:
        running = Program()
        stack.push_async_callback(running.stop)
        if transport == "tcp":
            own = [str(free_port())] if len(command) > 1 else []
            yield Peer(Line("127.0.0.1", await running.start(*command, "tcp", *own)), running.account)
            return
        line, paths = await lead(stack, transport, folder, len(UNITS))
        starting = [running.start(*command, "rtu", path, str(unit)) for unit, path in zip(UNITS, paths, strict=True)]
        await asyncio.gather(*starting)
        # modbus-serial takes what comes within some milliseconds for one frame, the answer of another unit included
        yield Peer(replace(line, delay=0.03) if len(command) > 1 else line, running.account)


async def lead(stack: AsyncExitStack, transport: str, folder: Path, devices: int) -> tuple[Line, list[str]]:
    """A serial line, or one behind a converter, and the paths at which its devices are."""
    if transport == "serial":
        path, paths = stack.enter_context(joined(folder, devices))
        return Line("", 0, Framing.RTU, serial=path, baud=19_200), paths
    port, paths = await stack.enter_async_context(converter(devices))
    return Line("127.0.0.1", port, Framing.RTU, baud=19_200), paths


def sim_device(unit: int) -> SimDevice:
    """The machine laid out by pymodbus."""
    words = [0] * 1200
    types = ModbusClientMixin.DATATYPE
    for place, value, kind, order in (
        (0, 2300 + unit, types.UINT16, "big"), (1, -5, types.INT16, "big"), (2, 70_000, types.UINT32, "big"),
        (4, 3_000_000_000, types.UINT32, "little"), (6, 230.25, types.FLOAT32, "big"),
        (8, -0.15625, types.FLOAT32, "little"), (10, "PUMP-7/B", types.STRING, "big"),
        (14, -70_000, types.INT32, "big"),
    ):  # fmt: skip
        encoded = ModbusClientMixin.convert_to_registers(value, kind, word_order=order)  # type: ignore[arg-type]
        words[place : place + len(encoded)] = encoded
    words[1000:1125] = [place * 523 + unit & 0xFFFF for place in range(125)]
    coils = [False] * 4200
    coils[0] = coils[9] = True
    coils[2000:4000] = [place % 3 == unit % 3 for place in range(2000)]
    bits = [place == 3 for place in range(16)]
    inputs = [40_000 + unit, 0x8000] + [0] * 14
    return SimDevice(
        id=unit,
        simdata=(
            [SimData(0, values=coils, datatype=DataType.BITS)],
            [SimData(0, values=bits, datatype=DataType.BITS)],
            [SimData(0, values=words, datatype=DataType.REGISTERS)],
            [SimData(0, values=inputs, datatype=DataType.REGISTERS)],
        ),
    )


@asynccontextmanager
async def pymodbus(transport: str, folder: Path) -> AsyncIterator[Peer]:
    """pymodbus's own servers; it has RTU over TCP too."""
    devices = [sim_device(unit) for unit in UNITS]
    async with AsyncExitStack() as stack:
        if transport == "serial":
            line, (path,) = await lead(stack, transport, folder, 1)
            server: ModbusTcpServer | ModbusSerialServer = ModbusSerialServer(devices, port=path, baudrate=19_200)
            await server.serve_forever(background=True)
        else:
            framer, framing = (FramerType.SOCKET, Framing.TCP) if transport == "tcp" else (FramerType.RTU, Framing.RTU)
            server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", 0))
            await server.serve_forever(background=True)
            line = Line("127.0.0.1", server.transport.sockets[0].getsockname()[1], framing)  # type: ignore[attr-defined]
        stack.push_async_callback(server.shutdown)

        async def account(unit: int, table: Table, first: int, count: int) -> list[int]:
            function = 1 if table is Table.COIL else 3
            return [int(value) for value in await server.async_getValues(unit, function, first, count)]

        yield Peer(line, account)


TRANSPORTS = ("tcp", "serial", "rtu-over-tcp")


@pytest.fixture(
    params=[
        *[pytest.param(("libmodbus", name), marks=pytest.mark.service("libmodbus")) for name in TRANSPORTS],
        *[pytest.param(("modbus-serial", name), marks=pytest.mark.service("node")) for name in TRANSPORTS],
        *[("pymodbus", name) for name in TRANSPORTS],
    ],
    ids="-".join,
)
async def peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Peer]:
    kind, transport = request.param
    if kind == "libmodbus":
        made = program([request.getfixturevalue("libmodbus")], transport, tmp_path)
    elif kind == "modbus-serial":
        made = program([require_peer("modbus-serial"), "modbus.js"], transport, tmp_path)
    else:
        made = pymodbus(transport, tmp_path)
    async with made as found:
        yield found


@pytest.fixture
async def connection(peer: Peer) -> AsyncIterator[ModbusConnection]:
    line = ModbusConnection(peer.line)
    yield line
    line.close()


async def test_every_peer_gives_the_same_readings(peer: Peer) -> None:
    units = [Unit(a_device(f"d{unit}", unit=unit, line=peer.line), PROFILE, POINTS) for unit in UNITS]
    poller, sink = ModbusPoller(ModbusConnection(peer.line), units, SystemClock(), lambda: 0.0), Recorder()
    task = asyncio.create_task(poller.run(sink))
    await until(lambda: all(set(sink.last(f"M-d{unit}")) == set(POINTS) for unit in UNITS), limit=20)
    task.cancel()
    await asyncio.wait([task])
    for unit in UNITS:
        assert sink.last(f"M-d{unit}") == expected(unit)
        assert poller.status()[f"d{unit}"].state == State.UP
        assert poller.status()[f"d{unit}"].error == ""


async def test_the_largest_requests(connection: ModbusConnection) -> None:
    for unit in UNITS:
        words = await connection.read("d1", unit, Read(H, 1000, 125, ()), 2.0)
        assert words == struct.pack(">125H", *(place * 523 + unit & 0xFFFF for place in range(125)))
        bits = await connection.read("d1", unit, Read(C, 2000, 2000, ()), 2.0)
        assert [bits[place // 8] >> place % 8 & 1 for place in range(2000)] == [
            int(place % 3 == unit % 3) for place in range(2000)
        ]


async def test_what_it_does_not_have_is_an_illegal_address(connection: ModbusConnection) -> None:
    for table in (H, I, C, D):
        with pytest.raises(DeviceError, match=rf"{table} 9000\.\.9001: exception 2, illegal data address") as caught:
            await connection.read("d1", 1, Read(table, 9000, 2, ()), 2.0)
        assert (caught.value.kind, caught.value.code) == ("exception", 2)
    with pytest.raises(DeviceError, match="writing holding 9000: exception 2"):
        await connection.write("d1", 2, Write(H, 9000, (1,)), 2.0)
    assert len(await connection.read("d1", 1, Read(H, 0, 16, ()), 2.0)) == 32


async def test_what_is_written_is_what_it_holds(peer: Peer, connection: ModbusConnection) -> None:
    for write in WRITES:
        for unit in UNITS:
            words = tuple(word ^ (unit == 2) for word in write.words)
            await connection.write("d1", unit, replace(write, words=words), 2.0)
            assert await peer.account(unit, write.table, write.address, len(words)) == list(words), write
