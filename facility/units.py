"""Units: UCUM codes, the quantity each measures, and exact factors to the quantity's base unit.

Factors are exact by definition of the units (SI Brochure 9; the conventional metre of water is 9806.65 Pa).
`V.A{reactive}` stands for var, which UCUM does not have.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: value in base unit = value * factor + offset. `symbol` is what people read."""

    code: str
    quantity: str
    factor: float = 1.0
    offset: float = 0.0
    symbol: str = ""


_TABLE = (
    Unit("V", "voltage", 1.0, 0.0, "V"),
    Unit("mV", "voltage", 0.001, 0.0, "mV"),
    Unit("kV", "voltage", 1000.0, 0.0, "kV"),
    Unit("A", "current", 1.0, 0.0, "A"),
    Unit("mA", "current", 0.001, 0.0, "mA"),
    Unit("W", "power", 1.0, 0.0, "W"),
    Unit("kW", "power", 1000.0, 0.0, "kW"),
    Unit("MW", "power", 1_000_000.0, 0.0, "MW"),
    Unit("V.A", "apparent power", 1.0, 0.0, "VA"),
    Unit("kV.A", "apparent power", 1000.0, 0.0, "kVA"),
    Unit("V.A{reactive}", "reactive power", 1.0, 0.0, "var"),
    Unit("kV.A{reactive}", "reactive power", 1000.0, 0.0, "kvar"),
    Unit("W.h", "energy", 1.0, 0.0, "Wh"),
    Unit("kW.h", "energy", 1000.0, 0.0, "kWh"),
    Unit("MW.h", "energy", 1_000_000.0, 0.0, "MWh"),
    Unit("kV.A{reactive}.h", "reactive energy", 1000.0, 0.0, "kvarh"),
    Unit("kV.A.h", "apparent energy", 1000.0, 0.0, "kVAh"),
    Unit("W.h/m3", "specific energy", 1.0, 0.0, "Wh/m³"),
    Unit("Hz", "frequency", 1.0, 0.0, "Hz"),
    Unit("/min", "rotation", 1.0, 0.0, "rpm"),
    Unit("/h", "rate", 1.0, 0.0, "/h"),
    Unit("/s", "rate", 3600.0, 0.0, "/s"),
    Unit("Cel", "temperature", 1.0, 0.0, "°C"),
    Unit("K", "temperature difference", 1.0, 0.0, "K"),
    Unit("Pa", "pressure", 1.0, 0.0, "Pa"),
    Unit("kPa", "pressure", 1000.0, 0.0, "kPa"),
    Unit("MPa", "pressure", 1_000_000.0, 0.0, "MPa"),
    Unit("bar", "pressure", 100_000.0, 0.0, "bar"),
    Unit("m[H2O]", "pressure", 9806.65, 0.0, "mH₂O"),
    Unit("m3/h", "flow", 1.0, 0.0, "m³/h"),
    Unit("L/s", "flow", 3.6, 0.0, "L/s"),
    Unit("L/min", "flow", 0.06, 0.0, "L/min"),
    Unit("m3", "volume", 1.0, 0.0, "m³"),
    Unit("L", "volume", 0.001, 0.0, "L"),
    Unit("mm/s", "velocity", 0.001, 0.0, "mm/s"),
    Unit("m/s", "velocity", 1.0, 0.0, "m/s"),
    Unit("mm", "length", 0.001, 0.0, "mm"),
    Unit("m", "length", 1.0, 0.0, "m"),
    Unit("kg", "mass", 1.0, 0.0, "kg"),
    Unit("%", "ratio", 0.01, 0.0, "%"),
    Unit("1", "ratio", 1.0, 0.0, ""),
    Unit("ms", "time", 0.001, 0.0, "ms"),
    Unit("s", "time", 1.0, 0.0, "s"),
    Unit("min", "time", 60.0, 0.0, "min"),
    Unit("h", "time", 3600.0, 0.0, "h"),
    Unit("d", "time", 86400.0, 0.0, "d"),
    Unit("Ohm", "resistance", 1.0, 0.0, "Ω"),
    Unit("mOhm", "resistance", 0.001, 0.0, "mΩ"),
    Unit("deg", "angle", 1.0, 0.0, "°"),
    Unit("mg/L", "concentration", 1.0, 0.0, "mg/L"),
    Unit("[ppm]", "fraction", 1.0, 0.0, "ppm"),
    Unit("{NTU}", "turbidity", 1.0, 0.0, "NTU"),
    Unit("[pH]", "acidity", 1.0, 0.0, "pH"),
    Unit("{count}", "count", 1.0, 0.0, ""),
    Unit("{floor}", "floor", 1.0, 0.0, ""),
    Unit("dB[mW]", "signal", 1.0, 0.0, "dBm"),
    Unit("B", "data", 1.0, 0.0, "B"),
    Unit("MB", "data", 1_000_000.0, 0.0, "MB"),
    Unit("kbit/s", "data rate", 1000.0, 0.0, "kbit/s"),
    Unit("lx", "illuminance", 1.0, 0.0, "lx"),
)

UNITS = {unit.code: unit for unit in _TABLE}


def is_unit(code: str) -> bool:
    """Whether a UCUM code is one of ours."""
    return code in UNITS


def symbol(code: str) -> str:
    """What people read for a UCUM code; the code itself when it is unknown."""
    unit = UNITS.get(code)
    return unit.symbol if unit else code


def convert(value: float, source: str, target: str) -> float:
    """A value in `source` as a value in `target`; ValueError unless both are known and measure the same quantity."""
    for code in (source, target):
        if code not in UNITS:
            raise ValueError(f"{code!r} is not one of the known UCUM units")
    one, other = UNITS[source], UNITS[target]
    if one.quantity != other.quantity:
        raise ValueError(f"{source} measures {one.quantity}, {target} measures {other.quantity}")
    return (value * one.factor + one.offset - other.offset) / other.factor
