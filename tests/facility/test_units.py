"""Units: exact factors, and no conversion between different things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.units import UNITS, convert, is_unit, symbol


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1, "MPa", "m[H2O]", 101.9716),  # 1 MPa is 101.97 m of water
        (1, "m[H2O]", "kPa", 9.80665),
        (4.52, "bar", "MPa", 0.452),
        (2403.7, "W", "kW", 2.4037),
        (1, "kV.A{reactive}", "V.A{reactive}", 1000),
        (10, "L/s", "m3/h", 36),
        (600, "L/min", "m3/h", 36),
        (720, "h", "d", 30),
        (50, "%", "1", 0.5),
        (4.5, "mm/s", "m/s", 0.0045),
    ],
)
def test_known_conversions(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-6)


@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)), st.floats(-1e9, 1e9))
def test_there_and_back_or_not_at_all(source: str, target: str, value: float) -> None:
    if UNITS[source].quantity == UNITS[target].quantity:
        there = convert(value, source, target)
        assert convert(there, target, source) == pytest.approx(value, rel=1e-9, abs=1e-9)
    else:
        with pytest.raises(ValueError, match="measures"):
            convert(value, source, target)


def test_an_unknown_unit_is_told() -> None:
    assert not is_unit("furlong")
    assert symbol("furlong") == "furlong"
    for source, target in (("furlong", "m"), ("m", "furlong")):
        with pytest.raises(ValueError, match="furlong"):
            convert(1, source, target)


def test_people_read_symbols() -> None:
    assert [symbol(code) for code in ("Cel", "kV.A{reactive}", "/min", "{count}", "m3/h")] == [
        "°C", "kvar", "rpm", "", "m³/h",
    ]  # fmt: skip


def test_every_unit_of_a_shipped_class_is_known() -> None:
    for asset_class in load_catalog().classes.values():
        for point in asset_class.points.values():
            assert not point.unit or is_unit(point.unit), point.key
