"""Pure: is a device up, failing or down, and when is it asked again.

Down after three failed polls in a row or three poll intervals without an answer, whichever is later; up again after
two good polls in a row, and down again with the first that fails before that. A device that was never down comes up
with its first good poll. A device that fails is asked again after 1 s until that is decided; then the wait doubles up
to 60 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FAILURES = 3
RECOVERIES = 2
SHORTEST = 1.0
LONGEST = 60.0
"""Seconds between attempts on a device that does not answer."""


class State(StrEnum):
    """Failing is in between: it was up and stopped answering, or was down and has begun to."""

    UP = "up"
    FAILING = "failing"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one device. Instants are monotonic seconds; `error` is the last one, empty when up."""

    state: State = State.FAILING
    was_down: bool = False
    failures: int = 0
    successes: int = 0
    failing_since: float = 0.0
    retry_at: float = 0.0
    error: str = "not asked yet"


def succeeded(health: Health) -> Health:
    """After a good poll."""
    if health.state is State.UP and not health.failures:
        return health
    successes = health.successes + 1
    if health.was_down and successes < RECOVERIES:
        return replace(health, state=State.FAILING, failures=0, successes=successes, retry_at=0.0)
    return Health(state=State.UP, error="")


def failed(health: Health, at: float, *, interval: float, error: str, jitter: float) -> Health:
    """After a failed poll at `at`; `interval` is the device's shortest, `jitter` a number in [0, 1)."""
    failures = health.failures + 1
    since = health.failing_since if health.failures else at
    given_up = failures >= FAILURES and at - since >= interval * (FAILURES - 1)
    gone = health.was_down or given_up
    return Health(
        state=State.DOWN if gone else State.FAILING,
        was_down=health.was_down or gone,
        failures=failures,
        failing_since=since,
        retry_at=at + delay(failures, jitter),
        error=error,
    )


def delay(failures: int, jitter: float) -> float:
    """Seconds to wait after the n-th failure in a row: 1, 1, 1, 2, 4 .. 60, less up to a quarter by `jitter`."""
    longest = min(LONGEST, SHORTEST * 2.0 ** min(max(0, failures - FAILURES), 10))
    return max(SHORTEST, longest * (1 - jitter / 4))
