"""Writes docs/requests.md, the requests that every shipped profile needs: `make request-table`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facility.assets import Device, Line
from facility.catalog import Catalog, load_catalog
from facility.points import Profile
from gateway.planner import cost, interval, schedule, wanted
from gateway.timing import timing

FILE = Path(__file__).resolve().parent.parent / "docs" / "requests.md"
SERIAL = Line(serial="/dev/ttyS0", port=0, baud=9_600)
HEAD = """\
# Requests of every shipped profile

Made by `make request-table`; a test holds it true. Requests per minute to one device at the shipped intervals: asked
for one point at a time, and by the read plan; then what the plan takes of a line's time over TCP and at 9,600 baud.
Models that answer for one value at a time have nothing to gather.

| profile | points | one by one | planned | part | of the time, TCP | of the time, 9,600 baud |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True)
class Row:
    """One profile: points, requests per minute one by one and planned, the part of a line's time on TCP and serial."""

    profile: str
    points: int
    alone: float
    planned: float
    tcp: float
    serial: float


def rows() -> Iterator[Row]:
    """Every polled profile, by name."""
    catalog = load_catalog()
    for _, profile in sorted(catalog.profiles.items()):
        if profile.protocol == "modbus":
            yield row(profile, catalog)


def row(profile: Profile, catalog: Catalog) -> Row:
    """One profile."""
    points = catalog.classes[profile.asset_class].points
    requests, shares = [], []
    for line in (Line(), SERIAL):
        device = Device("d", "gw", profile.id, "a", line=line)
        cycles, pace = schedule(profile, device, points), timing(line, profile.limits)
        requests.append(sum(60 * len(cycle.reads) / cycle.interval for cycle in cycles))
        shares.append(sum(cost(cycle.reads, pace) / cycle.interval for cycle in cycles))
    device = Device("d", "gw", profile.id, "a")
    registers = wanted(profile, device)
    alone = sum(60 / interval(register, device, points) for register in registers)
    return Row(profile.id, len(registers), alone, requests[0], shares[0], shares[1])


def text() -> str:
    """The whole page."""
    found = list(rows())
    lines = [
        f"| `{item.profile}` | {item.points} | {item.alone:,.0f} | {item.planned:,.0f} "
        f"| {item.planned / item.alone:.1%} | {item.tcp:.1%} | {item.serial:.0%} |"
        for item in found
    ]
    alone, planned = sum(item.alone for item in found), sum(item.planned for item in found)
    points = sum(item.points for item in found)
    lines.append(f"| **all** | {points:,} | {alone:,.0f} | {planned:,.0f} | {planned / alone:.1%} | | |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
