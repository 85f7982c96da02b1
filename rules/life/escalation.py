"""An alarm that stands for long gets worse: steps of time, as its rule says. Pure; instants are ms.

Nothing of it is kept: when the next step is due follows from when the alarm was raised, so a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rules.life.alarm import State
from rules.life.rows import AlarmRow
from rules.rule import Escalation, Severity


def severity_at(row: AlarmRow, steps: Iterable[Escalation], now: int) -> int:
    """The severity that the alarm has by now; its own while no step is due, or when its condition is over."""
    worst = row.severity
    if not row.alarm.is_active or row.raised_at is None:
        return worst
    for step in steps:
        held = row.state is State.ACKNOWLEDGED and step.until_acknowledged
        if not held and now - row.raised_at >= step.after * 1000:
            worst = min(worst, int(step.severity))
    return worst


def next_due(row: AlarmRow, steps: Iterable[Escalation]) -> tuple[int, Severity] | None:
    """When the alarm gets worse next, and how bad; None when it does not."""
    if not row.alarm.is_active or row.raised_at is None:
        return None
    for step in steps:
        held = row.state is State.ACKNOWLEDGED and step.until_acknowledged
        if not held and step.severity < row.severity:
            return row.raised_at + round(step.after * 1000), step.severity
    return None


def wrong(steps: Sequence[Escalation], severity: int) -> str:
    """What is wrong with the steps of a rule of this severity; empty when nothing is."""
    before, level = 0.0, severity
    for step in steps:
        if step.after <= before:
            return "each step comes later than the one before"
        if step.severity >= level:
            return f"each step is worse than before: a severity below {level}"
        before, level = step.after, int(step.severity)
    return ""
