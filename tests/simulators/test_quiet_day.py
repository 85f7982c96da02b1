"""A quiet day of the demonstration building: in range, counting up, and every value agreeing with the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Point
from facility.readings import Value
from simulators.building import Building
from simulators.devices.modbus_server import ModbusUnit
from tests.simulators.conftest import number

MIDNIGHT = 1_767_542_400.0
"""2026-01-05 00:00 in Shanghai, a Monday."""
EVERY = 10.0
"""Seconds between two looks."""
WRAPS = ("dev.heartbeat", "dev.epoch")
"""Counters that begin anew or are set by the owner."""


def lifts_agree(values: dict[str, Value]) -> Iterator[str]:
    moving, speed = values["car.moving"], number(values, "car.speed")
    if moving is False and speed != 0.0:
        yield f"stands still at {speed} m/s"
    if moving and number(values, "car.motion") == 2 and abs(speed) < 0.5:
        yield f"runs at {speed} m/s"
    if moving and values["door.closed_limit"] is False:
        yield "moves with an open door"


def pumps_agree(values: dict[str, Value]) -> Iterator[str]:
    for index in range(1, 7):
        if f"pump[{index}].run" in values and f"pump[{index}].current" in values:
            runs, current = values[f"pump[{index}].run"], number(values, f"pump[{index}].current")
            if runs is not (current > 0.2):
                yield f"pump {index} running is {runs} at {current} A"


def meters_agree(values: dict[str, Value]) -> Iterator[str]:
    if "p.total" in values:
        total = sum(number(values, f"p.{phase}") for phase in ("l1", "l2", "l3"))
        if abs(total - number(values, "p.total")) > 1e-6 * max(1.0, total):
            yield f"phases give {total} kW, the total is {values['p.total']}"


AGREE = {"elevator": lifts_agree, "water_pump": pumps_agree, "power": meters_agree}


@dataclass(frozen=True)
class Bounds:
    """What a class says of its numbers: key -> (lowest, highest), and the keys that only grow."""

    ranges: dict[str, tuple[float, float]]
    counters: tuple[str, ...]

    @classmethod
    def of(cls, points: Mapping[str, Point]) -> Bounds:
        numbers = {key: point for key, point in points.items() if point.kind in (Kind.ANALOG, Kind.COUNTER)}
        ranges = {
            key: (-inf if point.low is None else point.low, inf if point.high is None else point.high)
            for key, point in numbers.items()
        }
        counters = [key for key, point in numbers.items() if point.kind is Kind.COUNTER and key not in WRAPS]
        return cls(ranges, tuple(counters))

    def wrong(self, values: dict[str, Value], before: dict[str, Value]) -> Iterator[str]:
        for key, (low, high) in self.ranges.items():
            value = values.get(key)
            if isinstance(value, int | float) and not low <= value <= high:
                yield f"{key} = {value} is outside {low} .. {high}"
        for key in self.counters:
            value, was = values.get(key), before.get(key)
            if isinstance(value, int | float) and isinstance(was, int | float) and value < was:
                yield f"{key} fell from {was} to {value}"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quiet_day(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    building = Building(site, catalog, seed=11, epoch=MIDNIGHT, quantum=0.5)
    units = [(device.asset, ModbusUnit(catalog.profiles[device.profile])) for device in site.devices
             if catalog.profiles[device.profile].protocol == "modbus"]  # fmt: skip
    bounds = {asset: Bounds.of(catalog.classes[site.assets[asset].asset_class].points) for asset in building.models}
    before = begun = building.values()
    spent = {asset: 0.0 for asset, points in before.items() if "e.import" in points}
    for turn in range(round(86_400 / EVERY)):
        building.step(EVERY)
        values = building.values()
        wrong = [f"{asset} {text}" for asset in values for text in bounds[asset].wrong(values[asset], before[asset])]
        for asset, points in values.items():
            agree = AGREE.get(site.assets[asset].asset_class)
            wrong += [f"{asset} {text}" for text in agree(points)] if agree else []
        assert not wrong, f"after {turn * EVERY / 3600:.2f} h: {wrong[:10]}"
        if turn % 6 == 0:
            for asset, unit in units:
                unit.update(values[asset])
        for asset in spent:
            spent[asset] += number(values[asset], "p.total") * EVERY / 3600
        before = values
    for asset, energy in spent.items():
        counted = number(before[asset], "e.import") - number(begun[asset], "e.import")
        assert counted == pytest.approx(energy, rel=0.01), f"{asset}: energy is the integral of power"
