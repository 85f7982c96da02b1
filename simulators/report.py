"""What a run proved, in figures: losses, alarms, pushes and latencies, from what was observed on the outside.

Pure: it gets lists and counts, and gives the dictionary that `--report` writes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from facility.readings import Value

Latency = float
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A register of the simulated hardware changed at this instant (ms)."""

    asset: str
    point: str
    at: int
    value: Value


@dataclass(frozen=True, slots=True)
class Push:
    """A message that arrived at the receiver. `since`/`raised`: the judgement's instants; `points`: what it saw."""

    asset: str
    points: tuple[str, ...]
    since: int
    raised: int
    arrived: int


@dataclass
class Observed:
    """Everything a run is judged by.

    `readings_stored` counts distinct (asset, point, instant), `duplicated` what is beyond.
    `stored`: (asset, point) -> (reading instant, durable instant, value), in order.
    """

    seconds: float = 0.0
    sent: int = 0
    readings_stored: int = 0
    duplicated: int = 0
    alarms: Mapping[str, int] = field(default_factory=dict)
    emergencies: int = 0
    tickets: int = 0
    pushes_sent: int = 0
    pushes_failed: int = 0
    pushes_received: int = 0
    emergencies_received: int = 0
    rss_mb: float = 0.0
    first_value_s: float | None = None
    turns: Sequence[Turn] = ()
    pushes: Sequence[Push] = ()
    stored: Mapping[tuple[str, str], Sequence[tuple[int, int, Value]]] = field(default_factory=dict)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile (share in 0..1), or None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, ceil(share * len(ordered)) - 1))]


def push_latencies(turns: Sequence[Turn], pushes: Sequence[Push]) -> list[Latency]:
    """Register change -> push, the rule's own delay taken off: one figure a push that a turned register caused."""
    instants: dict[tuple[str, str], list[int]] = defaultdict(list)
    for turn in sorted(turns, key=lambda item: item.at):
        instants[turn.asset, turn.point].append(turn.at)
    found: list[Latency] = []
    for push in pushes:
        causes = [_last(instants[push.asset, point], push.since) for point in push.points]
        known = [cause for cause in causes if cause is not None]
        if known:
            found.append(float(push.arrived - max(known) - (push.raised - push.since)))
    return found


def store_latencies(
    turns: Sequence[Turn], stored: Mapping[tuple[str, str], Sequence[tuple[int, int, Value]]]
) -> list[Latency]:
    """Register change -> durable in the store: one figure a change that was read before the next one.

    A change that the next one undid before any poll saw it has no figure.
    """
    by_point: dict[tuple[str, str], list[Turn]] = defaultdict(list)
    for turn in sorted(turns, key=lambda item: item.at):
        by_point[turn.asset, turn.point].append(turn)
    found: list[Latency] = []
    for key, own in by_point.items():
        rows = stored.get(key, ())
        ends = [turn.at for turn in own[1:]] + [None]
        for turn, end in zip(own, ends, strict=True):
            index = bisect_left(rows, turn.at, key=lambda row: row[0])
            if index < len(rows) and rows[index][2] == turn.value and (end is None or rows[index][0] < end):
                found.append(float(rows[index][1] - turn.at))
    return found


def _last(instants: Sequence[int], before: int) -> int | None:
    index = bisect_right(instants, before)
    return instants[index - 1] if index else None


def report(observed: Observed, classes: Sequence[str]) -> dict[str, object]:
    """The report's dictionary; latencies are None where nothing could be measured."""
    pushes = push_latencies(observed.turns, observed.pushes)
    stores = store_latencies(observed.turns, observed.stored)
    return {
        "seconds": round(observed.seconds, 1),
        "readings": {
            "sent": observed.sent,
            "stored": observed.readings_stored,
            "lost": observed.sent - observed.readings_stored,
            "duplicated": observed.duplicated,
        },
        "alarms": {name: observed.alarms.get(name, 0) for name in classes},
        "emergencies": observed.emergencies,
        "tickets": observed.tickets,
        "pushes": {
            "sent": observed.pushes_sent,
            "failed": observed.pushes_failed,
            "webhook": observed.pushes_received,
            "webhook_emergencies": observed.emergencies_received,
        },
        "latency_ms": {
            "change_to_push_p50": percentile(pushes, 0.50),
            "change_to_push_p99": percentile(pushes, 0.99),
            "change_to_push_count": len(pushes),
            "change_to_store_p50": percentile(stores, 0.50),
            "change_to_store_p99": percentile(stores, 0.99),
            "change_to_store_count": len(stores),
        },
        "rss_mb": round(observed.rss_mb, 1),
        "first_value_s": observed.first_value_s and round(observed.first_value_s, 2),
    }
