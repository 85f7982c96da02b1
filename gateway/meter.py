"""Pure: what is measured of one device: how long it takes to answer, how often it does not, and why."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KEPT = 256
"""Round trips that the percentiles are made of: the last minutes of a usual device."""
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

    def answered(self, seconds: float) -> None:
        """An answer came after so long."""
        self._trips.append(seconds)

    def failed(self, kind: str) -> None:
        """A request failed with this kind of DeviceError."""
        self.errors[KINDS.get(kind, "garbage")] += 1

    def percentiles(self) -> tuple[float | None, float | None]:
        """p50 and p99 of the last round trips (nearest rank)."""
        trips = sorted(self._trips)
        if not trips:
            return None, None
        return trips[(len(trips) - 1) // 2], trips[-(-99 * len(trips) // 100) - 1]
