"""A month's report out of the records, for the API and the command line alike."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from facility.config import Site
from rules.performance.actors import bad_actors, tickets_of
from rules.performance.months import Month
from rules.performance.names import titles
from rules.performance.reading import measure, stand
from rules.performance.report import Report
from rules.records.records import Records


async def report_of(records: Records, site: Site, month: Month, now: int) -> Report:
    """The month as far as it has come by `now` (ms). ValueError for one that has not begun; StoreError."""
    zone = ZoneInfo(site.time_zone)
    start, end = month.begin(zone), min(month.end(zone), now)
    if start >= end:
        raise ValueError(f"{month} has not begun")
    measured = await measure(records, site.id, zone, start, end)
    actors = [item.key for item in bad_actors(measured)]
    keys = {item.key for item in (*measured.top, *measured.chattering)}
    return Report(
        site.label,
        month,
        measured,
        await stand(records, site.id),
        {name: asset.label for name, asset in site.assets.items()},
        await titles(records, site.id, keys),
        await tickets_of(records, site.id, month, zone, actors),
    )
