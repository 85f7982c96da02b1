"""What is installed, where it is, and how the gateway reaches it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from facility.points import Label

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Site, gateway, asset and device ids; they become topic levels and tag values."""
GATEWAY_CLASS = "gateway"
"""The asset class of the gateways themselves: each is an asset whose id is the gateway's."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place: building, floor, room. `parent` is the id of the place around it, or empty."""

    id: str
    label: Label
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """One installed thing. `rated` holds its rated values by name; `parents` the assets that feed or contain it."""

    id: str
    asset_class: str
    label: Label
    location: str = ""
    rated: Mapping[str, float] = field(default_factory=dict)
    ledger: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()


class Framing(StrEnum):
    """How a Modbus frame is wrapped: with the header of Modbus TCP, or with unit and checksum as on a serial line."""

    TCP = "tcp"
    RTU = "rtu"


@dataclass(frozen=True, slots=True)
class Line:
    """The way to Modbus devices: a TCP endpoint, or a serial port where `serial` names one (then framing is RTU).

    Devices whose lines are equal share one connection and are asked one after the other. `fallback` is a second host
    and port that lead to the same devices. `baud`: bits a second; for a TCP endpoint that of the serial line behind it,
    0 if there is none. `delay`: seconds of quiet between two requests. `timeout`: seconds to wait for an answer; 0
    leaves it to the profile of each device.
    """

    host: str = "127.0.0.1"
    port: int = 502
    framing: Framing = Framing.TCP
    fallback: tuple[str, int] | None = None
    serial: str = ""
    baud: int = 0
    parity: str = "none"
    stop_bits: int = 1
    delay: float = 0.0
    timeout: float = 0.0

    @property
    def name(self) -> str:
        """The serial port, or host and port; `(RTU)` where the frames are not those of Modbus TCP."""
        if self.serial:
            return self.serial
        return f"{self.host}:{self.port}" + (" (RTU)" if self.framing is Framing.RTU else "")


@dataclass(frozen=True, slots=True)
class Device:
    """What a gateway talks to: a profile at an address, serving one asset.

    Several devices may serve the same asset (a switchboard has a meter and an ATS controller).
    `line` and `unit` are for Modbus; `params` fill the placeholders of an MQTT profile's topics.
    `points` narrows the device to some canonical keys (all that the profile has, if empty);
    `rename` moves a key of the profile to another one of the class (`door[1].contact` -> `door[5].contact`).
    `speedup` divides every poll interval.
    """

    id: str
    gateway: str
    profile: str
    asset: str
    line: Line = Line()
    unit: int = 1
    params: Mapping[str, str] = field(default_factory=dict)
    points: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    speedup: float = 1.0
