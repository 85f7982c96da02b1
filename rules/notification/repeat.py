"""How often an alarm that keeps coming back is told. Pure; instants are ms."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Limit:
    """Told `times` more within an hour, when it is back within `within` ms of its last message."""

    times: int = 3
    within: int = 900_000


def quiet_until(told: tuple[int, ...], at: int, limit: Limit) -> int | None:
    """When it may be told again, None for now. `told`: the instants of its messages, in order."""
    if not told or at - told[-1] >= limit.within:
        return None
    within_the_hour = sum(at - HOUR < instant for instant in told)
    return told[-1] + limit.within if within_the_hour > limit.times else None


def remembered(told: tuple[int, ...], at: int, limit: Limit) -> tuple[int, ...]:
    """The instants that still count, with this one."""
    return (*(instant for instant in told if at - HOUR < instant), at)[-(limit.times + 1) :]
