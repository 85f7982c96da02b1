"""Pure: the words of a device -> the canonical value of a point, with its quality.

Two forms that agree (a property test holds them together): `decode` works on the words of one register and is the
reference; `Block` is prepared once per planned read and takes the bytes of an answer apart with one struct call.

The order of judgement, the first that applies wins:

1. words that are no number of their type (a BCD nibble above 9, bytes that are no text): SENSOR, or SENTINEL where
   their pattern is one
2. a not-available sentinel of the profile (compared with the raw value and with the unsigned pattern of the words; for
   a bit with the pattern alone, for a float with the value alone), or NaN: SENTINEL
3. an infinity: RANGE
4. a number that `values` does not map, or that is no state of an enum: ENUM; one that its `encoding` can't say: RANGE
5. a value outside the range of the point: RANGE. Nothing is ever clamped.

A value that is not good is None.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from sys import float_info
from typing import Any

from facility.points import Kind, Point, Register
from facility.readings import Quality, Value
from gateway.planner import Read

Raw = int | float | str | None
"""What the words say before they mean anything; None when they are no value of their type."""
Decoded = tuple[Value, Quality]
Finish = Callable[[Any], Decoded]
"""Raw as the struct gives it -> value and quality."""

_FLOATS = {"float16": ("e", 1), "float32": ("f", 2), "float64": ("d", 4)}
_SIGNED = frozenset({"int8", "int16", "int32", "int64"})
_UNSIGNED = frozenset({"uint8", "uint16", "uint32", "uint64", "bool", "bit", "bits"})
_GOOD = Quality.GOOD
_SENSOR: Decoded = (None, Quality.SENSOR)
_SENTINEL: Decoded = (None, Quality.SENTINEL)
_RANGE: Decoded = (None, Quality.RANGE)
_ENUM: Decoded = (None, Quality.ENUM)
_DIGITS = 9


def decode(register: Register, words: Sequence[int], point: Point) -> Decoded:
    """The value of `register` in `words` (16 bits each; one 0 or 1 of a bits table); ValueError for a wrong length."""
    if len(words) != register.words:
        raise ValueError(f"{register.point} has {register.words} words, not {len(words)}")
    data = struct.pack(f">{len(words)}H", *(int(word) for word in words))
    return _finish(register, point, _ordered(register, data))


def _ordered(register: Register, data: bytes) -> bytes:
    """The bytes of the register with the most significant first."""
    words = [data[index : index + 2] for index in range(0, len(data), 2)]
    if register.byte_order == "little":
        words = [word[::-1] for word in words]
    if register.word_order == "little" and register.type != "string":
        words.reverse()
    return b"".join(words)


def _finish(register: Register, point: Point, data: bytes) -> Decoded:
    """The whole judgement over bytes in big order; the reference form."""
    pattern = int.from_bytes(data, "big")
    raw = _raw(register, data, pattern)
    if raw is None:
        return _SENTINEL if pattern in register.sentinels else _SENSOR
    if isinstance(raw, str):
        return (raw, _GOOD) if point.kind is Kind.TEXT else _SENSOR
    if _is_missing(register, raw, pattern):
        return _SENTINEL
    if math.isinf(raw):
        return _RANGE
    return meaning(point, raw, register)


def _raw(register: Register, data: bytes, pattern: int) -> Raw:
    kind, (first, last) = register.type, register.bits
    if kind in _FLOATS:
        code, words = _FLOATS[kind]
        if words != register.words:
            raise ValueError(f"{register.point}: a {kind} has {words} words, not {register.words}")
        return float(struct.unpack(f">{code}", data)[0])
    if kind == "string":
        return _text(data)
    if kind.startswith("bcd"):
        digits = f"{pattern:x}"
        return int(digits) if digits.isdecimal() else None
    if kind == "bool":
        return int(pattern != 0)
    if kind in ("bit", "bits"):
        return (pattern >> min(first, last)) & ((1 << (abs(last - first) + 1)) - 1)
    width = 8 if kind.endswith("int8") else len(data) * 8
    raw = pattern & ((1 << width) - 1)
    return raw - (1 << width) if kind in _SIGNED and raw >> (width - 1) else raw


def _text(data: bytes) -> str | None:
    try:
        text = data.strip(b"\0 ").decode()
    except UnicodeDecodeError:
        return None
    return text.replace("\0", "")


def _is_missing(register: Register, raw: float, pattern: int) -> bool:
    if isinstance(raw, float):
        return raw != raw or raw in register.sentinels
    return pattern in register.sentinels or (register.type != "bit" and raw in register.sentinels)


def meaning(point: Point, raw: float, register: Register) -> Decoded:
    """What a finite number of the device means as a value of `point`: steps 4 and 5 of the judgement."""
    number: float | None = raw
    if register.values is not None:
        number = register.values.get(int(raw)) if raw == int(raw) else None
        if number is None:
            return _ENUM
    if register.encoding:
        return four_quadrant(point, raw, register)
    if point.kind is Kind.DISCRETE:
        return bool(number) is not register.invert, _GOOD
    if point.kind is Kind.ENUM:
        return state(point, raw if number is None else number)
    if point.kind is Kind.TEXT:
        return str(number), _GOOD
    if register.values is None:
        number = scaler(register.scale, register.offset)(raw)
    return bounded(point, raw if number is None else number)


def four_quadrant(point: Point, raw: float, register: Register) -> Decoded:
    """A power factor that tells leading from lagging by what it has beyond 1: 1.1 and 0.9 are 0.9, -1.1 is -0.9."""
    if abs(raw) > 2:
        return _RANGE
    signed = raw if abs(raw) <= 1 else math.copysign(2, raw) - raw
    return bounded(point, scaler(register.scale, register.offset)(signed))


def state(point: Point, number: float) -> Decoded:
    """A number as a state of an enum point."""
    if number != int(number) or (point.states and int(number) not in point.states):
        return _ENUM
    return int(number), _GOOD


def bounded(point: Point, number: float) -> Decoded:
    """A number as the value of an analog or counter point: good, or RANGE."""
    low, high = limits(point)
    return (number, _GOOD) if low <= number <= high else _RANGE


def limits(point: Point) -> tuple[float, float]:
    """The range of a point; what it leaves open is the range of a float."""
    low = -float_info.max if point.low is None else point.low
    return low, float_info.max if point.high is None else point.high


@lru_cache(maxsize=1024)
def scaler(scale: float, offset: float) -> Callable[[float], float]:
    """raw -> raw * scale + offset, without the noise of binary fractions where raw is an integer: 231 * 0.1 is 23.1."""
    if scale == 1 and offset == 0:
        return lambda raw: raw
    if float(scale).is_integer() and float(offset).is_integer():
        whole, start = int(scale), int(offset)
        return lambda raw: raw * whole + start
    digits = max(_digits(scale), _digits(offset))
    inverse = round(1 / scale) if scale else 0
    if offset == 0 and inverse > 1 and 1 / inverse == scale:
        return lambda raw: raw / inverse
    if digits > _DIGITS:
        return lambda raw: raw * scale + offset
    return lambda raw: round(raw * scale + offset, digits) if isinstance(raw, int) else raw * scale + offset


def _digits(number: float) -> int:
    text = repr(float(number))
    return _DIGITS + 1 if "e" in text else len(text.partition(".")[2].rstrip("0"))


class Block:
    """The decoder of one planned read. A slot is a piece of the answer; several registers may share one.

    `keys` are the points in the order of the read's registers; `size` the bytes it expects.
    """

    def __init__(self, read: Read, points: Mapping[str, Point]) -> None:
        self.keys = tuple(register.point for register in read.registers)
        self.points = tuple(points[key] for key in self.keys)
        self.size = read.size
        self.finish: list[Finish] = []
        places: dict[tuple[int, int, str], list[int]] = {}
        for index, register in enumerate(read.registers):
            place, finish = _prepare(read, register, self.points[index])
            self.finish.append(finish)
            places.setdefault(place, []).append(index)
        ordered = sorted(places)
        inside, apart = _layout(ordered)
        self._whole = struct.Struct(_format(inside, self.size))
        self._apart = tuple((struct.Struct(f">{code}"), start) for start, _, code in apart)
        self.users = tuple(tuple(places[place]) for place in (*inside, *apart))
        slots = {index: slot for slot, users in enumerate(self.users) for index in users}
        self.slots = tuple(slots[index] for index in range(len(self.keys)))

    def raws(self, data: bytes) -> tuple[Any, ...]:
        """The slots of an answer of `size` bytes, in the order of `users`."""
        found = self._whole.unpack(data)
        if self._apart:
            return found + tuple(layout.unpack_from(data, start)[0] for layout, start in self._apart)
        return found

    def decode(self, data: bytes) -> list[Decoded]:
        """Every value of an answer, in the order of `keys`."""
        raws = self.raws(data)
        return [finish(raws[slot]) for finish, slot in zip(self.finish, self.slots, strict=True)]


Place = tuple[int, int, str]
"""First byte, byte after the last, struct code."""


def _layout(places: Sequence[Place]) -> tuple[list[Place], list[Place]]:
    """The places that one struct can take in a row, and those that overlap one of them."""
    inside: list[Place] = []
    apart: list[Place] = []
    end = 0
    for place in places:
        if place[0] >= end:
            inside.append(place)
            end = place[1]
        else:
            apart.append(place)
    return inside, apart


def _format(places: Sequence[Place], size: int) -> str:
    parts, at = [">"], 0
    for start, end, code in places:
        parts.append(f"{start - at}x" if start > at else "")
        parts.append(code)
        at = end
    return "".join([*parts, f"{size - at}x" if size > at else ""])


def _prepare(read: Read, register: Register, point: Point) -> tuple[Place, Finish]:
    """Where a register sits in the answer, and what makes a value of what is there."""
    if read.table.is_bits:
        cell = register.address - read.address
        return (cell // 8, cell // 8 + 1, "B"), _cell(register, point, 1 << (cell % 8))
    start = (register.address - read.address) * 2
    end = start + register.words * 2
    ordered = register.words == 1 or register.word_order == "big" or register.type == "string"
    code = _code(register) if register.byte_order == "big" and ordered else ""
    if not code:
        return (start, end, f"{end - start}s"), _bytes(register, point)
    return (start, end, code), _number(register, point) or _pattern(register, point)


def _code(register: Register) -> str:
    """The struct code that reads the register as a number at once; empty when it has to be taken as bytes."""
    if register.type in _FLOATS:
        code, words = _FLOATS[register.type]
        return code if words == register.words else ""
    if register.type == "string":
        return ""
    unsigned = {1: "H", 2: "I", 4: "Q"}.get(register.words, "")
    return unsigned.lower() if register.type in _SIGNED - {"int8"} else unsigned


def _cell(register: Register, point: Point, mask: int) -> Finish:
    answers = [_finish(register, point, struct.pack(">H", bit)) for bit in (0, 1)]
    off, on = answers
    return lambda raw: on if raw & mask else off


def _bytes(register: Register, point: Point) -> Finish:
    places = range(register.words * 2)
    order = _ordered(register, bytes(places))
    pick = itemgetter(*order)
    _finish(register, point, bytes(len(order)))  # a type and a length that do not fit are told now, not while polling
    return lambda raw: _finish(register, point, bytes(pick(raw)))


def _pattern(register: Register, point: Point) -> Finish:
    """Any register whose slot is an integer or a float: back to bytes and through the reference form."""
    layout = struct.Struct(f">{_code(register)}")
    return lambda raw: _finish(register, point, layout.pack(raw))


def _number(register: Register, point: Point) -> Finish | None:
    """The quick form for plain measured numbers, or None where it does not apply."""
    plain = register.type in _FLOATS or register.type in ("int16", "uint16", "int32", "uint32", "int64", "uint64")
    plain = plain and not register.encoding
    if not plain or register.values is not None or point.kind not in (Kind.ANALOG, Kind.COUNTER):
        return None
    low, high = limits(point)
    scale = scaler(register.scale, register.offset)
    sentinels = _as_raw(register)
    identity = register.scale == 1 and register.offset == 0

    def exact(raw: float) -> Decoded:
        if low <= raw <= high:
            return raw, _GOOD
        return _SENTINEL if raw != raw else _RANGE

    def scaled(raw: float) -> Decoded:
        value = scale(raw)
        if low <= value <= high:
            return value, _GOOD
        return _SENTINEL if raw != raw else _RANGE

    inner = exact if identity else scaled
    if not sentinels:
        return inner
    return lambda raw: _SENTINEL if raw in sentinels else inner(raw)


def _as_raw(register: Register) -> frozenset[float]:
    """The sentinels as the struct gives them: a pattern such as 0xFFFF is -1 to a signed register."""
    found = set(register.sentinels)
    if register.type in _FLOATS:
        return frozenset(found)
    code, size = _code(register), register.words * 2
    for sentinel in register.sentinels:
        if float(sentinel).is_integer() and 0 <= sentinel < 1 << (size * 8):
            found.add(struct.unpack(f">{code}", int(sentinel).to_bytes(size, "big"))[0])
    return frozenset(found)
