"""What a write to a simulated Modbus device means, decoded by pymodbus's own decoder; no I/O.

The gateway has an encoder of its own; nothing of it is used here, so that the two can't be wrong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pymodbus.constants import ExcCodes

from facility.points import Profile, Register, Table
from facility.readings import Value
from simulators.devices.registers import TYPES, Mixin

WRITES = {5: Table.COIL, 15: Table.COIL, 6: Table.HOLDING, 16: Table.HOLDING}
"""Function code of a write -> table."""


class WriteError(Exception):
    """The device refuses with this exception code."""

    def __init__(self, code: ExcCodes) -> None:
        self.code = code
        super().__init__(code.name)


class Writes:
    """The places of a device that can be written to. `rename`: profile key -> key of the asset."""

    def __init__(self, profile: Profile, *, rename: Mapping[str, str] | None = None) -> None:
        names = rename or {}
        self._places = [
            (names.get(register.point, register.point), register.written())
            for register in profile.registers
            if register.writing
        ]

    def meant(self, table: Table, address: int, cells: Sequence[int], before: Sequence[int]) -> dict[str, Value]:
        """Point -> value of a write of `cells` from `address` on; only the bits that differ from `before` count.

        WriteError: function 1 where the table takes nothing, 2 where a cell is not there or only half a value came, 3
        where a value is not allowed.
        """
        places = [(key, place) for key, place in self._places if place.table is table]
        if not places:
            raise WriteError(ExcCodes.ILLEGAL_FUNCTION)
        found: dict[str, Value] = {}
        covered: set[int] = set()
        for key, place in places:
            start = place.address - address
            span = range(start, start + place.words)
            inside = [index for index in span if 0 <= index < len(cells)]
            if not inside:
                continue
            if len(inside) < place.words:
                raise WriteError(ExcCodes.ILLEGAL_ADDRESS)
            covered.update(inside)
            words, old = [cells[index] for index in span], [before[index] for index in span]
            if place.type != "bit" or _number(place, words) != _number(place, old):
                found[key] = _value(place, words)
        if len(covered) < len(cells):
            raise WriteError(ExcCodes.ILLEGAL_ADDRESS)
        return found


def _value(place: Register, words: Sequence[int]) -> Value:
    """The canonical value; a number that is not allowed is refused, not clamped."""
    raw = _number(place, words)
    if place.values is not None:
        if raw not in place.values:
            raise WriteError(ExcCodes.ILLEGAL_VALUE)
        return place.values[int(raw)]
    if place.type in ("bool", "bit"):
        return bool(raw) is not place.invert
    value = raw * place.scale + place.offset
    writing = place.writing
    if writing and writing.low is not None and writing.high is not None:
        close = abs(place.scale) / 2
        if not writing.low - close <= value <= writing.high + close:
            raise WriteError(ExcCodes.ILLEGAL_VALUE)
    return value


def _number(place: Register, words: Sequence[int]) -> float:
    """The raw number in the words of a place."""
    if place.table.is_bits:
        return int(words[0])
    if place.byte_order == "little":
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    order = "little" if place.word_order == "little" else "big"
    kind = place.type if place.type in TYPES else {1: "uint16", 2: "uint32", 4: "uint64"}[place.words]
    raw = Mixin.convert_from_registers(list(words), TYPES[kind], word_order=order)  # type: ignore[arg-type]
    if not isinstance(raw, int | float):
        raise WriteError(ExcCodes.ILLEGAL_VALUE)
    return int(raw) >> place.bits[0] & 1 if place.type == "bit" else raw
