"""Known words of every type in every order, written out by hand, and the sentinel of each; pymodbus beside it."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from facility.points import ENCODINGS, Kind, Limits, Point, Register, Table
from facility.profilefile import WORDS
from facility.readings import Quality
from gateway.codec import Block, Decoded, decode
from gateway.planner import plan
from tests.gateway.plant import a_point

Mixin = ModbusClientMixin[object]
WIDE = a_point("p", low=-1e30, high=1e30)
ORDERS = (("big", "big"), ("big", "little"), ("little", "big"), ("little", "little"))
"""(byte order, word order): ABCD, CDAB, BADC, DCBA."""
GOOD, SENTINEL, RANGE, ENUM, SENSOR = Quality.GOOD, Quality.SENTINEL, Quality.RANGE, Quality.ENUM, Quality.SENSOR

Words = tuple[int, ...]
# type -> value, and its words as ABCD, CDAB, BADC, DCBA
VALUES: dict[str, tuple[float, tuple[Words, Words, Words, Words]]] = {
    "bool": (1, ((0x0100,), (0x0100,), (0x0001,), (0x0001,))),
    "uint8": (0x34, ((0x1234,), (0x1234,), (0x3412,), (0x3412,))),
    "int8": (-2, ((0x12FE,), (0x12FE,), (0xFE12,), (0xFE12,))),
    "uint16": (0x1234, ((0x1234,), (0x1234,), (0x3412,), (0x3412,))),
    "int16": (-2, ((0xFFFE,), (0xFFFE,), (0xFEFF,), (0xFEFF,))),
    "bcd16": (1234, ((0x1234,), (0x1234,), (0x3412,), (0x3412,))),
    "float16": (-1.5, ((0xBE00,), (0xBE00,), (0x00BE,), (0x00BE,))),
    "uint32": (0x12345678, ((0x1234, 0x5678), (0x5678, 0x1234), (0x3412, 0x7856), (0x7856, 0x3412))),
    "int32": (-2, ((0xFFFF, 0xFFFE), (0xFFFE, 0xFFFF), (0xFFFF, 0xFEFF), (0xFEFF, 0xFFFF))),
    "bcd32": (12_345_678, ((0x1234, 0x5678), (0x5678, 0x1234), (0x3412, 0x7856), (0x7856, 0x3412))),
    "float32": (123.456001, ((0x42F6, 0xE979), (0xE979, 0x42F6), (0xF642, 0x79E9), (0x79E9, 0xF642))),
    "uint64": (
        0x0123456789ABCDEF,
        (
            (0x0123, 0x4567, 0x89AB, 0xCDEF),
            (0xCDEF, 0x89AB, 0x4567, 0x0123),
            (0x2301, 0x6745, 0xAB89, 0xEFCD),
            (0xEFCD, 0xAB89, 0x6745, 0x2301),
        ),
    ),
    "int64": (
        -0x0123456789ABCDF0,
        (
            (0xFEDC, 0xBA98, 0x7654, 0x3210),
            (0x3210, 0x7654, 0xBA98, 0xFEDC),
            (0xDCFE, 0x98BA, 0x5476, 0x1032),
            (0x1032, 0x5476, 0x98BA, 0xDCFE),
        ),
    ),
    "bcd64": (
        1234_5678_9012_3456,
        (
            (0x1234, 0x5678, 0x9012, 0x3456),
            (0x3456, 0x9012, 0x5678, 0x1234),
            (0x3412, 0x7856, 0x1290, 0x5634),
            (0x5634, 0x1290, 0x7856, 0x3412),
        ),
    ),
    "float64": (
        math.pi,
        (
            (0x4009, 0x21FB, 0x5444, 0x2D18),
            (0x2D18, 0x5444, 0x21FB, 0x4009),
            (0x0940, 0xFB21, 0x4454, 0x182D),
            (0x182D, 0x4454, 0xFB21, 0x0940),
        ),
    ),
}
# type -> sentinels as a profile says them, words in ABCD that are one of them
SENTINELS: dict[str, list[tuple[float, Words]]] = {
    "uint8": [(0xFF, (0x12FF,)), (0x12FF, (0x12FF,))],
    "int8": [(-128, (0x0080,)), (0x0080, (0x0080,))],
    "uint16": [(0xFFFF, (0xFFFF,)), (0x8000, (0x8000,)), (0, (0,))],
    "int16": [(0x8000, (0x8000,)), (-32_768, (0x8000,)), (0x7FFF, (0x7FFF,)), (-1, (0xFFFF,))],
    "bcd16": [(9999, (0x9999,)), (0x9999, (0x9999,))],
    "float16": [(-1.0, (0xBC00,))],
    "uint32": [(0xFFFFFFFF, (0xFFFF, 0xFFFF)), (0x80000000, (0x8000, 0))],
    "int32": [(0x80000000, (0x8000, 0)), (-(2**31), (0x8000, 0)), (0x7FFFFFFF, (0x7FFF, 0xFFFF))],
    "bcd32": [(99_999_999, (0x9999, 0x9999))],
    "float32": [(-1.0, (0xBF80, 0)), (-1.5, (0xBFC0, 0))],
    "uint64": [(2**64 - 1, (0xFFFF,) * 4)],
    "int64": [(-(2**63), (0x8000, 0, 0, 0)), (2**63, (0x8000, 0, 0, 0))],
    "bcd64": [(9_999_999_999_999_999, (0x9999,) * 4)],
    "float64": [(-1.0, (0xBFF0, 0, 0, 0))],
}


def reg(type_: str, **changes: object) -> Register:
    return replace(Register("p", Table.HOLDING, 0, type_, words=WORDS[type_] or 4), **changes)  # type: ignore[arg-type]


def both(register: Register, words: Words | list[int], point: Point = WIDE) -> Decoded:
    """What the reference form says; the quick one must say the same."""
    found = decode(register, words, point)
    (read,) = plan([register], Limits())
    assert Block(read, {"p": point}).decode(struct.pack(f">{len(words)}H", *words)) == [found]
    return found


def reordered(words: Words, byte_order: str, word_order: str) -> Words:
    """ABCD words as another order has them; only for sentinels, the values above are written out."""
    swapped = tuple((word >> 8) | (word & 0xFF) << 8 if byte_order == "little" else word for word in words)
    return swapped[::-1] if word_order == "little" else swapped


def test_every_type_is_in_the_tables() -> None:
    assert set(VALUES) == set(WORDS) - {"bit", "bits", "string"}
    assert set(SENTINELS) == set(VALUES) - {"bool"}


@pytest.mark.parametrize("place", range(4), ids=["ABCD", "CDAB", "BADC", "DCBA"])
@pytest.mark.parametrize("type_", VALUES)
def test_value_in_every_order(type_: str, place: int) -> None:
    value, words = VALUES[type_]
    byte_order, word_order = ORDERS[place]
    register = reg(type_, byte_order=byte_order, word_order=word_order)
    found, quality = both(register, words[place])
    assert quality is GOOD
    assert found == (pytest.approx(value, rel=1e-8) if type_ == "float32" else value)
    assert type(found) is (float if type_.startswith("float") else int)
    # the same words are good beside sentinels that they are not
    assert both(replace(register, sentinels=frozenset({12_345.0, 77.0})), words[place]) == (found, GOOD)


@pytest.mark.parametrize(
    ("type_", "sentinel", "words"), [(type_, *row) for type_, rows in SENTINELS.items() for row in rows]
)
@pytest.mark.parametrize(("byte_order", "word_order"), ORDERS)
def test_sentinel_in_every_order(type_: str, sentinel: float, words: Words, byte_order: str, word_order: str) -> None:
    register = reg(type_, byte_order=byte_order, word_order=word_order, sentinels=frozenset({sentinel}))
    wire = reordered(words, byte_order, word_order)
    assert both(register, wire) == (None, SENTINEL)
    assert both(replace(register, scale=0.1), wire) == (None, SENTINEL)  # a sentinel is raw, never scaled
    assert both(replace(register, sentinels=frozenset()), wire)[1] is GOOD


@pytest.mark.parametrize(("byte_order", "word_order"), ORDERS)
@pytest.mark.parametrize("type_", ["bcd16", "bcd32", "bcd64"])
def test_all_ones_are_no_decimal_digits_but_may_be_a_sentinel(type_: str, byte_order: str, word_order: str) -> None:
    register = reg(type_, byte_order=byte_order, word_order=word_order)
    ones = (0xFFFF,) * register.words
    assert both(register, ones) == (None, SENSOR)
    assert both(replace(register, sentinels=frozenset({16 ** (4 * register.words) - 1})), ones) == (None, SENTINEL)


@pytest.mark.parametrize(("byte_order", "word_order"), ORDERS)
@pytest.mark.parametrize(
    ("type_", "words", "quality"),
    [
        ("float16", (0x7E00,), SENTINEL),
        ("float16", (0xFC00,), RANGE),
        ("float32", (0x7FC0, 0x0000), SENTINEL),
        ("float32", (0xFFC0, 0x0001), SENTINEL),
        ("float32", (0x7F80, 0x0000), RANGE),
        ("float64", (0x7FF8, 0, 0, 0), SENTINEL),
        ("float64", (0xFFF0, 0, 0, 0), RANGE),
        ("bcd16", (0x12A4,), SENSOR),
        ("bcd32", (0x1234, 0x567F), SENSOR),
        ("bcd64", (0xA000, 0, 0, 0), SENSOR),
    ],
)
def test_words_that_are_no_number(type_: str, words: Words, quality: Quality, byte_order: str, word_order: str) -> None:
    register = reg(type_, byte_order=byte_order, word_order=word_order)
    assert both(register, reordered(words, byte_order, word_order)) == (None, quality)


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("uint16", (1000,), (1001,)),
        ("int16", (0xFC18,), (0xFC17,)),  # -1000, -1001
        ("uint32", (0, 1000), (1, 0)),
        ("int32", (0xFFFF, 0xFC18), (0x8000, 0)),
        ("float32", (0x447A, 0x0000), (0x447A, 0x0001)),  # 1000, 1000.00006
        ("float64", (0xC08F, 0x4000, 0, 0), (0xC08F, 0x4000, 0, 1)),  # -1000, a hair below
        ("bcd16", (0x1000,), (0x1001,)),
        ("int64", (0, 0, 0, 1000), (0x7FFF, 0, 0, 0)),
    ],
)
def test_the_range_includes_its_ends_and_nothing_is_clamped(type_: str, good: Words, bad: Words) -> None:
    point = a_point("p")  # -1000 .. 1000
    assert abs(float(both(reg(type_), good, point)[0] or 0)) == 1000
    assert both(reg(type_), bad, point) == (None, RANGE)


@pytest.mark.parametrize(
    ("bits", "words", "orders", "value"),
    [
        ((0, 0), (0x0000, 0x0001), ("big", "big"), 1),
        ((16, 16), (0x0001, 0x0000), ("big", "big"), 1),
        ((31, 31), (0x8000, 0x0000), ("big", "big"), 1),
        ((31, 31), (0x0000, 0x8000), ("big", "little"), 1),
        ((8, 8), (0x0000, 0x0001), ("little", "big"), 1),
        ((12, 19), (0x0005, 0xA000), ("big", "big"), 0x5A),  # across the words
        ((12, 19), (0xA000, 0x0005), ("big", "little"), 0x5A),
    ],
)
def test_bit_fields_of_two_words(bits: tuple[int, int], words: Words, orders: tuple[str, str], value: int) -> None:
    type_ = "bit" if bits[0] == bits[1] else "bits"
    register = reg(type_, words=2, bits=bits, byte_order=orders[0], word_order=orders[1])
    assert both(register, words) == (value, GOOD)
    assert both(register, tuple(0xFFFF & ~word for word in words))[0] != value


@pytest.mark.parametrize(
    ("raw", "n", "value"),
    [((51_200,), 9, 100.0), ((0x1B50,), 5, 218.5), ((0xFF80,), 7, -1.0), ((1,), 14, 2**-14), ((0x4000,), 14, 1.0)],
)
def test_binary_fixed_point_is_exact(raw: Words, n: int, value: float) -> None:
    assert both(reg("int16" if value < 100 else "uint16", scale=1 / (1 << n)), raw) == (value, GOOD)


PF = a_point("p", low=-1.0, high=1.0, unit="1")
# raw, its words as float32, the power factor
QUADRANTS: list[tuple[Words, float | None]] = [
    ((0x3F60, 0x0000), 0.875),  # 0.875
    ((0x3F80, 0x0000), 1.0),  # 1
    ((0x3F90, 0x0000), 0.875),  # 1.125, leading
    ((0x4000, 0x0000), 0.0),  # 2
    ((0xBF60, 0x0000), -0.875),  # -0.875
    ((0xBF80, 0x0000), -1.0),  # -1
    ((0xBFA0, 0x0000), -0.75),  # -1.25
    ((0xC000, 0x0000), 0.0),  # -2
    ((0x4000, 0x0001), None),  # a hair above 2
    ((0xC020, 0x0000), None),  # -2.5
]


@pytest.mark.parametrize(("byte_order", "word_order"), ORDERS)
@pytest.mark.parametrize(("words", "value"), QUADRANTS)
def test_four_quadrant_power_factor(words: Words, value: float | None, byte_order: str, word_order: str) -> None:
    register = reg("float32", encoding="four_quadrant", byte_order=byte_order, word_order=word_order)
    wire = reordered(words, byte_order, word_order)
    assert both(register, wire, PF) == ((value, GOOD) if value is not None else (None, RANGE))
    nan = reordered((0x7FC0, 0), byte_order, word_order)
    assert both(register, nan, PF) == (None, SENTINEL)


@given(st.floats(-2, 2, width=32))
def test_four_quadrants_stay_within_one_and_keep_the_sign(raw: float) -> None:
    words = Mixin.convert_to_registers(raw, Mixin.DATATYPE.FLOAT32)
    found, quality = both(reg("float32", encoding="four_quadrant"), words, PF)
    assert quality is GOOD
    assert isinstance(found, float)
    assert abs(found) <= 1
    assert found == 0 or math.copysign(1, found) == math.copysign(1, raw)
    assert set(ENCODINGS) == {"", "four_quadrant"}


NUMBERS = ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
order = st.sampled_from(["big", "little"])
WordOrder = Literal["big", "little"]


@pytest.mark.parametrize("name", NUMBERS)
@given(data=st.data(), word_order=order)
def test_any_words_are_what_pymodbus_reads_in_them(name: str, data: st.DataObject, word_order: WordOrder) -> None:
    size = WORDS[name]
    words = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=size, max_size=size))
    theirs = Mixin.convert_from_registers(words, Mixin.DATATYPE[name.upper()], word_order=word_order)
    assert isinstance(theirs, int | float)
    ours, quality = both(reg(name, word_order=word_order), words, a_point("p", low=None, high=None))
    if isinstance(theirs, float) and not math.isfinite(theirs):
        assert (ours, quality) == (None, SENTINEL if math.isnan(theirs) else RANGE)
    else:
        assert (ours, quality) == (theirs, GOOD)


@pytest.mark.parametrize("name", NUMBERS)
@given(data=st.data(), word_order=order)
def test_round_trip_through_pymodbus(name: str, data: st.DataObject, word_order: WordOrder) -> None:
    low, high = (-(2 ** (WORDS[name] * 16 - 1)), 2 ** (WORDS[name] * 16 - 1) - 1)
    if name.startswith("u"):
        low, high = 0, 2 ** (WORDS[name] * 16) - 1
    floats = st.floats(allow_nan=False, allow_infinity=False, width=32 if name == "float32" else 64)
    value = data.draw(floats if name.startswith("float") else st.integers(low, high))
    words = Mixin.convert_to_registers(value, Mixin.DATATYPE[name.upper()], word_order=word_order)
    register = reg(name, word_order=word_order)
    assert both(register, words, a_point("p", low=None, high=None)) == (value, GOOD)
    swapped = [(word >> 8) | (word & 0xFF) << 8 for word in words]
    assert both(replace(register, byte_order="little"), swapped, a_point("p", low=None, high=None)) == (value, GOOD)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_text_through_pymodbus(text: str) -> None:
    words = Mixin.convert_to_registers(text.strip(" ") or "x", Mixin.DATATYPE.STRING)
    register = reg("string", words=len(words))
    point = a_point("p", Kind.TEXT)
    assert both(register, words, point) == (text.strip(" ") or "x", GOOD)
    swapped = [(word >> 8) | (word & 0xFF) << 8 for word in words]
    assert both(replace(register, byte_order="little"), swapped, point) == (text.strip(" ") or "x", GOOD)


@pytest.mark.slow
@given(st.lists(st.booleans(), min_size=32, max_size=32))
def test_bits_through_pymodbus(flags: list[bool]) -> None:
    """Its list begins with the lowest bit of the first byte: low byte first, low word first for us."""
    words = Mixin.convert_to_registers(list(flags), Mixin.DATATYPE.BITS)
    switch = a_point("p", Kind.DISCRETE)
    for number, flag in enumerate(flags):
        register = reg("bit", words=2, bits=(number, number), byte_order="little", word_order="little")
        assert both(register, words, switch) == (flag, GOOD)


def test_enum_and_table_of_values_in_every_order() -> None:
    for byte_order, word_order in ORDERS:
        register = reg("uint32", byte_order=byte_order, word_order=word_order, values={0x10002: 7})
        assert both(register, reordered((1, 2), byte_order, word_order)) == (7, GOOD)
        assert both(register, reordered((2, 1), byte_order, word_order)) == (None, ENUM)
