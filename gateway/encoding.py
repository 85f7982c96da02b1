"""Pure: a canonical value -> the words of the register that it is written to; the codec the other way round.

raw = (value - offset) / scale, rounded to the nearest step that the register has, so that what is written may differ
from what was asked for by half a step; `Encoded.value` is what a reading will show. Nothing is clamped: what the type
can't hold, what `values` has no raw number for and what would be read as "not available" raises ValueError.

A register that shares its words with others (a bit) owns only the bits of its mask; the others have to be read first
and written back as they are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from facility.points import Kind, Point, Register
from facility.readings import Value
from gateway.codec import decode

_FLOATS = {"float32": ("f", 2), "float64": ("d", 4)}
_WHOLE = 0xFFFF


@dataclass(frozen=True, slots=True)
class Encoded:
    """What is written, and what is read afterwards. `masks`: which bits of each word are the point's."""

    value: Value
    words: tuple[int, ...]
    masks: tuple[int, ...]

    @property
    def is_shared(self) -> bool:
        """Whether the words hold bits that are not the point's."""
        return any(mask != _WHOLE for mask in self.masks)

    def over(self, before: Sequence[int]) -> tuple[int, ...]:
        """The words with every bit that is not the point's as it was `before`."""
        return tuple(old & ~mask & _WHOLE | new for old, new, mask in zip(before, self.words, self.masks, strict=True))


def encode(register: Register, point: Point, value: Value) -> Encoded:
    """`value` for the place that `register` describes (see Register.written); ValueError says what is wrong with it."""
    raw = _raw(register, point, value)
    words, masks = _pack(register, raw)
    found, quality = decode(register, words, point)
    if not quality.is_good:
        raise ValueError(f"{register.point}: {value} would be read as a bad value ({quality})")
    return Encoded(found, words, masks)


def masks(register: Register) -> tuple[int, ...]:
    """Which bits of the words of a register are its own."""
    return _pack(register, 0)[1]


def _raw(register: Register, point: Point, value: Value) -> float:
    """The number on the wire."""
    if value is None or isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{register.point}: {value} can't be written")
    if point.kind is Kind.DISCRETE:
        wanted = bool(value) is not register.invert
        return int(wanted) if register.values is None else _reverse(register, int(wanted))
    if register.values is not None:
        return _reverse(register, value)
    if point.kind is Kind.ENUM:
        return value
    if register.scale == 1 and isinstance(value, int) and float(register.offset).is_integer():
        return value - int(register.offset)  # exact, beyond what a float holds
    return (value - register.offset) / register.scale


def _reverse(register: Register, value: float) -> int:
    """The first raw number that the profile reads as `value`."""
    for raw, state in (register.values or {}).items():
        if state == value:
            return raw
    raise ValueError(f"{register.point}: the profile has no raw number for {value:g}")


def _pack(register: Register, raw: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Words and masks of a raw number."""
    kind, size = register.type, register.words * 16
    if kind in _FLOATS:
        return _words(register, _float(register, raw)), (_WHOLE,) * register.words
    number = round(raw)
    if kind in ("bool", "bit"):
        low, high = 0, 1
    else:
        low, high = (-(1 << size - 1), (1 << size - 1) - 1) if kind.startswith("int") else (0, (1 << size) - 1)
    if not low <= number <= high:
        raise ValueError(f"{register.point}: {number} does not fit into a {kind} ({low}..{high})")
    if kind == "bit":
        mask = 1 << register.bits[0]
        return _words(register, _bytes(number << register.bits[0], size)), _words(register, _bytes(mask, size))
    return _words(register, _bytes(number & (1 << size) - 1, size)), (_WHOLE,) * register.words


def _float(register: Register, raw: float) -> bytes:
    code, words = _FLOATS[register.type]
    if words != register.words:
        raise ValueError(f"{register.point}: a {register.type} has {words} words, not {register.words}")
    try:
        return struct.pack(f">{code}", raw)
    except OverflowError:
        raise ValueError(f"{register.point}: {raw:g} does not fit into a {register.type}") from None


def _bytes(number: int, bits: int) -> bytes:
    return number.to_bytes(bits // 8, "big")


def _words(register: Register, data: bytes) -> tuple[int, ...]:
    """Bytes with the most significant first, as the words of the register."""
    words = list(struct.unpack(f">{register.words}H", data))
    if register.byte_order == "little":
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    return tuple(reversed(words) if register.word_order == "little" else words)
