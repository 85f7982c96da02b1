"""What the gateway's commands are given on the command line: durations, addresses, devices of a site, points."""

from __future__ import annotations

import re
from pathlib import Path

from facility.assets import Device, Line
from facility.catalog import Catalog, load_catalog
from facility.config import load_site
from facility.duration import seconds
from facility.errors import ConfigError, Problem
from facility.names import unknown
from gateway.check import polled

ADDRESS = re.compile(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?")
"""HOST, HOST:PORT, [IPV6]:PORT."""


def duration(option: str, text: str) -> float:
    """The seconds of a duration such as 60s; ConfigError names the option."""
    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigError([Problem(option, 0, "", str(error))]) from error


def host_port(text: str, port: int) -> tuple[str, int] | None:
    """Host and port of an address, `port` where it names none; None when it is no address."""
    match = ADDRESS.fullmatch(text)
    given = int(match[2] or port) if match else 0
    return (match[1].strip("[]"), given) if match and 0 < given < 65_536 else None


def device_of_site(folder: Path, name: str, profile: str) -> tuple[Device, Catalog]:
    """A polled device of a site; ConfigError when there is none of that name, or it is given a profile."""
    site, catalog = load_site(folder)
    known = {found.id: found for found in polled(site, catalog)}
    problems = []
    if name not in known:
        problems.append(Problem("--device", 0, "", unknown("polled device", name, known)))
    if profile:
        problems.append(Problem("--profile", 0, "", "is for an address; the devices of a site have theirs"))
    if problems:
        raise ConfigError(problems)
    return known[name], catalog


def device_at(address: str, profile: str, unit: int, folder: Path | None) -> tuple[Device, Catalog]:
    """A device at an address; ConfigError when it or its profile is none."""
    catalog = load_catalog(folder)
    known = [key for key, found in catalog.profiles.items() if found.protocol == "modbus"]
    place = host_port(address, 502)
    problems = []
    if place is None:
        problems.append(Problem(address, 0, "", "is no HOST or HOST:PORT; a site folder needs --device"))
    if profile not in known:
        problems.append(Problem("--profile", 0, "", unknown("profile of a Modbus device", profile, known)))
    if place is None or problems:
        raise ConfigError(problems)
    return Device(f"unit {unit}", "", profile, "", Line(*place), unit), catalog


def narrowed(points: str, device: Device, catalog: Catalog) -> frozenset[str]:
    """The points that are named, else those of the device; ConfigError for unknown ones."""
    names = [name.strip() for name in points.split(",") if name.strip()]
    known = catalog.profiles[device.profile].points
    problems = [Problem("--points", 0, "", unknown("point", name, known)) for name in names if name not in known]
    if problems:
        raise ConfigError(problems)
    return frozenset(names) or device.points
