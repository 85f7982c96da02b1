"""A machine that takes commands, for tests in virtual time, and a bench to command it on."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from facility import wire
from facility.bus import MemoryBus
from facility.classfile import AssetClass
from facility.errors import DeviceError
from facility.points import Feedback, Kind, Limits, Profile, Register, Requirement, Table, Writing
from facility.wire import Command, CommandStep
from gateway.commander import Commander
from gateway.driver import Driver
from gateway.modbus import Write
from gateway.override_book import OverrideBook
from gateway.planner import Read
from gateway.poller import ModbusPoller
from gateway.targets import Targets
from gateway.unit import Unit
from tests.gateway.plant import LABEL, MODES, FakeLine, LoopClock, a_device, a_point

PRESS_POINTS = {
    point.key: point
    for point in (
        a_point("setting", low=0.0, high=200.0),
        a_point("valve", Kind.DISCRETE),
        a_point("lamp", Kind.DISCRETE),
        a_point("mode", Kind.ENUM, states=MODES),
        a_point("running", Kind.DISCRETE),
        a_point("speed", low=0.0, high=100.0),
        a_point("locked", Kind.DISCRETE),
        a_point("rate", low=0.0, high=100.0),
    )
}
SETTING, MODE, FLAGS, RATE, LOCKED = 0, 4, 5, 6, 7
"""Holding registers. Bit 3 of FLAGS is the lamp; the mode has to be 1 (on) for the valve."""
COIL, RUNNING = 3, 0
"""The coil of the valve; the discrete inputs: running, and beside it the state of the valve."""
PRESS = Profile(
    "press", "machine", LABEL, "test", "modbus",
    (
        Register("setting", Table.HOLDING, SETTING, "uint16", scale=0.1,
                 writing=Writing(Table.HOLDING, SETTING, low=10.0, high=90.0)),
        Register("valve", Table.DISCRETE, 1, "bool", writing=Writing(
            Table.COIL, COIL, requires=(Requirement("mode", equals="on"),), feedback=Feedback("running", 5.0),
            longest=3600.0)),
        Register("lamp", Table.HOLDING, FLAGS, "bit", bits=(3, 3), writing=Writing(Table.HOLDING, FLAGS)),
        Register("mode", Table.HOLDING, MODE, "uint16"),
        Register("running", Table.DISCRETE, RUNNING, "bool"),
        Register("rate", Table.HOLDING, RATE, "uint16",
                 writing=Writing(Table.HOLDING, RATE, low=0.0, high=100.0, two_people=True, multiple=True)),
        Register("locked", Table.HOLDING, LOCKED, "uint16"),
    ),
    limits=Limits(timeout=1.0),
)  # fmt: skip
ASSET = "M-d1"


class Press(FakeLine):
    """The machine. `deaf`: answers nothing. `stubborn`: confirms writes and does nothing. `stuck`: its valve does not
    follow the coil. `unconfirmed`: so many writes are done, but their confirmation is lost. `refuses`: exceptions of
    the next writes. `takes`: seconds of a request."""

    def __init__(self) -> None:
        super().__init__(1)
        self.holding = [0] * 16
        self.holding[SETTING], self.holding[MODE], self.holding[FLAGS], self.holding[RATE] = 500, 1, 0xA5A0, 7
        self.coil = False
        self.runs = False
        self.deaf = self.stubborn = self.stuck = False
        self.secret: set[Table] = set()
        self.unconfirmed = 0
        self.refuses: list[int] = []
        self.writes: list[Write] = []
        self.busy = 0
        self.most_busy = 0

    async def _request(self, device: str, timeout: float) -> None:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            await asyncio.sleep(timeout if self.deaf else self.takes)
        finally:
            self.busy -= 1
        if self.deaf:
            raise DeviceError(device, "timeout", "no answer of unit 1")

    async def read(
        self, device: str, unit: int, read: Read, timeout: float, *, quiet: float = 0.0, urgent: bool = False
    ) -> bytes:
        """The cells as they are."""
        self.asked.append((asyncio.get_running_loop().time(), unit, read))
        await self._request(device, timeout)
        if read.table in self.secret:
            raise DeviceError(device, "exception", "exception 2, illegal data address", code=2)
        if read.table is Table.COIL:
            return bytes([self.coil])
        if read.table is Table.DISCRETE:
            bits = int(self.runs) | int(self.coil) << 1
            return bytes([bits >> read.address & (1 << read.count) - 1])
        return struct.pack(f">{read.count}H", *self.holding[read.address : read.end])

    async def write(self, device: str, unit: int, write: Write, timeout: float, *, quiet: float = 0.0) -> None:
        """Do it."""
        await self._request(device, timeout)
        if self.refuses:
            code = self.refuses.pop()
            raise DeviceError(device, "exception", f"writing: exception {code}", code=code)
        self.writes.append(write)
        if not self.stubborn and write.table is Table.COIL:
            self.coil = bool(write.words[0])
            self.runs = self.runs if self.stuck else self.coil
        elif not self.stubborn:
            self.holding[write.address : write.address + len(write.words)] = write.words
        if self.unconfirmed:
            self.unconfirmed -= 1
            raise DeviceError(device, "timeout", "no answer of unit 1")


class Bench:
    """One gateway with its press. `kill` leaves it as kill -9 would; `start` begins with what is on the disk."""

    def __init__(self, file: Path | None, *, life_safety: bool = False, more: Sequence[Driver] = ()) -> None:
        self.file, self.bus, self.clock, self.press = file, MemoryBus(), LoopClock(), Press()
        self.classes = {"machine": AssetClass("machine", LABEL, PRESS_POINTS, life_safety)}
        self.unit = Unit(a_device(profile="press"), PRESS, PRESS_POINTS)
        self.poller = ModbusPoller(self.press, [self.unit], self.clock, lambda: 0.0)
        self.drivers: list[Driver] = [self.poller, *more]
        self.steps: list[CommandStep] = []
        self._heard = asyncio.Event()
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self.commander: Commander

    async def start(self) -> None:
        """The gateway starts."""
        book = OverrideBook(self.file)
        book.open()
        targets = Targets(lambda: self.drivers, lambda: self.classes)
        self.commander = Commander("s", "gw", targets, bus=self.bus, clock=self.clock, book=book)
        self._task = asyncio.create_task(self.commander.run())
        await asyncio.sleep(0.001)

    async def kill(self) -> None:
        """And is gone, in the middle of whatever it does."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def listen(self) -> None:
        """Note every step that is told."""
        async with self.bus.subscribe(wire.results_topic("s", "gw")) as messages:
            async for message in messages:
                self.steps.append(wire.decode(CommandStep, message.payload))
                self._heard.set()

    async def send(self, point: str, value: float | bool, **changes: object) -> str:
        """Somebody sends a command; its id."""
        self._count += 1
        now = self.clock.ms()
        given: dict[str, object] = {
            "id": f"c{self._count}", "asset": ASSET, "point": point, "value": value, "by": "ann", "at": now,
            "expires": now + 60_000,
        }  # fmt: skip
        command = Command(**given | changes)  # type: ignore[arg-type]
        await self.bus.publish(wire.commands_topic("s", "gw"), wire.encode(command))
        return command.id

    async def final(self, command: str, *, within: float = 60.0) -> CommandStep:
        """The next end that a command comes to."""
        return await self._end(command, len(self.steps), within)

    async def do(self, point: str, value: float | bool, **changes: object) -> CommandStep:
        """Send a command and wait for its end."""
        before = len(self.steps)
        return await self._end(await self.send(point, value, **changes), before, 60.0)

    async def _end(self, command: str, since: int, within: float) -> CommandStep:
        async with asyncio.timeout(within):
            while True:
                for step in self.steps[since:]:
                    if step.id == command and step.final:
                        return step
                self._heard.clear()
                await self._heard.wait()

    def of(self, command: str) -> list[str]:
        """The steps of a command so far."""
        return [step.step for step in self.steps if step.id == command]


@asynccontextmanager
async def a_bench(file: Path | None = None, *, life_safety: bool = False) -> AsyncIterator[Bench]:
    """A bench whose gateway is started."""
    bench = Bench(file, life_safety=life_safety)
    listening = asyncio.create_task(bench.listen())
    await asyncio.sleep(0)
    await bench.start()
    try:
        yield bench
    finally:
        await bench.kill()
        listening.cancel()
        await asyncio.wait([listening])
