"""Serve values as the registers of a device profile, over Modbus TCP, encoded by pymodbus's own encoder.

The gateway has a codec of its own; nothing of it is used here, so that the two can't be wrong together.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from facility.points import Profile, Register, Table
from facility.readings import Value

Mixin = ModbusClientMixin[object]
TYPES = {name: getattr(Mixin.DATATYPE, name.upper()) for name in
         ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")}  # fmt: skip
TABLES = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
"""Function code of a read -> table."""

NOWHERE = 65_520
"""Where a table that the device does not have is put: pymodbus wants something in each."""

Answer = Callable[[int, int, int], Awaitable[ExcCodes | None]]
"""(function code, address, count) -> an exception to answer with, or None for the registers; it may wait first."""


@dataclass(slots=True)
class Served:
    """What a simulation has answered: `requests`, and `registers` (or words of bits) in them."""

    requests: int = 0
    registers: int = 0


@dataclass(slots=True)
class _Block:
    """One table: words from `start` on. In a bits table a word holds 16 of them."""

    start: int
    words: list[int]
    runs: list[tuple[int, int]] = field(default_factory=list)


class ModbusUnit:
    """One device behind a unit id: the image of its registers, and what it answers.

    `rename`: profile key -> key of the asset. `fixed`: register address -> word that never changes (in the table that
    the profile uses most). `answer` may be set to make the device slow or faulty.
    """

    def __init__(
        self, profile: Profile, *, unit: int = 1, rename: Mapping[str, str] | None = None,
        fixed: Mapping[int, int] | None = None, served: Served | None = None,
    ) -> None:  # fmt: skip
        self.profile = profile
        self.unit = unit
        self.answer: Answer | None = None
        self.served = served or Served()
        names = rename or {}
        registers = [register for register in profile.registers if not register.view]
        self._blocks = _blocks(registers, profile.limits.gap, fixed or {})
        self._fields = [(names.get(item.point, item.point), item) for item in registers]
        self._last: list[object] = [_UNSET] * len(self._fields)

    def update(self, values: Mapping[str, Value]) -> None:
        """Take the asset's values over into the registers; only what changed is encoded again.

        ValueError when a value can't be shown in its register.
        """
        last = self._last
        for index, (key, register) in enumerate(self._fields):
            value = values.get(key)
            if value != last[index] or last[index] is _UNSET:
                last[index] = value
                self._write(register, value)

    def words(self, table: Table, address: int, count: int = 1) -> list[int]:
        """The words (bits tables: words of 16) that a client would be given now."""
        block = self._blocks[table]
        return block.words[address - block.start : address - block.start + count]

    def device(self) -> SimDevice:
        """The device as pymodbus serves it."""
        coil, discrete, holding, inputs = (self._simdata(table) for table in TABLES.values())
        return SimDevice(id=self.unit, simdata=(coil, discrete, holding, inputs), action=self._act)

    def _simdata(self, table: Table) -> list[SimData]:
        block = self._blocks.get(table)
        if table.is_bits:
            if block is None:
                return [SimData(NOWHERE, count=16, values=False, datatype=DataType.BITS)]
            return [SimData(block.start * 16, count=len(block.words) * 16, values=False, datatype=DataType.BITS)]
        if block is None:
            return [SimData(NOWHERE, count=1, datatype=DataType.INVALID)]
        return [SimData(first, count=last - first + 1, datatype=DataType.REGISTERS) for first, last in block.runs]

    async def _act(
        self, function: int, _start: int, address: int, count: int, registers: list[int],
        set_values: Sequence[int] | Sequence[bool] | None,
    ) -> ExcCodes | None:  # fmt: skip
        """pymodbus asks before it answers: bring its registers up to date, count, and refuse every write."""
        table = TABLES.get(function)
        if table is None or set_values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        self.served.requests += 1
        self.served.registers += count
        if self.answer and (refused := await self.answer(function, address, count)):
            return refused
        block = self._blocks.get(table)
        if block is None:
            return ExcCodes.ILLEGAL_ADDRESS
        registers[: len(block.words)] = block.words
        return None

    def _write(self, register: Register, value: Value) -> None:
        block = self._blocks[register.table]
        if register.table.is_bits:
            bit = register.address - block.start * 16
            mask = 1 << bit % 16
            up = bool(value) is not register.invert
            block.words[bit // 16] = block.words[bit // 16] & ~mask | (mask if up else 0)
            return
        place = register.address - block.start
        if register.type in ("bit", "bits"):
            before = block.words[place : place + register.words]
            words = _encode_bits(register, value, before)
        else:
            words = encode(register, value)
        block.words[place : place + register.words] = words


_UNSET = object()


def _blocks(registers: Iterable[Register], gap: int, fixed: Mapping[int, int]) -> dict[Table, _Block]:
    """The tables that a profile uses. Registers that it does not map exist only in holes that a read may bridge."""
    spans: dict[Table, list[tuple[int, int]]] = {}
    for register in registers:
        spans.setdefault(register.table, []).append((register.address, register.address + register.words - 1))
    if fixed:
        home = max((table for table in spans if not table.is_bits), key=lambda table: len(spans[table]))
        spans[home] += [(address, address) for address in fixed]
    found = {}
    for table, used in spans.items():
        runs: list[tuple[int, int]] = []
        for first, last in sorted(used):
            if runs and first - runs[-1][1] - 1 <= gap * (16 if table.is_bits else 1):
                runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
            else:
                runs.append((first, last))
        start, end = runs[0][0], runs[-1][1]
        if table.is_bits:
            start, end = start // 16, end // 16
        block = _Block(start, [0] * (end - start + 1), runs)
        if not table.is_bits and fixed and table is home:
            for address, word in fixed.items():
                block.words[address - start] = word
        found[table] = block
    return found


def encode(register: Register, value: Value) -> list[int]:
    """A canonical value as the register's words; the sentinel for None. ValueError when it does not fit."""
    if register.type == "string":
        text = "" if value is None else str(value)
        words = Mixin.convert_to_registers(text.ljust(register.words * 2, "\0"), Mixin.DATATYPE.STRING)
        return words[: register.words]
    raw = _raw(register, value)
    try:
        words = _pack(register, raw)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{register.point}: {value!r} does not fit into {register.type}: {error}") from error
    if register.byte_order == "little":
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    return words


def _pack(register: Register, raw: float) -> list[int]:
    kind = register.type
    if kind == "float16":
        return [int.from_bytes(struct.pack(">e", raw), "big")]
    if kind in ("float32", "float64"):
        return Mixin.convert_to_registers(float(raw), TYPES[kind], word_order=_order(register))
    number = int(raw)
    if kind in ("bcd16", "bcd32"):
        number, kind = int(str(number), 16), "uint16" if kind == "bcd16" else "uint32"
    elif kind in ("uint8", "int8"):
        number, kind = number & 0xFF, "uint16"
    return Mixin.convert_to_registers(number, TYPES.get(kind, Mixin.DATATYPE.UINT16), word_order=_order(register))


def _order(register: Register) -> Literal["big", "little"]:
    return "little" if register.word_order == "little" else "big"


def _raw(register: Register, value: Value) -> float:
    """The number on the wire, before it becomes words."""
    is_float = register.type.startswith("float")
    if value is None:
        ones = -1 if register.type.startswith("int") else (1 << 16 * register.words) - 1
        return max(register.sentinels) if register.sentinels else math.nan if is_float else ones
    if isinstance(value, str):
        raise ValueError(f"{register.point}: a text can't be shown as {register.type}")
    if isinstance(value, bool) and register.invert:
        value = not value
    if register.values is not None:
        return _reverse(register, int(value))
    raw = (float(value) - register.offset) / register.scale
    return raw if is_float else round(raw)


def _reverse(register: Register, canonical: int) -> int:
    """The first raw number that the profile reads as this state."""
    for raw, state in (register.values or {}).items():
        if state == canonical:
            return raw
    raise ValueError(f"{register.point}: the profile has no raw value for state {canonical}")


def _encode_bits(register: Register, value: Value, words: Sequence[int]) -> list[int]:
    """The words of a bit or a bit field with the field's bits replaced."""
    first, last = register.bits
    mask = (1 << last - first + 1) - 1
    raw = 0 if value is None and not register.sentinels else int(_raw(register, value)) & mask
    ordered = words if register.word_order == "big" else list(reversed(words))
    number = 0
    for word in ordered:
        number = number << 16 | word
    number = number & ~(mask << first) | raw << first
    kind = {1: "uint16", 2: "uint32", 4: "uint64"}[register.words]
    return Mixin.convert_to_registers(number, TYPES[kind], word_order=_order(register))


class ModbusHost:
    """One TCP listener with the units behind it. Port 0 takes a free one."""

    def __init__(self, host: str, port: int, units: Sequence[ModbusUnit]) -> None:
        self.host, self.port = host, port
        self.units = tuple(units)
        self._server: ModbusTcpServer | None = None

    async def start(self) -> tuple[str, int]:
        """Listen; the real address. OSError when the port is taken."""
        # pymodbus logs every odd frame of any client in full
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        server = ModbusTcpServer([unit.device() for unit in self.units], address=(self.host, self.port))
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            raise OSError(f"{self.host}:{self.port} can't be listened on: is the port taken?") from error
        self._server = server
        listener: Any = server.transport
        self.port = int(listener.sockets[0].getsockname()[1])
        return self.host, self.port

    async def stop(self) -> None:
        """Close the listener and its connections."""
        if self._server:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None
