"""The day outside and what people make of it: warmth, daylight, occupancy by the hour; time cut into cells; pure.

It is a warm day all the year round, so that a chiller has work whenever it is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from simulators.models.physics import limited

CELL = 300.0
"""Seconds in which what follows the hour is taken as constant."""


def cells(epoch: float, dt: float, zone: float) -> Iterator[tuple[float, float]]:
    """(hour of the day on site, seconds) of the `dt` seconds that end at `epoch`, cut wherever a cell ends.

    The hour is that of the cell's beginning, so that what is integrated comes out the same however time was portioned.
    """
    start = epoch - dt
    while epoch - start > 1e-6:
        cell = math.floor(start / CELL + 1e-9) * CELL
        end = min(epoch, cell + CELL)
        yield (cell + zone) / 3600 % 24, end - start
        start = end


def warmth(hour: float) -> float:
    """Outdoor temperature, Cel: coolest at 3, hottest at 15 o'clock."""
    return 29.0 + 4.0 * math.cos((hour - 15) * math.pi / 12)


def daylight(hour: float) -> float:
    """Outdoor illuminance, lx: from 6 to 18 o'clock."""
    return 50_000.0 * max(0.0, math.sin((hour - 6) * math.pi / 12))


def occupancy(hour: float) -> float:
    """Share of the people who are in: from 7 to 9 they come, from 18 to 21 they go."""
    return limited(min((hour - 7) / 2, (21 - hour) / 3), 0.0, 1.0)
