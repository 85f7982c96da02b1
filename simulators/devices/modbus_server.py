"""Simulated Modbus TCP devices: the registers of a unit, and the listener with the units behind it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from random import Random

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from facility.points import Profile, Table
from facility.readings import Value
from simulators.devices.line import Listener
from simulators.devices.registers import Image
from simulators.devices.wire import FAULTS, Served, Wire
from simulators.devices.writes import WRITES, WriteError, Writes

log = logging.getLogger(__name__)

TABLES = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
"""Function code of a read -> table."""

NOWHERE = 65_520
"""Where a table that the device does not have is put: pymodbus wants something in each."""
CLOCK = "dev.epoch"
"""The point that shows a device's own clock."""
AGAIN = 1.0
"""Seconds until a port that somebody else has taken meanwhile is tried again."""


class ModbusUnit:
    """One device behind a unit id: its registers, its faults, and what it has served.

    `rename`: see Image. `random` is where the chance in its faults comes from. A `silent` one answers nobody. Its owner
    may set `refresh`, which is called before each answer and brings it up to date, and `obey`, which is called with
    each point of the asset that somebody has written, and its value; ValueError refuses it.
    """

    def __init__(
        self, profile: Profile, *, unit: int = 1, rename: Mapping[str, str] | None = None,
        random: Random | None = None,
    ) -> None:  # fmt: skip
        self.profile = profile
        self.unit = unit
        self.silent = False
        self.refresh: Callable[[], None] = _as_it_is
        self.obey: Callable[[str, Value], None] = _not_at_all
        self.served = Served()
        self.image = Image(profile, rename=rename)
        function = next(code for code, table in TABLES.items() if table is self.image.home)
        self.wire = Wire(random or Random(unit), home=function)
        self._rename = rename
        self._writes = Writes(profile, rename=rename)
        self._twin: Image | None = None
        self._values: Mapping[str, Value] = {}

    @property
    def faults(self) -> frozenset[str]:
        """The faults that show at this device: not every one has a clock, or values of 32 bits."""
        wide = any(block.pairs for block in self.image.blocks.values())
        absent = {"clock_drift": CLOCK in self.image.keys, "swapped_words": wide}
        return FAULTS - {fault for fault, shows in absent.items() if not shows}

    def update(self, values: Mapping[str, Value]) -> None:
        """Take the asset's values over into the registers; ValueError when one can't be shown."""
        ahead, clock = self.wire.clock(), values.get(CLOCK)
        if ahead and isinstance(clock, int | float):
            values = {**values, CLOCK: max(0, int(clock + ahead))}
        self._values = values
        self.image.update(values)

    def words(self, table: Table, address: int, count: int = 1) -> list[int]:
        """The words (bits tables: words of 16) that an honest device would give now."""
        return self.image.words(table, address, count)

    def device(self) -> SimDevice:
        """The device as pymodbus serves it."""
        coil, discrete, holding, inputs = (self._simdata(table) for table in TABLES.values())
        return SimDevice(id=self.unit, simdata=(coil, discrete, holding, inputs), action=self._act)

    def _simdata(self, table: Table) -> list[SimData]:
        block = self.image.blocks.get(table)
        if table.is_bits:
            if block is None:
                return [SimData(NOWHERE, count=16, values=False, datatype=DataType.BITS)]
            return [SimData(block.start * 16, count=len(block.words) * 16, values=False, datatype=DataType.BITS)]
        if block is None:
            return [SimData(NOWHERE, count=1, datatype=DataType.INVALID)]
        return [SimData(first, count=last - first + 1, datatype=DataType.REGISTERS) for first, last in block.runs]

    async def _act(
        self, function: int, _start: int, address: int, _count: int, registers: list[int],
        set_values: Sequence[int] | Sequence[bool] | None,
    ) -> ExcCodes | None:  # fmt: skip
        """pymodbus asks before it answers: bring its registers up to date, or take a write over."""
        if function in WRITES:  # without values it asks what to confirm: that is what it has put down already
            return None if set_values is None else self._take(WRITES[function], address, [int(v) for v in set_values])
        table = TABLES.get(function)
        if table is None or set_values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        image = self._other() if self.wire.twin() else self.image
        block = image.blocks.get(table)
        if block is None:
            return ExcCodes.ILLEGAL_ADDRESS
        registers[: len(block.words)] = block.swapped() if "swapped_words" in self.wire.on else block.words
        return None

    def _take(self, table: Table, address: int, cells: Sequence[int]) -> ExcCodes | None:
        """Do what somebody has written, or refuse it."""
        try:
            before = self.image.cells(table, address, len(cells))
            for key, value in self._writes.meant(table, address, cells, before).items():
                self.obey(key, value)
        except WriteError as error:
            return error.code
        except ValueError as error:
            log.info("unit %s does not do it: %s", self.unit, error)
            return ExcCodes.ILLEGAL_VALUE
        return None

    def _other(self) -> Image:
        """The registers of the second device that has this unit id."""
        level = self.wire.level()
        if self._twin is None or self._twin.level != level:
            self._twin = Image(self.profile, rename=self._rename, level=level)
        self._twin.update(self._values)
        return self._twin


def _as_it_is() -> None:
    """Nothing: the owner updates the unit when it has something new."""


def _not_at_all(key: str, _value: Value) -> None:
    """Nobody stands behind the device who could do something."""
    raise ValueError(f"nobody obeys for {key}")


class ModbusHost:
    """One TCP listener with the units behind it. Port 0 takes a free one. `is_rtu`: with frames of a serial line."""

    def __init__(self, host: str, port: int, units: Iterable[ModbusUnit], *, is_rtu: bool = False) -> None:
        self.host, self.port, self.is_rtu = host, port, is_rtu
        self.units = tuple(units)
        self._server: Listener | None = None
        self._held: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether a client would be accepted now."""
        return self._server is not None and self._server.is_active()

    async def start(self) -> tuple[str, int]:
        """Listen; the real address. OSError when the port is taken or not ours to take."""
        # pymodbus logs every odd frame of any client in full
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        try:
            bound = _bound(self.host, self.port)
        except OSError as error:
            why = "ports below 1024 are root's" if isinstance(error, PermissionError) else "is the port taken?"
            raise OSError(f"{self.host}:{self.port} can't be listened on: {why} {error}") from error
        self.port = int(bound.getsockname()[1])
        server = Listener(self.units, (self.host, self.port), is_rtu=self.is_rtu)
        if not await server.serve(bound):
            bound.close()
            raise OSError(f"{self.host}:{self.port} can't be listened on: is the port taken?")
        self._server = server
        self.settle()
        return self.host, self.port

    def settle(self) -> None:
        """Close or open the listener as the faults of its units want it now.

        Nobody can take the port meanwhile: a socket that does not listen holds it.
        """
        if self._server is None:
            return
        refuses = any("refuse" in unit.wire.on for unit in self.units)
        if refuses and self.listening:
            self._server.close()
            self._hold()
        elif not refuses and not self.listening and self._opening is None:
            self._opening = asyncio.create_task(self._open(self._server), name=f"{self.host}:{self.port} listens again")

    async def stop(self) -> None:
        """Close the listener and its connections."""
        server, self._server = self._server, None
        if self._opening:
            self._opening.cancel()
        if server:
            await server.shutdown()  # type: ignore[no-untyped-call]
        if self._held:
            self._held.close()
            self._held = None

    async def _open(self, server: Listener) -> None:
        while not (held := self._hold()) or not await server.serve(held):
            log.warning("%s:%s can't be listened on again: is the port taken?", self.host, self.port)
            await asyncio.sleep(AGAIN)
        self._held = self._opening = None
        self.settle()

    def _hold(self) -> socket.socket | None:
        """Keep the port without listening on it; None when somebody was quicker."""
        if self._held is None:
            with suppress(OSError):
                self._held = _bound(self.host, self.port)
        return self._held


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the port and does not listen on it yet. OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named asyncio sets TCP_NODELAY; without, single bytes would wait for the other side's ACK
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # our own closed connections may still hold the port for a minute
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
