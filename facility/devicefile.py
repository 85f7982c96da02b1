"""`devices.yaml`: the lines and the devices behind them, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from facility.assets import Device, Framing, Line
from facility.catalog import Catalog
from facility.errors import Problem
from facility.names import check_ids, unknown
from facility.points import Profile
from facility.yamlfile import Document, Strict

LOOPBACK, MODBUS = "127.0.0.1", 502
"""Host and port of a device that names none."""
SERIAL_UNITS = range(1, 248)
"""Unit ids of a serial line; 0 is for everybody, and nobody answers to it."""
_HOST = re.compile(r"[^\s/:@\[\]]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")


class _Line(Strict):
    id: str
    host: str = Field(default="", max_length=253)
    port: int = Field(default=502, ge=1, le=65_535)
    framing: Literal["tcp", "rtu"] | None = None
    fallback: str = Field(default="", max_length=260, description="HOST:PORT of a second way to the same devices")
    serial: str = Field(default="", max_length=255, description="a serial port such as /dev/ttyUSB0, instead of a host")
    baud: int = Field(default=0, ge=0, le=4_000_000, description="bits a second of the serial line")
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    delay: float = Field(default=0.0, ge=0, le=10, description="seconds of quiet between two requests")
    timeout: float = Field(default=0.0, ge=0, le=60, description="seconds; the profile's, if not given")


class _Device(Strict):
    id: str
    profile: str
    asset: str
    gateway: str = ""
    line: str = ""
    host: str | None = Field(default=None, min_length=1, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65_535)
    unit: int = Field(default=1, ge=0, le=255)
    params: dict[str, str] = {}
    points: list[str] = []
    rename: dict[str, str] = {}
    speedup: float = Field(default=1.0, gt=0, le=100)


class DevicesFile(Strict):
    """The whole file. `lines` are the ways that several devices share; a device with a host has one of its own."""

    lines: list[_Line] = []
    devices: list[_Device] = []


def devices_of(file: DevicesFile, gateway: str) -> tuple[Device, ...]:
    """The devices of a checked file; `gateway` is that of those which name none."""
    lines = {item.id: _line(item) for item in file.lines}
    return tuple(
        Device(
            id=item.id,
            gateway=item.gateway or gateway,
            profile=item.profile,
            asset=item.asset,
            line=lines[item.line] if item.line else Line(item.host or LOOPBACK, item.port or MODBUS),
            unit=item.unit,
            params=item.params,
            points=frozenset(item.points),
            rename=item.rename,
            speedup=item.speedup,
        )
        for item in file.devices
    )


def _line(item: _Line) -> Line:
    framing = Framing(item.framing or (Framing.RTU if item.serial else Framing.TCP))
    fallback = None
    if match := _ADDRESS.fullmatch(item.fallback):
        fallback = match[1].strip("[]"), int(match[2])
    return Line(
        host=item.host,
        port=0 if item.serial else item.port,
        framing=framing,
        fallback=fallback,
        serial=item.serial,
        baud=item.baud,
        parity=item.parity,
        stop_bits=item.stop_bits,
        delay=item.delay,
        timeout=item.timeout,
    )


def check_devices(
    document: Document,
    file: DevicesFile,
    catalog: Catalog,
    *,
    assets: Mapping[str, str] | None,
    gateways: Sequence[str] | None,
    broken: set[str],
) -> Iterator[Problem]:
    """Everything that is wrong. `assets` (id -> class) and `gateways` are None where their file can't be read;
    `broken` are the names of class and profile files that are wrong themselves: nobody is blamed for using them."""
    yield from _check_lines(document, file, gateways)
    yield from check_ids(document, "devices", [device.id for device in file.devices])
    taken: dict[tuple[str, str], str] = {}
    for number, device in enumerate(file.devices):
        place = ("devices", number)
        if device.gateway and gateways is not None and device.gateway not in gateways:
            yield document.problem((*place, "gateway"), f"there is no gateway {device.gateway!r} in site.yaml")
        if assets is not None and device.asset not in assets:
            yield document.problem((*place, "asset"), f"there is no asset {device.asset!r} in assets.yaml")
        profile = catalog.profiles.get(device.profile)
        if profile is None:
            known = ", ".join(sorted(catalog.profiles))
            if device.profile not in broken:
                yield document.problem((*place, "profile"), f"there is no profile {device.profile!r}; known: {known}")
            continue
        asset_class = assets.get(device.asset) if assets else None
        if asset_class in catalog.classes and asset_class != profile.asset_class:
            yield document.problem(
                (*place, "asset"), f"{device.asset} is of class {asset_class}, the profile is for {profile.asset_class}"
            )
        for name in profile.params:
            if name not in device.params:
                yield document.problem((*place, "params"), f"the profile {profile.id} needs the param {name!r}")
        for problem in _check_points(device, profile, catalog, taken):
            yield document.problem(place, problem)


def _check_lines(document: Document, file: DevicesFile, gateways: Sequence[str] | None) -> Iterator[Problem]:
    """The lines, and how the devices use them."""
    yield from check_ids(document, "lines", [line.id for line in file.lines])
    for number, item in enumerate(file.lines):
        for key, message in _check_line(item):
            yield document.problem(("lines", number, key), message)
    lines = {line.id: line for line in file.lines}
    for number, device in enumerate(file.devices):
        for key, message in _check_way(device, lines):
            yield document.problem(("devices", number, key), message)
    yield from _check_ports(document, file, gateways[0] if gateways else "")


def _check_way(device: _Device, lines: Mapping[str, _Line]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of how one device is reached."""
    if device.host is not None and (wrong := _no_host(device.host)):
        yield "host", wrong
    if not device.line:
        return
    line = lines.get(device.line)
    if not line:
        yield "line", unknown("line", device.line, lines)
        return
    if device.host is not None or device.port is not None:
        yield "line", "has a line, so host and port are the line's; leave them out here"
    if (line.serial or line.framing == "rtu") and device.unit not in SERIAL_UNITS:
        yield "unit", f"{device.unit} is no unit id of a serial line: 1..247"


def _check_ports(document: Document, file: DevicesFile, own: str) -> Iterator[Problem]:
    """A serial port is one line's and one gateway's; `own` is the gateway of devices that name none."""
    lines = {line.id: line for line in file.lines if line.serial}
    owners: dict[str, str] = {}
    ports: dict[tuple[str, str], str] = {}
    for number, device in enumerate(file.devices):
        line, gateway = lines.get(device.line), device.gateway or own
        if not line:
            continue
        if owners.setdefault(line.id, gateway) != gateway:
            message = f"the serial port of {line.id} belongs to another gateway"
            yield document.problem(("devices", number, "gateway"), message)
        elif (other := ports.setdefault((gateway, line.serial), line.id)) != line.id:
            message = f"{line.id} and {other} are the same port {line.serial}; use one"
            yield document.problem(("devices", number, "line"), message)


def _check_line(line: _Line) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of one line."""
    if bool(line.serial) == bool(line.host):
        yield "id", f"{line.id} needs a host or a serial port, one of the two"
    elif line.serial:
        yield from _check_serial(line)
    else:
        yield from _check_host(line)


def _check_serial(line: _Line) -> Iterator[tuple[str, str]]:
    if not line.serial.startswith(("/", "COM")):
        yield "serial", f"{line.serial!r} is no serial port, such as /dev/ttyUSB0 or COM3"
    if not line.baud:
        yield "serial", "a serial port needs its baud, such as 9600"
    if line.framing == "tcp":
        yield "framing", "on a serial port the framing is rtu"
    if line.fallback:
        yield "fallback", "is for a host; a serial port has no second way"


def _check_host(line: _Line) -> Iterator[tuple[str, str]]:
    if wrong := _no_host(line.host):
        yield "host", wrong
    if not line.fallback:
        return
    match = _ADDRESS.fullmatch(line.fallback)
    if not (match and 0 < int(match[2]) < 65_536):
        yield "fallback", f"{line.fallback!r} is no HOST:PORT"
    elif (match[1].strip("[]"), int(match[2])) == (line.host, line.port):
        yield "fallback", "is the line itself; leave it out or give the second place"


def _no_host(host: str) -> str:
    """What is wrong with a host; empty if nothing is."""
    if _HOST.fullmatch(host):
        return ""
    return f"{host!r} is no host name or address" + "; the port goes to `port`" * bool(_ADDRESS.fullmatch(host))


def _check_points(
    device: _Device, profile: Profile, catalog: Catalog, taken: dict[tuple[str, str], str]
) -> Iterator[str]:
    """What is wrong with the points a device narrows or renames; `taken` gathers who reads what."""
    indexed = [key for key in profile.points if "[n]" in key]
    strange = {
        key
        for key in (set(device.points) | set(device.rename)) - set(profile.points)
        if not any(re.sub(r"\[\d+\]", "[n]", key) == template for template in indexed)
    }
    for key in sorted(strange):
        yield f"the profile {profile.id} has no point {key!r}"
    wanted = set(device.points or profile.points) - strange
    for key in sorted({device.rename.get(key, key) for key in wanted}):
        if "[n]" not in key and catalog.point(profile.asset_class, key) is None:
            yield f"the class {profile.asset_class} has no point {key!r}"
        if (device.asset, key) in taken:
            yield f"{device.asset} {key} is already read from device {taken[device.asset, key]}"
        taken[device.asset, key] = device.id
