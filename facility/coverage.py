"""How much of a building is watched: what can be said of each point, and what has to be watched in full. Pure.

A device may say of a value that it has none (`sentinel`): such a point is absent and is not missed. Everything else
that is not fresh is a hole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from facility.classfile import AssetClass
from facility.readings import Quality


class Cover(StrEnum):
    """How well a point is watched: each point of a site is exactly one of these."""

    FRESH = "fresh"
    STALE = "stale"
    BAD = "bad"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    NEVER = "never"
    ABSENT = "absent"


CRITICAL = frozenset({"fire_alarm", "water_pump"})
"""Classes that have to be watched in full beside those of life safety."""


def is_critical(asset_class: AssetClass) -> bool:
    """Whether a hole in what is seen of such equipment is an alarm."""
    return asset_class.life_safety or asset_class.id in CRITICAL


def cover_of(quality: Quality | None, *, suppressed: bool = False, out_of_service: bool = False) -> Cover:
    """What a point is, whose newest reading has this quality as judged now; None: it never had any.

    `suppressed`: an alarm of it is kept quiet now; `out_of_service`: its equipment is.
    """
    if out_of_service:
        return Cover.OUT_OF_SERVICE
    if quality is None:
        return Cover.NEVER
    if quality is Quality.SENTINEL:
        return Cover.ABSENT
    if quality is Quality.STALE:
        return Cover.STALE
    if quality is not Quality.GOOD:
        return Cover.BAD
    return Cover.SUPPRESSED if suppressed else Cover.FRESH


def per_cent(covers: Counter[Cover]) -> float | None:
    """The share of fresh points, absent ones left out, cut to a tenth: 100 only when all are. None without points."""
    expected = covers.total() - covers[Cover.ABSENT]
    return 1000 * covers[Cover.FRESH] // expected / 10 if expected else None


def summed(parts: Iterable[Counter[Cover]]) -> Counter[Cover]:
    """All of them together."""
    found: Counter[Cover] = Counter()
    for part in parts:
        found.update(part)
    return found
