"""The SQL of hourly summaries: what baselines and trends are worked out from (rules/language/summaries.py)."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import RowMapping, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.language.summaries import Hour
from rules.language.trends import DAY_MS
from rules.records.records import Records
from rules.records.schema_summaries import summaries

KEPT_MS = 92 * DAY_MS
"""Older summaries are thrown away: no trend looks further back."""


class SeriesHour(NamedTuple):
    """One row of the table: an hour of a series of an asset."""

    asset: str
    series: str
    hour: Hour


async def save_hours(connection: AsyncConnection, *, site: str, hours: Sequence[SeriesHour], now: int) -> None:
    """Insert or replace hours, and throw away what no trend looks at any more."""
    if not hours:
        return
    rows = [
        {"site": site, "asset": item.asset, "series": item.series}
        | item.hour._asdict()
        | {"knots": list(item.hour.knots)}
        for item in hours
    ]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(summaries)
    changed = {name: statement.excluded[name] for name in ("known", "mean", "low", "high", "knots")}
    key = ["site", "asset", "series", "start"]
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), rows)
    await connection.execute(delete(summaries).where(summaries.c.site == site, summaries.c.start < now - KEPT_MS))


async def load_hours(
    records: Records,
    site: str,
    since: int,
    *,
    before: int | None = None,
    assets: Collection[str] = (),
    series: Collection[str] = (),
) -> dict[tuple[str, str], list[Hour]]:
    """Every series' hours from `since` on, oldest first, by (asset, text of the series).

    `before`: only hours that began before it. `assets`, `series`: of these alone, of all if empty.
    """
    query = select(summaries).where(summaries.c.site == site, summaries.c.start >= since)
    if before is not None:
        query = query.where(summaries.c.start < before)
    if assets:
        query = query.where(summaries.c.asset.in_(sorted(assets)))
    if series:
        query = query.where(summaries.c.series.in_(sorted(series)))
    found: dict[tuple[str, str], list[Hour]] = {}
    for row in await records.rows(query.order_by(summaries.c.start)):
        found.setdefault((row["asset"], row["series"]), []).append(_hour(row))
    return found


def _hour(row: RowMapping) -> Hour:
    return Hour(row["start"], row["known"], row["mean"], row["low"], row["high"], array("d", row["knots"]))
