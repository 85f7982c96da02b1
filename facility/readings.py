"""What a reading is: one value of one point of one asset at one instant, with its quality.

Readings travel as samples: all points of one asset read at the same instant. A value that is not
good is `None` in `values` and its reason stands in `quality`; a bad value is never a number.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

Value = float | int | bool | str | None
"""analog and counter: float or int; discrete: bool; enum: int; text: str; None when the quality is not good."""


class Quality(StrEnum):
    """Good, or the reason why not. Everything that is neither good nor stale counts as bad."""

    GOOD = "good"
    COMM = "comm"
    SENTINEL = "sentinel"
    RANGE = "range"
    ENUM = "enum"
    SENSOR = "sensor"
    CLOCK = "clock"
    STALE = "stale"

    @property
    def is_good(self) -> bool:
        """True only for `good`."""
        return self is Quality.GOOD


class Sample(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The readings of one asset at one instant.

    `at`: ms since 1970 UTC. `values`: point key -> value. `quality`: only the points that are not good.
    """

    asset: str
    at: int
    values: dict[str, Value]
    quality: dict[str, Quality] = {}

    def quality_of(self, point: str) -> Quality:
        """The quality of one point of this sample."""
        return self.quality.get(point, Quality.GOOD)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value of one point, as queries and screens want it."""

    asset: str
    point: str
    at: int
    value: Value
    quality: Quality = Quality.GOOD


def readings(sample: Sample) -> list[Reading]:
    """A sample taken apart, one reading a point, in the sample's order."""
    return [
        Reading(sample.asset, point, sample.at, value, sample.quality_of(point))
        for point, value in sample.values.items()
    ]
