"""Pure: what is measured of one device: how long it takes to answer, how often it does not, and why."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KEPT = 256
"""Round trips that the percentiles are made of: the last minutes of a usual device."""
ASKED = 100
"""Requests that the share of answers is made of."""
ENOUGH = 50
"""Requests before anything is said of that share."""
SILENT = 10
"""Failures in a row that make a device a silent one: it is gone, not unreliable, and the share begins anew."""
STEP = 5
"""Per cent in which the share is told, so that it is no news with every request."""
KINDS = {"timeout": "timeouts", "refused": "unreachable", "exception": "exceptions", "garbage": "garbage"}
"""Kind of a DeviceError -> what it is counted as."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A device in figures since the start. Seconds; None where nothing was measured.

    `cycle`: one round of everything that it is asked for, as predicted from the plan and as it took last.
    """

    requests: int = 0
    overruns: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    rtt_p50: float | None = None
    rtt_p99: float | None = None
    cycle_predicted: float | None = None
    cycle: float | None = None
    bad_points: int = 0


class Meter:
    """Round trips and errors of one device."""

    def __init__(self) -> None:
        self.errors = dict.fromkeys(KINDS.values(), 0)
        self._trips: deque[float] = deque(maxlen=KEPT)
        self._asked: deque[bool] = deque(maxlen=ASKED)
        self._lost = 0

    def answered(self, seconds: float) -> None:
        """An answer came after so long."""
        self._trips.append(seconds)
        self._asked.append(True)
        self._lost = 0

    def failed(self, kind: str) -> None:
        """A request failed with this kind of DeviceError. An exception is an answer, though none of use."""
        self.errors[KINDS.get(kind, "garbage")] += 1
        self._asked.append(kind == "exception")
        self._lost = 0 if kind == "exception" else self._lost + 1
        if self._lost >= SILENT:
            self._asked.clear()

    @property
    def share(self) -> int:
        """Per cent of the last ASKED requests that had an answer, rounded down to STEP; 100 while they are few."""
        if len(self._asked) < ENOUGH:
            return 100
        return 100 * sum(self._asked) // len(self._asked) // STEP * STEP

    def percentiles(self) -> tuple[float | None, float | None]:
        """p50 and p99 of the last round trips (nearest rank)."""
        trips = sorted(self._trips)
        if not trips:
            return None, None
        return trips[(len(trips) - 1) // 2], trips[-(-99 * len(trips) // 100) - 1]
