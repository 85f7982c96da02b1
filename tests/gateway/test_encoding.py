"""What is written is what is read: against our own codec, and against pymodbus's encoder and decoder."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from facility.points import Kind, Register, Table, Writing
from facility.readings import Quality, Value
from facility.writingfile import WRITABLE
from gateway.codec import decode
from gateway.encoding import encode, masks
from tests.gateway.plant import MODES, a_point

Mixin = ModbusClientMixin
WORDS = {"bool": 1, "bit": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4,
         "float32": 2, "float64": 4}  # fmt: skip
NUMBERS = tuple(name for name in WORDS if name not in ("bool", "bit"))
WIDE = a_point("p", low=-1e300, high=1e300)
FLAG = a_point("p", Kind.DISCRETE)
MODE = a_point("p", Kind.ENUM, states=MODES)
orders = st.sampled_from(["big", "little"])


def a_register(kind: str, **changes: object) -> Register:
    given: dict[str, object] = {"words": WORDS[kind]} | changes
    return Register("p", Table.HOLDING, 0, kind, **given)  # type: ignore[arg-type]


def test_every_type_that_a_profile_may_write_is_tested() -> None:
    assert set(WORDS) == WRITABLE


@given(st.sampled_from(NUMBERS), st.floats(-30_000, 30_000), st.sampled_from([1, 0.1, 0.5, 10, 3]), orders, orders)
def test_a_number_comes_back_within_half_a_step(
    kind: str, value: float, scale: float, byte_order: str, word_order: str
) -> None:
    assume(value >= 0 or not kind.startswith("uint"))
    register = a_register(kind, scale=scale, offset=-2.0, byte_order=byte_order, word_order=word_order)
    if kind.startswith("uint"):
        value = value + 2
    try:
        encoded = encode(register, WIDE, value)
    except ValueError:
        low, high = {"int16": (-(2**15), 2**15 - 1), "uint16": (0, 2**16 - 1)}[kind]
        assert not low - 0.5 <= (value + 2) / scale <= high + 0.5
        return
    found, quality = decode(register, encoded.words, WIDE)
    assert (found, quality) == (encoded.value, Quality.GOOD)
    assert isinstance(found, int | float)
    close = abs(value) * 1e-6 + 1e-3 * scale if kind.startswith("float") else scale / 2 + 1e-6
    assert abs(found - value) <= close
    assert not encoded.is_shared


@given(st.sampled_from(NUMBERS), st.integers(-(2**63), 2**64 - 1), orders)
def test_words_are_those_of_pymodbus(kind: str, value: int, word_order: str) -> None:
    size = WORDS[kind] * 16
    low, high = (0, 2**size - 1) if kind.startswith("uint") else (-(2 ** (size - 1)), 2 ** (size - 1) - 1)
    register = a_register(kind, word_order=word_order)
    type_ = getattr(Mixin.DATATYPE, kind.upper())
    if not kind.startswith("float") and not low <= value <= high:
        with pytest.raises(ValueError, match=f"does not fit into a {kind}"):
            encode(register, WIDE, value)
        return
    number = float(value) if kind.startswith("float") else value
    expected = Mixin.convert_to_registers(number, type_, word_order=word_order)  # type: ignore[arg-type]
    encoded = encode(register, WIDE, value)
    assert list(encoded.words) == expected
    back = Mixin.convert_from_registers(list(encoded.words), type_, word_order=word_order)  # type: ignore[arg-type]
    assert back == encoded.value


@given(st.integers(0, 15), st.booleans(), st.booleans(), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=1))
def test_a_bit_leaves_its_neighbours_alone(bit: int, value: bool, invert: bool, before: list[int]) -> None:
    register = a_register("bit", bits=(bit, bit), invert=invert)
    encoded = encode(register, FLAG, value)
    assert encoded.is_shared
    assert encoded.masks == masks(register) == (1 << bit,)
    (after,) = encoded.over(before)
    assert (after ^ before[0]) & ~(1 << bit) == 0
    assert decode(register, [after], FLAG) == (value, Quality.GOOD)
    whole = Mixin.convert_from_registers([after], Mixin.DATATYPE.UINT16)
    assert isinstance(whole, int)
    assert bool(whole >> bit & 1) is (value is not invert)


@given(st.integers(0, 31), orders, orders, st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2))
def test_a_bit_of_two_words(bit: int, byte_order: str, word_order: str, before: list[int]) -> None:
    register = a_register("bit", words=2, bits=(bit, bit), byte_order=byte_order, word_order=word_order)
    for value in (True, False):
        after = encode(register, FLAG, value).over(before)
        assert decode(register, after, FLAG) == (value, Quality.GOOD)
        assert sum((new ^ old).bit_count() for new, old in zip(after, before, strict=True)) <= 1


@pytest.mark.parametrize(
    ("changes", "value", "words"),
    [
        ({}, True, (1,)),
        ({}, False, (0,)),
        ({"invert": True}, True, (0,)),
        ({"values": {0x55: 1, 0xAA: 0}}, True, (0x55,)),
        ({"values": {0x55: 1, 0xAA: 0}}, False, (0xAA,)),
    ],
)
def test_on_and_off(changes: dict[str, object], value: bool, words: tuple[int, ...]) -> None:
    register = a_register("uint16" if "values" in changes else "bool", **changes)
    assert encode(register, FLAG, value).words == words


def test_states_go_by_the_profile() -> None:
    assert encode(a_register("uint16"), MODE, 2).words == (2,)
    mapped = a_register("uint16", values={7: 0, 9: 1, 11: 1})
    assert encode(mapped, MODE, 1).words == (9,)
    with pytest.raises(ValueError, match="no raw number for 2"):
        encode(mapped, MODE, 2)


def test_a_coil_has_one_bit_whatever_is_read() -> None:
    writing = Writing(Table.COIL, 7)
    register = a_register("bit", bits=(5, 5), writing=writing)
    place = register.written()
    assert (place.table, place.address, place.type) == (Table.COIL, 7, "bool")
    assert encode(place, FLAG, value=True).words == (1,)
    assert not encode(place, FLAG, value=True).is_shared
    assert a_register("uint16").written() == a_register("uint16")


@pytest.mark.parametrize(
    ("register", "value", "words"),
    [
        (a_register("uint16", sentinels=frozenset({65535.0})), 65535, "bad value"),
        (a_register("int16", sentinels=frozenset({0x8000})), -32768, "bad value"),
        (a_register("uint16", scale=10), 20, "bad value"),
        (a_register("uint16"), -1, "does not fit"),
        (a_register("float32"), 1e39, "does not fit into a float32"),
        (a_register("float32"), math.nan, "can't be written"),
        (a_register("float64"), math.inf, "can't be written"),
        (a_register("float32", words=1), 1.0, "has 2 words"),
        (a_register("uint16"), "on", "can't be written"),
        (a_register("uint16"), None, "can't be written"),
    ],
)
def test_what_can_not_be_written_is_said(register: Register, value: Value, words: str) -> None:
    point = a_point("p", low=-40_000.0, high=70_000.0) if register.scale == 1 else a_point("p", low=0.0, high=15.0)
    with pytest.raises(ValueError, match=words):
        encode(register, point, value)
