"""Every register of every shipped profile: encoded by pymodbus as simulators do it, read back by the codec."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest

from facility.catalog import load_catalog
from facility.points import Kind, Limits, Point, Profile, Register
from facility.readings import Quality, Value
from gateway.codec import Block, decode
from gateway.planner import plan
from simulators.devices.registers import Image
from simulators.models.sensors import fitting

CATALOG = load_catalog()
MODBUS = [name for name, profile in CATALOG.profiles.items() if profile.protocol == "modbus"]


def values_of(point: Point, register: Register) -> list[Value]:
    """States, or numbers across what the point may be and the register can show."""
    if point.kind is Kind.DISCRETE:
        return [True, False] if register.values is None else [bool(to) for to in sorted(set(register.values.values()))]
    if register.values is not None:
        return sorted(set(register.values.values()))
    first, last = fitting(register)
    if point.kind is Kind.ENUM:
        return [state for state in point.states if first <= state <= last]
    low = max(first, -1e6 if point.low is None else point.low)
    high = min(last, 1e6 if point.high is None else point.high)
    step = abs(register.scale)
    inside = [low + (high - low) * share for share in (0.0, 0.1, 0.37, 0.5, 0.83, 1.0)]
    return [min(max(value, low + step / 2), high - step / 2) if high - low > step else value for value in inside]


def shown(profile: Profile, register: Register, value: Value) -> tuple[Value, Quality]:
    """The value by way of the device's words, both forms of the codec agreeing."""
    point = CATALOG.classes[profile.asset_class].points[register.point]
    image = Image(replace(profile, registers=(register,), identity={}))
    image.update({register.point: value})
    if register.table.is_bits:
        (word,) = image.words(register.table, register.address // 16)
        cell = word >> register.address % 16 & 1
        words, data = [cell], bytes([cell])
    else:
        words = image.words(register.table, register.address, register.words)
        data = struct.pack(f">{len(words)}H", *words)
    found = decode(register, words, point)
    (read,) = plan([register], Limits())
    assert Block(read, {register.point: point}).decode(data) == [found]
    return found


@pytest.mark.parametrize("name", MODBUS)
def test_what_a_device_shows_is_what_is_read(name: str) -> None:
    profile = CATALOG.profiles[name]
    points = CATALOG.classes[profile.asset_class].points
    # of repeated points the first two and the last follow the same rule as the rest
    few = [item for item in profile.registers if "[" not in item.point or item.point.split("]")[0][-1] in "128"]
    for register in few:
        if register.view:
            continue
        values = values_of(points[register.point], register)
        assert values, register.point
        for value in values:
            found, quality = shown(profile, register, value)
            assert quality is Quality.GOOD, (register, value)
            if isinstance(value, bool) or points[register.point].kind is Kind.ENUM:
                assert found == value, register
            else:
                assert isinstance(found, int | float)
                close = abs(register.scale) / 2 * (1 + 1e-9)
                assert math.isclose(found, float(value or 0), rel_tol=1e-6, abs_tol=close), (register, value)
