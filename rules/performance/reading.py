"""The figures of a period out of the records: the journal is read in pages by time, so that memory stays bounded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, or_, select

from facility.clock import Clock
from rules.life.alarm import ACTIVE, Suppression
from rules.performance.tally import DAY, HOUR, Measured, Standing, Tally, Transition
from rules.records import schema
from rules.records.records import Records

PAGE = 2000
"""Lines of the journal that one query gives."""
LATE = 12 * HOUR
"""A transition is written at most so much later than it happened, or it is history, which does not count."""
LONGEST = 366 * DAY
MOST = 2_000_000
"""Lines of the journal that one answer reads."""
EVENTS = ("raise", "clear", "acknowledge", "shelve", "remove", "stale")
KEPT = 60_000
"""How long (ms) an answer is given again, and to what its span is rounded."""
REMEMBERED = 16


class TooMuchError(ValueError):
    """The period holds more than one answer may read; the caller's fault: ask for a shorter one."""


async def measure(records: Records, site: str, zone: ZoneInfo, start: int, end: int) -> Measured:
    """The figures of [start, end), counted from the first line of the journal. TooMuchError, StoreError."""
    if not start < end <= start + LONGEST:
        raise TooMuchError("a period is longer than nothing and at most a year")
    start = max(start, min(end, await _first(records, site, end)))
    tally = Tally(start, end, zone, stale=await _stale(records, site, start))
    taken = 0
    async for page in _pages(records, site, start, end):
        for item in page:
            tally.take(item)
        taken += len(page)
        if taken > MOST:
            raise TooMuchError(f"more than {MOST} transitions: ask for a shorter period")
    return await asyncio.to_thread(tally.measured)


async def stand(records: Records, site: str) -> Standing:
    """What stands now."""
    table = schema.alarms
    active = table.c.state.in_([state.value for state in ACTIVE])
    query = (
        select(
            table.c.suppression,
            func.count().label("all"),
            func.sum(case((active, 1), else_=0)).label("active"),
            func.sum(case((table.c.stale_at.is_not(None), 1), else_=0)).label("stale"),
        )
        .where(table.c.site == site, table.c.live.is_(True), table.c.historical.is_(False), table.c.drill.is_(None))
        .group_by(table.c.suppression)
    )
    found = {item["suppression"]: item for item in await records.rows(query)}
    free = found.get(Suppression.NONE.value)
    count = {kind: int(found[kind.value]["all"]) if kind.value in found else 0 for kind in Suppression}
    return Standing(
        int(free["active"]) if free else 0,
        int(free["stale"]) if free else 0,
        count[Suppression.SHELVED],
        count[Suppression.BY_DESIGN],
        count[Suppression.OUT_OF_SERVICE],
    )


async def _first(records: Records, site: str, end: int) -> int:
    """When the first thing in the journal happened: before it nobody watched. `end` if there is none."""
    table = schema.journal
    query = (
        select(table.c.at, table.c.recorded_at)
        .join(schema.alarms, schema.alarms.c.id == table.c.alarm_id)
        .where(schema.alarms.c.site == site)
        .order_by(table.c.recorded_at)
        .limit(1)
    )
    found = await records.rows(query)
    return max(found[0]["at"], found[0]["recorded_at"] - HOUR) if found else end


async def _stale(records: Records, site: str, start: int) -> frozenset[str]:
    """The alarms that have been stale since before `start` (what was so then and is over by now is not known)."""
    table = schema.alarms
    counts = table.c.live.is_(True) & table.c.historical.is_(False) & table.c.drill.is_(None)
    query = select(table.c.id).where(table.c.site == site, counts, table.c.stale_at < start)
    return frozenset(found["id"] for found in await records.rows(query))


async def _pages(records: Records, site: str, start: int, end: int) -> AsyncIterator[list[Transition]]:
    """The transitions in the order of their writing. What was replayed from history, and drills, are left out."""
    line, alarm = schema.journal, schema.alarms
    query = (
        select(
            line.c.id, line.c.recorded_at, line.c.alarm_id, line.c.at, line.c.event, line.c.actor, line.c.suppression,
            alarm.c.rule, alarm.c.rule_index, alarm.c.asset, alarm.c.severity, alarm.c.raised_at,
        )
        .join(alarm, alarm.c.id == line.c.alarm_id)
        .where(
            alarm.c.site == site,
            alarm.c.historical.is_(False),
            alarm.c.drill.is_(None),
            line.c.reason != "historical",
            line.c.event.in_(EVENTS),
            line.c.recorded_at < end + LATE,
        )
        .order_by(line.c.recorded_at, line.c.id)
        .limit(PAGE)
    )  # fmt: skip
    at, after = start, -1
    while True:
        beyond = or_(line.c.recorded_at > at, (line.c.recorded_at == at) & (line.c.id > after))
        found = await records.rows(query.where(line.c.recorded_at >= at, beyond))
        yield [
            Transition(
                item["alarm_id"],
                (item["rule"], item["rule_index"], item["asset"]),
                item["severity"],
                item["at"],
                item["event"],
                item["actor"],
                item["suppression"] != Suppression.NONE.value,
                item["raised_at"],
            )
            for item in found
        ]
        if len(found) < PAGE:
            return
        at, after = found[-1]["recorded_at"], found[-1]["id"]


class Performance:
    """The figures for many readers: each period is measured once a minute at most, one after the other."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records, self._clock = records, clock
        self._known: OrderedDict[tuple[str, int, int], tuple[int, Measured, Standing]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, site: str, zone: ZoneInfo, start: int, end: int) -> tuple[Measured, Standing]:
        """The figures of [start, end) and what stands now; nothing of the future. TooMuchError, StoreError."""
        end = min(end, self._clock.ms())
        key = (site, start // KEPT, end // KEPT)
        async with self._lock:
            known = self._known.get(key)
            if known is None or not 0 <= self._clock.ms() - known[0] < KEPT:
                measured = await measure(self._records, site, zone, start, end)
                known = (self._clock.ms(), measured, await stand(self._records, site))
                self._known[key] = known
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return known[1], known[2]
