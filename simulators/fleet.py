"""A fleet for load tests: a whole site folder of equal three-phase meters, `500x20` for 500 of 20 points at 1 Hz; pure.

The folder is an ordinary one: `caretaker simulate` serves it and `caretaker run` polls it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from simulators.models.power.power_meter import Meter
from simulators.models.power.supply import Supply

MOST = 2_000
"""Devices of a fleet."""
SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,2})")
INTERVAL = 1.0
"""Seconds between two polls of every point."""


class FleetError(ValueError):
    """The size of a fleet can't be had; says what can."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """So many devices with so many points each, the first one's listener on `port`, the others' on those after it."""

    devices: int
    points: int
    port: int = 15_100

    @classmethod
    def parse(cls, text: str, *, port: int = 15_100) -> Fleet:
        """`500x20`; FleetError when it is not such a size or too large."""
        size = SIZE.fullmatch(text)
        if size is None:
            raise FleetError(f"{text!r} is no size of a fleet, such as 500x20: devices x points")
        devices, points = int(size[1]), int(size[2])
        if devices > MOST:
            raise FleetError(f"{devices} devices: one process serves at most {MOST}")
        if points > len(METER_POINTS):
            raise FleetError(f"{points} points: a meter of the fleet has at most {len(METER_POINTS)}")
        if port + devices > 65_536:
            raise FleetError(f"{devices} devices from port {port} on do not fit below 65536")
        return cls(devices, points, port)

    def files(self) -> Mapping[str, str]:
        """File of the site folder -> its text."""
        return {
            "site.yaml": SITE,
            "assets.yaml": "\n".join(["assets:", *self._assets()]) + "\n",
            "devices.yaml": "\n".join(["devices:", *self._devices()]) + "\n",
            "people.yaml": "channels: []\nroutes: []\n",
            "profiles/fleet-meter.yaml": "\n".join([PROFILE, *self._registers()]) + "\n",
        }

    def _assets(self) -> Iterator[str]:
        for number in range(1, self.devices + 1):
            labels = f"{{zh: 电表{number}, en: Meter {number}}}"
            yield f"  - {{id: M-{number:04}, class: power, labels: {labels}, rated: {{load: 20}}}}"

    def _devices(self) -> Iterator[str]:
        for number in range(1, self.devices + 1):
            port = self.port + number - 1
            yield f"  - {{id: M-{number:04}-meter, profile: fleet-meter, asset: M-{number:04}, port: {port}}}"

    def _registers(self) -> Iterator[str]:
        for number, point in enumerate(METER_POINTS[: self.points]):
            yield f"  - {{point: {point}, address: {2 * number}, type: float32, interval: {INTERVAL:g}}}"


METER_POINTS = tuple(Meter(Random(0), Supply(Random(0)), load=1.0).values())
"""What a meter can show, in the order in which a fleet takes it."""

SITE = """\
# A fleet of simulated meters for load tests.
site: fleet
labels: {zh: 负载测试, en: Load test}
time_zone: Asia/Shanghai
languages: [zh, en]
gateways: [gw-1]
broker: {embedded: true}
"""

PROFILE = """\
profile: fleet-meter
class: power
labels: {zh: 负载测试电表, en: Load test meter}
source: "made for load tests; no real device"
table: input
registers:"""
