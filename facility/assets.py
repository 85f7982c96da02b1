"""What is installed, where it is, and how the gateway reaches it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Device:
    """What a gateway talks to: a profile at an address, serving one asset.

    Several devices may serve the same asset (a switchboard has a meter and an ATS controller).
    `host`, `port`, `unit` are for Modbus; `params` fill the placeholders of an MQTT profile's topics.
    `points` narrows the device to some canonical keys (all that the profile has, if empty);
    `rename` moves a key of the profile to another one of the class (`door[1].contact` -> `door[5].contact`).
    `speedup` divides every poll interval.
    """

    id: str
    gateway: str
    profile: str
    asset: str
    host: str = "127.0.0.1"
    port: int = 502
    unit: int = 1
    params: Mapping[str, str] = field(default_factory=dict)
    points: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    speedup: float = 1.0
