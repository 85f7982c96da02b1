"""Commands over real sockets: they overtake a full load of polls, and a pymodbus server does what it is told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from facility import wire
from facility.assets import Line
from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.points import Profile, Register, Table, Writing
from facility.readings import Quality
from facility.wire import Command, CommandStep, Status
from gateway.modbus import ModbusConnection
from gateway.planner import Read
from gateway.service import Gateway
from gateway.spool import MemorySpool
from gateway.targets import Target
from gateway.unit import Unit
from tests.gateway.plant import POINTS, POLLED, a_catalog, a_device, a_site
from tests.services.waiting import until

PLACE = 200
"""The holding register that commands are written to; nobody polls it."""
VOLTS = Register("volts", Table.HOLDING, 0, "uint16", scale=0.1, writing=Writing(Table.HOLDING, PLACE, 0.0, 500.0))
COMMANDED = replace(POLLED, registers=(VOLTS, *POLLED.registers[1:]))
TEMP = Register("temp", Table.HOLDING, 1, "int16", writing=Writing(Table.HOLDING, 1, -40.0, 90.0, multiple=True))
MODE = Register("mode", Table.HOLDING, 4, "uint16", writing=Writing(Table.HOLDING, 4))


class Broker:
    """Sends commands to the gateway and notes what it tells."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.steps: list[CommandStep] = []
        self.statuses: list[Status] = []
        self._count = 0

    async def listen(self) -> None:
        results, status = wire.results_topic("s", "gw"), wire.status_topic("s", "gw")
        async with self.bus.subscribe(results, status) as messages:
            async for message in messages:
                if message.topic == status:
                    self.statuses.append(wire.decode(Status, message.payload))
                else:
                    self.steps.append(wire.decode(CommandStep, message.payload))

    async def send(self, asset: str, point: str, value: float) -> str:
        self._count += 1
        now = SystemClock().ms()
        command = Command(f"c{self._count}", asset, point, value, "ann", now, now + 10_000)
        await self.bus.publish(wire.commands_topic("s", "gw"), wire.encode(command))
        return command.id

    async def do(self, asset: str, point: str, value: float) -> CommandStep:
        command = await self.send(asset, point, value)

        def ends() -> list[CommandStep]:
            return [step for step in self.steps if step.id == command and step.final]

        await until(lambda: bool(ends()), limit=10)
        return ends()[0]


@asynccontextmanager
async def working(profile: Profile, port: int, *, units: int = 1) -> AsyncIterator[tuple[Gateway, Broker]]:
    broker = Broker()
    devices = [
        a_device(f"d{unit}", unit=unit, line=Line(port=port), speedup=10.0 if units > 1 else 1.0)
        for unit in range(1, units + 1)
    ]
    catalog, clock = a_catalog(profile), SystemClock()
    gateway = Gateway(a_site(*devices), "gw", catalog, bus=broker.bus, spool=MemorySpool(), clock=clock, version="1")
    tasks = [asyncio.create_task(broker.listen()), asyncio.create_task(gateway.run())]
    try:
        await until(lambda: all(state.state == "up" for state in gateway.status().devices.values()), limit=10)
        yield gateway, broker
    finally:
        gateway.stop()
        async with asyncio.timeout(5):
            await tasks[1]
        tasks[0].cancel()
        await asyncio.wait(tasks)


class SlowDevice:
    """Units behind one TCP listener that take their time; `log` has (function, address) of each request."""

    def __init__(self, takes: float) -> None:
        self.takes = takes
        self.log: list[tuple[int, int]] = []
        self.words = [2301, 20, 0, 7, 1] + [0] * 300

    def answer(self, frame: bytes) -> bytes:
        function, address = frame[7], int.from_bytes(frame[8:10], "big")
        if function in (5, 6):
            self.words[address] = int.from_bytes(frame[10:12], "big")
            return frame
        count = int.from_bytes(frame[10:12], "big")
        data = b"\3" if function == 2 else struct.pack(f">{count}H", *self.words[address : address + count])
        return frame[:4] + struct.pack(">HBBB", len(data) + 3, frame[6], function, len(data)) + data

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(6)
                frame = head + await reader.readexactly(int.from_bytes(head[4:6], "big"))
                self.log.append((frame[7], int.from_bytes(frame[8:10], "big")))
                await asyncio.sleep(self.takes)
                writer.write(self.answer(frame))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def slow(device: SlowDevice) -> AsyncIterator[int]:
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.slow
async def test_a_command_waits_for_the_request_under_way_and_no_more() -> None:
    device = SlowDevice(0.02)
    async with slow(device) as port, working(COMMANDED, port, units=4) as (gateway, broker):
        # each of 4 units wants 2 reads every 5 ms of a line that takes 20 ms for one
        await until(lambda: all(counts.get("overruns", 1) > 0 for counts in gateway.counters().values()), limit=10)
        for number in range(5):
            before = len(device.log)
            end = await broker.do(f"M-d{1 + number % 4}", "volts", 100.0 + number)
            assert end.step == "done", end
            ours = [at for at, (_, address) in enumerate(device.log[before:]) if address == PLACE]
            assert len(ours) == 3
            # a poll that the line has begun meanwhile goes before it, one at most each time
            assert ours[0] <= 1
            assert all(later - earlier <= 2 for earlier, later in pairwise(ours))
            assert device.words[PLACE] == 1000 + number * 10
        polls = len(device.log)
        await until(lambda: len(device.log) > polls + 8)


@pytest.mark.slow
async def test_what_a_command_asks_overtakes_polls_that_wait() -> None:
    device = SlowDevice(0.01)
    async with slow(device) as port:
        connection = ModbusConnection(Line(port=port))
        unit = Unit(a_device(line=Line(port=port)), COMMANDED, POINTS)
        target = Target(connection, unit, VOLTS, POINTS["volts"])
        polls = [
            asyncio.create_task(connection.read("d1", 1, Read(Table.HOLDING, address, 1, ()), 1.0))
            for address in range(10, 16)
        ]
        await until(lambda: len(device.log) == 1)
        assert await target.written() == (0.0, Quality.GOOD)
        await target.write([77])
        # each waits for the poll that is under way, and goes before the four or five that wait already
        assert device.log[:4] == [(3, 10), (3, PLACE), (3, 11), (6, PLACE)]
        await asyncio.gather(*polls)
        assert [address for _, address in device.log[4:]] == [12, 13, 14, 15]
        connection.close()


@asynccontextmanager
async def pymodbus_device(
    act: Callable[[int, int], ExcCodes | None] = lambda *_: None,
) -> AsyncIterator[tuple[int, list[tuple[int, int]]]]:
    """A pymodbus server whose registers take what is written; its port, and (function, address) of each request."""
    log: list[tuple[int, int]] = []

    async def action(
        function: int, _start: int, address: int, _count: int, _registers: list[int], values: object
    ) -> ExcCodes | None:
        log.append((function, address))
        return act(function, address) if values is not None else None

    bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
    words = [SimData(0, count=8, datatype=DataType.REGISTERS)]
    nothing = [SimData(60_000, count=1, datatype=DataType.REGISTERS)]
    device = SimDevice(id=1, simdata=(bits, bits, words, nothing), action=action)
    server = ModbusTcpServer([device], address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1], log  # type: ignore[attr-defined]
    finally:
        await server.shutdown()


@pytest.mark.slow
async def test_a_pymodbus_server_takes_commands() -> None:
    registers = (POLLED.registers[0], TEMP, *POLLED.registers[2:3], MODE, *POLLED.registers[4:])
    async with pymodbus_device() as (port, log), working(replace(POLLED, registers=registers), port) as (_, broker):
        assert (await broker.do("M-d1", "temp", -7)).value == -7
        assert (16, 1) in log
        assert (await broker.do("M-d1", "mode", 2)).step == "done"
        assert (6, 4) in log
        assert (await broker.do("M-d1", "mode", 7)).step == "refused"


@pytest.mark.slow
async def test_a_refused_write_is_in_the_status_at_once_and_an_alarm_for_the_rules() -> None:
    registers = (*POLLED.registers[:3], MODE, *POLLED.registers[4:])
    device = pymodbus_device(lambda *_: ExcCodes.ILLEGAL_VALUE)
    async with device as (port, _), working(replace(POLLED, registers=registers), port) as (gateway, broker):
        end = await broker.do("M-d1", "mode", 2)
        assert end.message == "the device refuses it: writing holding 4: exception 3, illegal data value"
        await until(lambda: bool(broker.statuses and broker.statuses[-1].command_problem))
        assert broker.statuses[-1].command_problem == f"M-d1 mode: {end.message}"
        assert gateway.counters()["commands"]["failed"] == 1
        assert gateway.crashes == 0
