"""Units are checked before a rule runs: what can't stand together is named, quantities become the point's own unit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.points import Kind
from facility.readings import Quality
from facility.units import UNITS, convert, symbol
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.grammar import ExpressionError

CLASSES = load_catalog().classes
LIFT, POWER, PUMP = CLASSES["elevator"], CLASSES["power"], CLASSES["water_pump"]
MEASURED = [point for point in POWER.points.values() if point.kind is Kind.ANALOG and not point.index]
points = st.sampled_from(MEASURED)


def evaluate(text: str, values: dict[str, Any], *, of: Any = LIFT) -> bool | None:
    frame = Frame(of.points, {})
    read = compile_expression(text, of).bind(frame)
    for key, value in values.items():
        frame.slot(key).take(1, value, Quality.GOOD)
    return read()


def refusal(text: str, *, of: Any = LIFT) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, of)
    return caught.value


TOGETHER = [
    "{} < {}", "{} + {} > 0", "{} - {} > 0", "min({}, {}) > 0", "{} == {}", "abs({}) > max({}, 1)",
    "avg({}, '10m') > {}", "({} if ats.src1_ok else {}) > 0",
]  # fmt: skip


@given(points, points, st.sampled_from(TOGETHER))
def test_terms_of_two_units_never_stand_together(one: Any, other: Any, form: str) -> None:
    text = form.format(one.key, other.key)
    if one.unit == other.unit:
        compile_expression(text, POWER)
        return
    found = refusal(text, of=POWER)
    for point in (one, other):
        assert point.key in found.message
        assert (symbol(point.unit) or point.unit) in found.message


@given(
    points,
    points,
    st.sampled_from(["{} * {} > 0", "{} / {} > 0", "{} * 1000 > {}", "count({} > 1, '1m') > changes({}, '1m')"]),
)
def test_products_quotients_and_counts_are_not_followed(one: Any, other: Any, form: str) -> None:
    compile_expression(form.format(one.key, other.key), POWER)


@given(points, st.sampled_from(list(UNITS.values())), st.integers(-1000, 1000), st.floats(-1000, 1000))
def test_a_quantity_is_what_the_table_of_units_makes_of_it(point: Any, unit: Any, number: int, value: float) -> None:
    for name in {unit.code, unit.symbol} - {"", "1"}:
        text = f"{point.key} < '{number} {name}'"
        if unit.quantity != UNITS[point.unit].quantity:
            assert "does not fit" in refusal(text, of=POWER).message
            continue
        wanted = convert(float(number), unit.code, point.unit)
        assume(abs(wanted - value) > 1e-6 * max(1.0, abs(wanted)))
        assert evaluate(text, {point.key: value}, of=POWER) is (value < wanted)


@pytest.mark.parametrize(
    ("text", "values", "of", "expected"),
    [
        ("sys.outlet_pressure < '3 bar'", {"sys.outlet_pressure": 0.29}, PUMP, True),
        ("sys.outlet_pressure < '3bar'", {"sys.outlet_pressure": 0.31}, PUMP, False),
        ("'29 %' <= brake.lining", {"brake.lining": 29.0}, LIFT, True),
        ("drive.motor_temp > '110 °C'", {"drive.motor_temp": 111.0}, LIFT, True),
        ("car.position in ('3 m', '6 m')", {"car.position": 6000}, LIFT, True),
        ("'-1 m/s' < car.speed <= '1.5 m/s'", {"car.speed": 1.5}, LIFT, True),
        ("drive.motor_temp - mr.temp > '5 K'", {"drive.motor_temp": 40.0, "mr.temp": 30.0}, LIFT, True),
        ("drive.motor_temp > mr.temp + 5", {"drive.motor_temp": 40.0, "mr.temp": 30.0}, LIFT, True),
        ("(drive.motor_temp + mr.temp) / 2 > 30", {"drive.motor_temp": 40.0, "mr.temp": 30.0}, LIFT, True),
    ],
)
def test_quantities_mean_what_they_say(text: str, values: dict[str, Any], of: Any, expected: bool) -> None:
    assert evaluate(text, values, of=of) is expected


@pytest.mark.parametrize("limit", ["'36 kWh/h'", "'36000 Wh/h'", "0.01"])
def test_a_rate_is_per_second(limit: str) -> None:
    for slope, expected in ((0.02, True), (0.005, False)):
        frame = Frame(POWER.points, {})
        read = compile_expression(f"rate(e.import, '1h') > {limit}", POWER).bind(frame)
        slot = frame.slot("e.import")
        for second in range(600, 4201, 600):
            slot.take(second, second * slope, Quality.GOOD)
            frame.now = second * 1000
            frame.fed(frame.now, [slot])
        assert read() is expected


def test_a_rate_is_compared_with_rates_only() -> None:
    assert "kWh/s" in refusal("rate(e.import, '1h') > p.total", of=POWER).message
    assert "does not fit" in refusal("rate(e.import, '1h') > '3 kW'", of=POWER).message


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("car.speed > car.load", 13, "car.load is in %, car.speed is in m/s: they can't stand together"),
        ("car.speed > '3 bar'", 13, "'3 bar' does not fit car.speed, which is in m/s; it takes mm/s, m/s"),
        ("mr.temp > '3 K'", 11, "it takes °C"),
        ("drive.motor_temp - mr.temp > '5 °C'", 30, "it takes K"),
        ("avg(mr.temp, '1h') < stddev(mr.temp, '1h')", 22, "is in K"),
        ("delta(mr.temp, '1h') + car.speed > 1", 24, "is in m/s"),
        ("car.speed * 2 > '3 m/s'", 17, "has no unit of its own"),
        ("count(car.moving, '1h') > '3 m/s'", 27, "has no unit of its own"),
        ("since(car.moving) > car.load", 21, "since(car.moving) is in s"),
        ("rated('speed') < '3 m/s'", 18, "has no unit of its own"),
        ("car.speed > '3 furlong'", 13, "does not fit"),
        ("car.moving == '3 m'", 15, "no state"),
        ("car.speed > '°C'", 13, "no state"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(text: str, column: int, words: str) -> None:
    found = refusal(text)
    assert words in found.message
    assert found.column == column


def test_signs_of_units_stand_only_within_quotes_and_columns_count_characters() -> None:
    assert "no place" in refusal("car.speed > 3 °C").message
    assert "no place" in refusal("car.speed > 'ä'").message
    assert refusal("mr.temp > '3 °C' and car.flor > 3").column == 22
