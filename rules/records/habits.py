"""How alarms have behaved, as people read it: which ones chatter, and how many were over in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from rules.life.rows import row
from rules.records.records import MAX_PAGE, Records
from rules.records.schema_life import habits


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitRow:
    """A rule at an asset: cycles of raise and clear in all, those that were fleeting, episodes of chattering.

    `since`: when the newest episode began, `last_at`: when the newest cycle ended (ms UTC).
    """

    rule: str
    rule_index: int
    asset: str
    since: int | None
    last_at: int
    cycles: int
    fleeting: int
    episodes: int


async def worst_habits(records: Records, site: str, *, limit: int = 100) -> list[HabitRow]:
    """Those with the most episodes of chattering, then the most fleeting cycles, first."""
    query = select(habits).where(habits.c.site == site)
    query = query.order_by(habits.c.episodes.desc(), habits.c.fleeting.desc(), habits.c.cycles.desc(), habits.c.asset)
    return [row(HabitRow, found) for found in await records.rows(query.limit(max(1, min(limit, MAX_PAGE))))]
