"""Cells: numbers, states, switches, texts, no value; and that what is accepted is what can be encoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from facility.catalog import Catalog, load_catalog
from facility.points import Kind, Label, Point, Profile, Register, State, Table
from facility.readings import Value
from simulators.devices.modbus_server import ModbusUnit
from simulators.devices.registers import encode
from simulators.replay.cells import NOTHING, Conversion, Numbers, reader
from simulators.replay.fit import judge

LABEL = Label("点", "point")
STATES = {number: State(number, code, LABEL) for number, code in ((0, "auto"), (4, "min"), (8, "none"))}
VOLTS = Point("u", Kind.ANALOG, LABEL, unit="V")
PRESSURE = Point("p", Kind.ANALOG, LABEL, unit="MPa")
MODE = Point("m", Kind.ENUM, LABEL, states=STATES)
RUN = Point("r", Kind.DISCRETE, LABEL, states={0: State(0, "stopped", LABEL), 1: State(1, "running", LABEL)})
NAME = Point("t", Kind.TEXT, LABEL)
FLOAT = Register("u", Table.HOLDING, 0, "float64", words=4)
WORD = Register("u", Table.HOLDING, 0, "uint16")


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.5", 1.5), ("1,5", 1.5), (" -3 ", -3.0), ("1e3", 1000.0), (",5", 0.5), ("+2,", 2.0), ("１２", 12.0)],
)
def test_numbers(text: str, number: float) -> None:
    assert Numbers(comma=True).read(text) == number


@pytest.mark.parametrize("text", [*sorted(NOTHING), "NaN", "NA", " ", "NULL"])
def test_no_value(text: str) -> None:
    assert Numbers(comma=True).read(text) is None
    assert reader(RUN, WORD, Numbers(comma=True))(text) is None


@pytest.mark.parametrize("text", ["1,2,3", "1.234,5", "1,234.5", "1_0", "1 000", "0x1", "12V", "--", "1;2"])
def test_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        Numbers(comma=True).read(text)


def test_a_comma_that_separates_cells_is_no_decimal_mark() -> None:
    with pytest.raises(ValueError, match="is no number"):
        Numbers(comma=False).read("1,5")


@pytest.mark.parametrize(("first", "second"), [("1.5", "1,5"), ("1,5", "1.5")])
def test_one_table_has_one_decimal_mark(first: str, second: str) -> None:
    numbers = Numbers(comma=True)
    assert (numbers.read(first), numbers.read("7"), numbers.read(first)) == (1.5, 7.0, 1.5)
    with pytest.raises(ValueError, match="which is decimal"):
        numbers.read(second)


def test_the_factor_comes_before_the_unit() -> None:
    read = reader(PRESSURE, FLOAT, Numbers(comma=False), Conversion(0.1, "bar"))
    assert read("45.2") == pytest.approx(0.452)
    with pytest.raises(ValueError, match="V measures voltage, MPa measures pressure"):
        reader(PRESSURE, FLOAT, Numbers(comma=False), Conversion(unit="V"))


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("4", 4), ("4.0", 4), ("AUTO", 0), (" min", 4), ("none", 8)])
def test_states_by_number_and_by_code(text: str, number: int) -> None:
    assert reader(MODE, WORD, Numbers(comma=False))(text) == number


@pytest.mark.parametrize("text", ["1", "maximum", "0.5"])
def test_no_state(text: str) -> None:
    with pytest.raises(ValueError, match="is no state of m; its states: 0 auto, 4 min, 8 none"):
        reader(MODE, WORD, Numbers(comma=False))(text)


def test_a_state_that_the_device_can_not_show() -> None:
    read = reader(MODE, replace(WORD, values={1: 0, 2: 4}), Numbers(comma=False))
    assert read("min") == 4
    with pytest.raises(ValueError, match="'8' can't be shown: the profile has no raw number"):
        read("8")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", False), ("1", True), ("1.0", True), ("TRUE", True), ("false", False), ("On", True), ("off", False),
     ("running", True), ("Stopped", False)],
)  # fmt: skip
def test_switches(text: str, value: bool) -> None:
    assert reader(RUN, WORD, Numbers(comma=False))(text) is value


def test_a_switch_without_states_and_one_whose_states_say_off() -> None:
    assert reader(replace(RUN, states={}), WORD, Numbers(comma=False))("on") is True
    odd = replace(RUN, states={0: State(0, "on", LABEL), 1: State(1, "off", LABEL)})
    assert reader(odd, WORD, Numbers(comma=False))("on") is False


def test_texts() -> None:
    read = reader(NAME, Register("t", Table.HOLDING, 0, "string", words=2), Numbers(comma=False))
    assert (read("A1"), read("")) == ("A1", None)
    with pytest.raises(ValueError, match="longer than the 4 bytes"):
        read("电梯")
    for point, register in ((NAME, WORD), (VOLTS, replace(WORD, type="string"))):
        with pytest.raises(ValueError, match="can't be shown as"):
            reader(point, register, Numbers(comma=False))


TYPES = {
    "uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "uint64": 4, "int64": 4, "float16": 1, "float32": 2, "float64": 4,
    "bcd16": 1, "bcd32": 2,
}  # fmt: skip


@pytest.mark.slow
@given(
    kind=st.sampled_from(sorted(TYPES)),
    value=st.floats(allow_nan=False)
    | st.integers(-(2**65), 2**65).map(float)
    | st.integers(-70_000, 70_000).map(float),
    scale=st.sampled_from([1.0, 0.1, 0.001, 2.0, -1.0]),
    offset=st.sampled_from([0.0, -273.15, 10.0]),
)
@example(kind="uint16", value=65_535.5, scale=1.0, offset=0.0)
@example(kind="uint16", value=-0.5, scale=1.0, offset=0.0)
@example(kind="int16", value=-32_768.5, scale=1.0, offset=0.0)
@example(kind="int16", value=32_767.5, scale=1.0, offset=0.0)
@example(kind="uint64", value=float(2**64), scale=1.0, offset=0.0)
def test_what_fits_is_what_can_be_encoded(kind: str, value: float, scale: float, offset: float) -> None:
    register = Register("u", Table.HOLDING, 0, kind, words=TYPES[kind], scale=scale, offset=offset)
    # the last few numbers that a float rounds down to its largest may be refused
    assume(not (kind == "float32" and 3.4028234e38 < abs((value - offset) / scale) < 3.40282357e38))
    assume(not (kind == "float16" and 65_504 < abs((value - offset) / scale) < 65_520))
    try:
        encode(register, value)
    except (ValueError, OverflowError):
        encodes = False
    else:
        encodes = abs((value - offset) / scale) != float("inf")
    assert (judge(register)(value) == "") is encodes


@pytest.mark.parametrize(
    ("register", "good", "bad"),
    [
        (replace(WORD, type="uint8"), 255, 256),
        (replace(WORD, type="int8"), -128, -129),
        (replace(WORD, type="bits", bits=(4, 6)), 7, 8),
        (replace(WORD, sentinels=frozenset({65_535.0})), 65_534, 65_535),
        (replace(WORD, type="int16", sentinels=frozenset({0x8000})), -32_767, -32_768),
        (replace(FLOAT, sentinels=frozenset({-1.0})), -1.5, -1),
        (replace(WORD, values={1: 5}), 5, 1),
    ],
)
def test_what_the_encoder_would_cut_off_or_a_reader_take_for_missing(
    register: Register, good: float, bad: float
) -> None:
    assert judge(register)(good) == ""
    assert judge(register)(bad) != ""


PLAYED = [profile for profile in load_catalog().profiles.values() if profile.protocol == "modbus"]


@pytest.mark.parametrize("profile", PLAYED, ids=lambda profile: str(profile.id))
@pytest.mark.parametrize("text", ["0", "1", "1000"])
def test_every_shipped_device_takes_what_is_accepted(profile: Profile, text: str, catalog: Catalog) -> None:
    points = catalog.classes[profile.asset_class].points
    values: dict[str, Value] = {}
    for register in profile.registers:
        with suppress(ValueError):
            values[register.point] = reader(points[register.point], register, Numbers(comma=False))(text)
    assert values or text == "1000"  # which no state is
    ModbusUnit(profile).update(values)
