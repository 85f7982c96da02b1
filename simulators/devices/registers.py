"""Values as the registers of a device profile, encoded by pymodbus's own encoder; no I/O.

The gateway has a codec of its own; nothing of it is used here, so that the two can't be wrong together.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pymodbus.client.mixin import ModbusClientMixin

from facility.points import Profile, Register, Table
from facility.readings import Value

Mixin = ModbusClientMixin[object]
TYPES = {name: getattr(Mixin.DATATYPE, name.upper()) for name in
         ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")}  # fmt: skip


@dataclass(slots=True)
class Block:
    """One table: words from `start` on. In a bits table a word holds 16 of them.

    `runs`: (first, last) addresses that exist. `pairs`: where two words are one value.
    """

    start: int
    words: list[int]
    runs: list[tuple[int, int]] = field(default_factory=list)
    pairs: tuple[int, ...] = ()

    def swapped(self) -> list[int]:
        """The words with the order of every pair exchanged."""
        words = list(self.words)
        for address in self.pairs:
            place = address - self.start
            words[place : place + 2] = words[place + 1], words[place]
        return words


class Image:
    """The registers of one device as a client would be given them now.

    `rename`: profile key -> key of the asset. `level` shows every measured number times that: another device of the
    same kind.
    """

    def __init__(self, profile: Profile, *, rename: Mapping[str, str] | None = None, level: float = 1.0) -> None:
        names = rename or {}
        registers = [register for register in profile.registers if not register.view]
        self.home = _home(registers)
        # where a value is written it can be read, too
        registers += [place for register in registers if (place := register.written()) != register]
        limits = profile.limits
        bridged = limits.registers if limits.gap is None else limits.gap
        self.blocks = _blocks(registers, bridged, {self.home: profile.identity})
        self.level = level
        self._fields = [(names.get(item.point, item.point), item) for item in registers]
        self._last: list[object] = [_UNSET] * len(self._fields)

    @property
    def keys(self) -> frozenset[str]:
        """The asset's points that are shown."""
        return frozenset(key for key, _ in self._fields)

    def update(self, values: Mapping[str, Value]) -> None:
        """Take the asset's values over into the registers; only what changed is encoded again.

        ValueError when a value can't be shown in its register.
        """
        last = self._last
        for index, (key, register) in enumerate(self._fields):
            value = values.get(key)
            if value != last[index] or last[index] is _UNSET:
                last[index] = value
                self._write(register, value if self.level == 1 else at_level(register, value, self.level))

    def words(self, table: Table, address: int, count: int = 1) -> list[int]:
        """The words (bits tables: words of 16) from an address on."""
        block = self.blocks[table]
        return block.words[address - block.start : address - block.start + count]

    def cells(self, table: Table, address: int, count: int) -> list[int]:
        """Registers, or the bits of a bits table, from an address on; 0 where there is none."""
        block = self.blocks.get(table)
        found = []
        for place in range(address, address + count):
            index = (place // 16 if table.is_bits else place) - (block.start if block else 0)
            word = block.words[index] if block and 0 <= index < len(block.words) else 0
            found.append(word >> place % 16 & 1 if table.is_bits else word)
        return found

    def _write(self, register: Register, value: Value) -> None:
        block = self.blocks[register.table]
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


def at_level(register: Register, value: Value, level: float) -> Value:
    """A measured number times `level`; states, bits and texts as they are."""
    if register.values is not None or register.type in ("bool", "bit", "bits", "string"):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    # a register that begins above 0 can show nothing less
    least = max(0.0, register.offset)
    return least + (value - least) * level


def _home(registers: Iterable[Register]) -> Table:
    """The table that a profile uses most; a table of words before one of bits."""
    tables = [register.table for register in registers]
    most = dict.fromkeys(tables)
    return max(most, key=lambda table: (not table.is_bits, tables.count(table)), default=Table.HOLDING)


def _blocks(registers: Sequence[Register], gap: int, fixed: Mapping[Table, Mapping[int, int]]) -> dict[Table, Block]:
    """The tables that a profile uses. Registers that it does not map exist only in holes that a read may bridge."""
    spans: dict[Table, list[tuple[int, int]]] = {}
    for register in registers:
        spans.setdefault(register.table, []).append((register.address, register.address + register.words - 1))
    found = {}
    for table, used in spans.items():
        words = fixed.get(table, {})
        used += [(address, address) for address in words]
        runs: list[tuple[int, int]] = []
        for first, last in sorted(used):
            if runs and first - runs[-1][1] - 1 <= gap * (16 if table.is_bits else 1):
                runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
            else:
                runs.append((first, last))
        start, end = runs[0][0], runs[-1][1]
        if table.is_bits:
            start, end = start // 16, end // 16
        block = Block(start, [0] * (end - start + 1), runs, _pairs(registers, table))
        for address, word in words.items():
            block.words[address - start] = word
        found[table] = block
    return found


def _pairs(registers: Iterable[Register], table: Table) -> tuple[int, ...]:
    """Where the 32-bit values of a table begin; of two that overlap only the first."""
    found: list[int] = []
    wide = (item.address for item in registers if item.table is table and item.words == 2 and item.type != "string")
    for address in sorted(wide):
        if not found or address > found[-1] + 1:
            found.append(address)
    return tuple(found)


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
    if kind.startswith("bcd"):
        number, kind = int(str(number), 16), f"uint{kind[3:]}"
    elif kind in ("uint8", "int8"):
        number, kind = number & 0xFF, "uint16"
    return Mixin.convert_to_registers(number, TYPES.get(kind, Mixin.DATATYPE.UINT16), word_order=_order(register))


def _order(register: Register) -> Literal["big", "little"]:
    return "little" if register.word_order == "little" else "big"


def _raw(register: Register, value: Value) -> float:
    """The number on the wire, before it becomes words."""
    is_float = register.type.startswith("float")
    if value is None:
        return _nothing(register)
    if isinstance(value, str):
        raise ValueError(f"{register.point}: a text can't be shown as {register.type}")
    if isinstance(value, bool) and register.invert:
        value = not value
    if register.values is not None:
        return _reverse(register, int(value))
    raw = (float(value) - register.offset) / register.scale
    return raw if is_float else round(raw)


def _nothing(register: Register) -> float:
    """The raw number that stands for "not available"; all ones where the profile has none."""
    size = 1 << 16 * register.words
    if not register.sentinels and register.type.startswith("float"):
        return math.nan
    raw = max(register.sentinels, default=size - 1)
    return raw - size if register.type.startswith("int") and raw >= size / 2 else raw  # 0x8000 is -32768


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
