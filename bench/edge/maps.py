"""The register maps of the edge benchmark, and a site of many devices that have one of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facility.assets import Asset, Device, Line
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.config import Site
from facility.points import Kind, Label, Limits, Point, Profile, Register, Table
from facility.settings import Settings

SCATTER = 40
"""Registers from the start of one group of eight two-word values to the next."""
LABEL = Label("点", "point")
ID = "bench"


def contiguous(points: int = 1000) -> Profile:
    """One-word values in one piece."""
    return _profile(Register(f"p[{n}]", Table.HOLDING, n, "uint16", scale=0.1) for n in range(points))


def scattered(points: int = 1000) -> Profile:
    """Two-word values in groups of eight."""
    registers = (
        Register(f"p[{n}]", Table.HOLDING, n // 8 * SCATTER + n % 8 * 2, "uint32", words=2, scale=0.1)
        for n in range(points)
    )
    return _profile(registers, Limits(gap=8))


def single(points: int = 100) -> Profile:
    """One-word values of a model that answers for one value at a time."""
    registers = (Register(f"p[{n}]", Table.HOLDING, n, "uint16", scale=0.1) for n in range(points))
    return _profile(registers, Limits(single=True))


def _profile(registers: Iterable[Register], limits: Limits = Limits()) -> Profile:
    return Profile(ID, ID, LABEL, ID, "modbus", tuple(registers), limits=limits)


def devices_at(ports: Iterable[int]) -> list[Device]:
    """A device at each port."""
    return [Device(f"d{n}", "gw", ID, f"A{n}", line=Line(port=port)) for n, port in enumerate(ports)]


def site_of(devices: Iterable[Device], profile: Profile, interval: float) -> tuple[Site, Catalog]:
    """These devices with that map, every point wanted every `interval` seconds."""
    devices = tuple(devices)
    points = {
        register.point: Point(register.point, Kind.ANALOG, LABEL, "V", 0.0, 1e9, 0.1, interval)
        for register in profile.registers
    }
    assets = {device.asset: Asset(device.asset, ID, LABEL) for device in devices}
    site = Site(ID, LABEL, Path(), "UTC", ("en",), ("gw",), {}, assets, devices, Settings())
    return site, Catalog({ID: AssetClass(ID, LABEL, points)}, {ID: profile})
