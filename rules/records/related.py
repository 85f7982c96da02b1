"""What the records know of causes, consequences and floods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from rules.life.rows import AlarmRow, alarm_row, row
from rules.records import schema
from rules.records.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodRow:
    """An alarm flood of a site: how many alarms so far, how many of them nobody was told of singly, the worst severity.

    `told_at` is the instant of its newest summary, `ended_at` None while it lasts.
    """

    id: str
    site: str
    began_at: int
    told_at: int | None
    ended_at: int | None
    alarms: int
    untold: int
    worst: int


async def folded(records: Records, causes: Iterable[str]) -> dict[str, int]:
    """How many alarms that are not over are consequences of each of these alarms, where there are any."""
    table = schema.alarms
    query = (
        select(table.c.cause_id, func.count().label("number"))
        .where(table.c.cause_id.in_([*causes]), table.c.live.is_(True))
        .group_by(table.c.cause_id)
    )
    return {found["cause_id"]: found["number"] for found in await records.rows(query)}


async def consequences(records: Records, cause: str, *, limit: int = 1000) -> list[AlarmRow]:
    """The alarms that are listed under this one, whether they are over or not, newest first."""
    table = schema.alarms
    query = select(table).where(table.c.cause_id == cause).order_by(table.c.id.desc()).limit(limit)
    return [alarm_row(found) for found in await records.rows(query)]


async def floods(records: Records, site: str, *, limit: int = 20) -> list[FloodRow]:
    """The floods of a site, the newest first."""
    table = schema.floods
    query = select(table).where(table.c.site == site).order_by(table.c.began_at.desc()).limit(limit)
    return [row(FloodRow, found) for found in await records.rows(query)]
