"""Words to values: known words of every type, the order of judgement, and the quick form held to the reference."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from facility.points import Kind, Limits, Point, Register, Table
from facility.profilefile import WORDS
from facility.readings import Quality
from gateway.codec import Block, decode, scaler
from gateway.planner import plan
from tests.gateway.plant import MODES, a_point

WIDE = a_point("p", low=-1e30, high=1e30)
GOOD = Quality.GOOD


def reg(type_: str = "uint16", **changes: object) -> Register:
    words = WORDS[type_] or 4
    return replace(Register("p", Table.HOLDING, 0, type_, words=words), **changes)  # type: ignore[arg-type]


KNOWN = [
    (reg("uint16"), [0xFFFE], 65_534),
    (reg("int16"), [0xFFFE], -2),
    (reg("uint8"), [0x12FE], 0xFE),
    (reg("int8"), [0x12FE], -2),
    (reg("uint32"), [0x0001, 0x0002], 65_538),
    (reg("uint32", word_order="little"), [0x0002, 0x0001], 65_538),
    (reg("int32"), [0xFFFF, 0xFFFF], -1),
    (reg("uint64"), [0xFFFF] * 4, 2**64 - 1),
    (reg("int64", word_order="little"), [0xFFFE, 0xFFFF, 0xFFFF, 0xFFFF], -2),
    (reg("uint16", byte_order="little"), [0x3412], 0x1234),
    (reg("uint32", byte_order="little"), [0x2211, 0x4433], 0x11223344),
    (reg("uint32", byte_order="little", word_order="little"), [0x4433, 0x2211], 0x11223344),
    (reg("float16"), [0x3E00], 1.5),
    (reg("float32"), [0x4366, 0x3333], 230.1999969482422),
    (reg("float32", word_order="little"), [0x3333, 0x4366], 230.1999969482422),
    (reg("float64"), [0x3FF8, 0, 0, 0], 1.5),
    (reg("bcd16"), [0x1234], 1234),
    (reg("bcd32"), [0x0012, 0x3456], 123_456),
    (reg("bit", bits=(3, 3)), [0b1000], 1),
    (reg("bit", words=2, bits=(21, 21)), [1 << 5, 0], 1),
    (reg("bits", bits=(4, 7)), [0x12A4], 0xA),
    (reg("bool"), [7], 1),
    (reg("uint16", scale=0.1), [2301], 230.1),
    (reg("uint16", scale=0.01, offset=-273.15), [29_815], 25.0),
    (reg("uint16", scale=1 / 512), [51_200], 100.0),
    (reg("int16", scale=10.0), [0xFFFF], -10),
    (reg("uint16", scale=0.3), [3], 0.9),
    (reg("uint16", values={7: 2}), [7], 2),
]


@pytest.mark.parametrize(("register", "words", "value"), KNOWN)
def test_known_words(register: Register, words: list[int], value: float) -> None:
    assert decode(register, words, WIDE) == (value, GOOD)


@pytest.mark.parametrize("name", ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"])
@pytest.mark.parametrize("order", ["big", "little"])
@given(st.data())
def test_agrees_with_the_encoder_of_pymodbus(name: str, order: str, data: st.DataObject) -> None:
    type_ = getattr(ModbusClientMixin.DATATYPE, name.upper())
    if name.startswith("float"):
        value: float = data.draw(st.floats(-(2.0**90), 2.0**90, width=32))
    else:
        size = WORDS[name] * 16
        low = -(2 ** (size - 1)) if name.startswith("int") else 0
        value = data.draw(st.integers(low, low + 2**size - 1))
    words = ModbusClientMixin.convert_to_registers(value, type_, word_order=order)  # type: ignore[arg-type]
    assert decode(reg(name, word_order=order), words, WIDE) == (value, GOOD)


def test_text_is_stripped_and_garbage_is_bad() -> None:
    text = a_point("p", Kind.TEXT)
    assert decode(reg("string"), [0x4142, 0x4320, 0x0000, 0x0000], text) == ("ABC", GOOD)
    swapped = reg("string", byte_order="little", word_order="little")
    assert decode(swapped, [0x4241, 0x2043, 0, 0], text) == ("ABC", GOOD)
    assert decode(reg("string"), [0xFFFE, 0x4320, 0, 0], text) == (None, Quality.SENSOR)
    assert decode(reg("string"), [0x4142, 0, 0, 0], WIDE) == (None, Quality.SENSOR)
    assert decode(reg("uint16"), [12], text) == ("12", GOOD)


BAD = [
    (reg("float32"), [0x7FC0, 0], Quality.SENTINEL, "NaN"),
    (reg("float32"), [0x7F80, 0], Quality.RANGE, "infinity"),
    (reg("float32", scale=10.0), [0xFF80, 0], Quality.RANGE, "minus infinity"),
    (reg("uint16", sentinels=frozenset({0xFFFF})), [0xFFFF], Quality.SENTINEL, "all ones"),
    (reg("int16", sentinels=frozenset({0x8000})), [0x8000], Quality.SENTINEL, "pattern of a signed register"),
    (reg("int16", sentinels=frozenset({-1})), [0xFFFF], Quality.SENTINEL, "signed value"),
    (reg("uint8", sentinels=frozenset({0xFF})), [0x12FF], Quality.SENTINEL, "low byte"),
    (reg("bit", bits=(3, 3), sentinels=frozenset({0xFFFF})), [0xFFFF], Quality.SENTINEL, "the word of a bit"),
    (reg("float32", sentinels=frozenset({-1.0})), [0xBF80, 0], Quality.SENTINEL, "float"),
    (reg("bcd16"), [0x12A4], Quality.SENSOR, "nibble above 9"),
    (reg("uint16", values={1: 1}), [2], Quality.ENUM, "unmapped"),
    (reg("uint16", scale=100.0), [60_000], Quality.RANGE, "above"),
    (reg("int16"), [0x8001], Quality.RANGE, "below"),
]


@pytest.mark.parametrize(("register", "words", "quality"), [row[:3] for row in BAD], ids=[row[3] for row in BAD])
def test_a_bad_value_is_none_with_its_reason(register: Register, words: list[int], quality: Quality) -> None:
    assert decode(register, words, a_point("p")) == (None, quality)
    assert fast(register, words, a_point("p")) == (None, quality)


def test_a_sentinel_of_a_bit_is_not_the_bit_itself() -> None:
    register = reg("bit", bits=(0, 0), sentinels=frozenset({1, 0xFFFF}))
    assert decode(register, [3], WIDE) == (1, GOOD)


def test_kinds() -> None:
    mode = a_point("p", Kind.ENUM, states=MODES)
    flag = a_point("p", Kind.DISCRETE)
    assert decode(reg(), [2], mode) == (2, GOOD)
    assert decode(reg(), [9], mode) == (None, Quality.ENUM)
    assert decode(reg("float32"), [0x3FC0, 0], mode) == (None, Quality.ENUM)
    assert decode(reg(values={9: 2}), [9], mode) == (2, GOOD)
    for words, inverted, value in [([1], False, True), ([0], False, False), ([1], True, False), ([0], True, True)]:
        assert decode(reg(invert=inverted), words, flag) == (value, GOOD)
        assert type(decode(reg(invert=inverted), words, flag)[0]) is bool
        cell = reg("bool", table=Table.COIL, invert=inverted)
        assert decode(cell, words, flag) == (value, GOOD)


def test_a_wrong_number_of_words_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="2 words, not 1"):
        decode(reg("uint32"), [1], WIDE)
    with pytest.raises(ValueError, match="float32 has 2 words"):
        fast(reg("float32", words=4), [0, 0, 0, 0], WIDE)


@given(st.integers(-(2**31), 2**32), st.sampled_from([0.1, 0.01, 0.001, 0.5, 0.25, 1 / 512, 2.5, 10.0, 1e-7, 0.0]))
def test_scaling_is_the_product_within_the_noise_of_floats(raw: int, scale: float) -> None:
    for offset in (0.0, -273.15, 40.0):
        assert math.isclose(scaler(scale, offset)(raw), raw * scale + offset, rel_tol=1e-9, abs_tol=1e-9)


def fast(register: Register, words: list[int], point: Point) -> tuple[object, Quality]:
    (read,) = plan([register], Limits())
    return Block(read, {"p": point}).decode(struct.pack(f">{len(words)}H", *words))[0]


types = st.sampled_from([name for name in WORDS if name != "string"])
orders = st.sampled_from(["big", "little"])


@st.composite
def registers(draw: st.DrawFn) -> Register:
    type_ = draw(types)
    sentinels = frozenset(draw(st.lists(st.sampled_from([0, 1, -1, 0xFFFF, 0x8000, 0xFFFFFFFF, 255]), max_size=2)))
    bit = draw(st.integers(0, 15))
    return Register(
        point=f"p{draw(st.integers(0, 10**9))}",
        table=Table.HOLDING,
        address=draw(st.integers(0, 40)),
        type=type_,
        words=WORDS[type_],
        bits=(bit, bit if type_ == "bit" else draw(st.integers(bit, 15))),
        scale=draw(st.sampled_from([1.0, 0.1, 0.01, 10.0])),
        offset=draw(st.sampled_from([0.0, 0.0, -273.15, 5.0])),
        sentinels=sentinels,
        values=draw(st.sampled_from([None, None, {0: 1, 1: 0, 3: 2}])),
        byte_order=draw(orders),
        word_order=draw(orders),
        encoding=draw(st.sampled_from(["", "", "four_quadrant"])),
        invert=draw(st.booleans()),
    )


kinds = st.sampled_from([Kind.ANALOG, Kind.ANALOG, Kind.COUNTER, Kind.DISCRETE, Kind.ENUM, Kind.TEXT])


@pytest.mark.slow
@given(st.lists(st.tuples(registers(), kinds), min_size=1, max_size=12), st.data())
def test_the_quick_form_agrees_with_the_reference(rows: list[tuple[Register, Kind]], data: st.DataObject) -> None:
    wanted = list({register.point: register for register, _ in rows}.values())
    points = {
        register.point: a_point(register.point, kind, states=MODES if kind is Kind.ENUM else {})
        for register, kind in rows
    }
    for read in plan(wanted, Limits()):
        word = st.sampled_from([0, 1, 2, 3, 255, 0x8000, 0xFFFF, 0x7FC0, 0x7F80, 0x1234]) | st.integers(0, 0xFFFF)
        words = data.draw(st.lists(word, min_size=read.count, max_size=read.count))
        block = Block(read, points)
        found = block.decode(struct.pack(f">{len(words)}H", *words))
        for register, got in zip(read.registers, found, strict=True):
            start = register.address - read.address
            expected = decode(register, words[start : start + register.words], points[register.point])
            assert got == expected
            assert type(got[0]) is type(expected[0])


@given(
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=20), st.binary(min_size=8, max_size=8)
)
def test_bits_tables_agree_with_the_reference(cells: list[tuple[int, bool]], data: bytes) -> None:
    wanted = [
        Register(f"p{index}", Table.DISCRETE, address, "bool", invert=invert)
        for index, (address, invert) in enumerate(cells)
    ]
    points = {register.point: a_point(register.point, Kind.DISCRETE) for register in wanted}
    (read,) = plan(wanted, Limits(gap=10))
    found = Block(read, points).decode(data[: read.size])
    for register, got in zip(read.registers, found, strict=True):
        cell = register.address - read.address
        assert got == decode(register, [data[cell // 8] >> (cell % 8) & 1], points[register.point])
