"""Pure: what instants of polls, noted by the device, say about a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise


def intervals(devices: Iterable[Sequence[float]]) -> list[float]:
    """The seconds between each two polls of a device, all devices together."""
    return [later - earlier for polls in devices for earlier, later in pairwise(polls)]


def by_unit(polls: Iterable[tuple[int, float]], live: int = 255) -> list[list[float]]:
    """The instants of each unit up to `live` of one port, from (unit, instant)."""
    units: dict[int, list[float]] = {}
    for unit, at in polls:
        if unit <= live:
            units.setdefault(unit, []).append(at)
    return list(units.values())


def lateness(polls: Sequence[float], period: float) -> list[float]:
    """Seconds that each poll is behind the grid of `period`; the earliest of them, by its phase, stands on the grid."""
    if not polls:
        return []
    half = period / 2
    phases = [(at - polls[0] + half) % period - half for at in polls]
    return [phase - min(phases) for phase in phases]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of numbers in order; the next one above where the place falls between two."""
    if not ordered:
        raise ValueError("no polls were seen")
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
