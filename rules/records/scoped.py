"""Which drill or impairment an alarm belongs to, by what the transaction knows of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rules.drills.drills import drill_of
from rules.life.rows import AlarmRow
from rules.notification.notify import Routing, is_guarded

IMPAIRMENT = "M"
"""What the ids of impairments begin with; a removal's begin otherwise."""


def rehearsed(routing: Routing, row: AlarmRow, facts: Iterable[str], at: int) -> str | None:
    """The id of the drill that a raise at `at` belongs to; None for a real one.

    What stood before the drill is real and stays it, and so is what cleared and was never acknowledged or reset.
    """
    if not routing.drills or (row.raise_count and row.drill is None):
        return None
    subject = routing.ground.subject(row.rule, row.asset, row.asset_class, facts)
    found = drill_of(routing.drills.values(), subject, routing.ground, at)
    return found.id if found else None


def impaired(routing: Routing, row: AlarmRow, facts: Iterable[str]) -> str | None:
    """The id of the impairment that takes an alarm out of service; never one that its rule guards."""
    if is_guarded(row):
        return None
    subject = routing.ground.subject(row.rule, row.asset, row.asset_class, facts)
    for item in routing.impairments:
        if item.suppresses and row.rule in item.suppress and routing.ground.covers(item.scope, subject):
            return item.id
    return None


def is_impairment(removal_id: str | None) -> bool:
    """Whether what took an alarm out of service is an impairment."""
    return removal_id is not None and removal_id.startswith(IMPAIRMENT)
