"""What a rule costs, as one number known before it runs: its parts, and its windows by kind and length.

One part of an expression (a point, a number, a comparison, a function) costs 1. A window costs what its function costs,
and more for each hour that it spans, for it keeps what it saw. A question to other equipment costs RELATION, for all of
them are asked. The whole of a rule (`when`, `clear`, `enable` and `suppress`) stays
within MAX_COST; each window keeps at most so many changes as windows.py says, whatever it costs.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_COST = 400
"""Of one rule."""

RELATION = 20
HOUR_MS = 3_600_000
WINDOWS: Mapping[str, tuple[float, float]] = {
    "held": (2, 0), "since": (2, 0), "count": (2, 0.5), "changes": (2, 0.5),
    "min": (4, 1), "max": (4, 1), "avg": (4, 1), "delta": (4, 1), "rate": (4, 1),
    "stddev": (8, 2), "percentile": (20, 5), "p95_of_hour": (10, 0.1), "slope": (10, 0.1), "days_to": (10, 0.1),
}  # fmt: skip
"""Window function -> what it costs, and what each hour of its length adds."""


def window_cost(function: str, length: int) -> float:
    """The cost of one window of `length` ms."""
    fixed, hourly = WINDOWS[function]
    return fixed + hourly * length / HOUR_MS
