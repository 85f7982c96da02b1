"""What becomes of one effect of a fire linkage, as one table.

An effect is pending until it is proven, or until its limit shows what is missing. A verdict never rests on what can't
be seen: without good and fresh readings it is `unknown`. What was missing and comes after all is `late`, and no longer
missing. `confirmed` and `late` move only where an effect has to stand for the whole run (do-not-cut).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from facility.points import Label


class Verdict(StrEnum):
    """The state of one effect in one run."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    LATE = "late"
    WEAK = "weak"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Event(StrEnum):
    """What is found out about an effect: all is proven; at the limit only a part of the proofs is there, or nothing, or
    it can't be seen; it is not wanted after all; what had to stand has fallen."""

    PROVEN = "proven"
    PART = "part"
    MISSING = "missing"
    BLIND = "blind"
    SPARED = "spared"
    BROKEN = "broken"


_P, _C, _L, _W = Verdict.PENDING, Verdict.CONFIRMED, Verdict.LATE, Verdict.WEAK
_F, _U, _N = Verdict.FAILED, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE

_ROWS: Mapping[Verdict, tuple[Verdict, ...]] = {
    # proven, part, missing, blind, spared, broken
    _P: (_C, _W, _F, _U, _N, _F),
    _C: (_C, _C, _C, _C, _C, _F),
    _L: (_L, _L, _L, _L, _L, _F),
    _W: (_L, _W, _W, _W, _W, _F),
    _F: (_L, _W, _F, _F, _F, _F),
    _U: (_L, _W, _F, _U, _N, _F),
    _N: (_N, _N, _N, _N, _N, _N),
}
TABLE: Mapping[tuple[Verdict, Event], Verdict] = {
    (before, event): after for before, row in _ROWS.items() for event, after in zip(Event, row, strict=True)
}
"""(verdict, event) -> verdict, every pair."""

ALARMED = frozenset({Verdict.FAILED, Verdict.WEAK, Verdict.UNKNOWN})
"""These have an alarm of their own, which stands until the verdict is another one or the fire is reset."""

WORDS: Mapping[Verdict, Label] = {
    Verdict.PENDING: Label("等待反馈", "waiting"),
    Verdict.CONFIRMED: Label("按时动作", "confirmed"),
    Verdict.LATE: Label("超时后动作", "late"),
    Verdict.WEAK: Label("证据不足", "weak"),
    Verdict.FAILED: Label("未动作", "FAILED"),
    Verdict.UNKNOWN: Label("无法判断", "unknown"),
    Verdict.NOT_APPLICABLE: Label("不适用", "not applicable"),
}
"""As people read them."""


def step(before: Verdict, event: Event) -> Verdict:
    """The verdict after an event."""
    return TABLE[before, event]
