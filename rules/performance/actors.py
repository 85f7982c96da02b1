"""The bad actors of a month: the few alarms that make most of the noise become one maintenance ticket each.

An alarm is one of them when it chattered, or when it is among the ten most frequent, came ten times at least and has
more than five per cent of all raises. The id of its ticket follows from site, month, rule and asset, so that the
table's own key lets each exist once, whoever looks and however often. It is done when the month is over by the site's
clocks, or as soon as a process runs after that.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from facility.clock import Clock
from facility.config import Site
from facility.errors import StoreError
from facility.points import Label
from rules.life.rows import TicketRow, values
from rules.life.tickets import TicketState
from rules.performance.months import Month
from rules.performance.reading import TooMuchError, measure
from rules.performance.tally import Key, Measured, Often
from rules.records import schema
from rules.records.records import Records
from rules.records.transitions import SYSTEM, ticket_entry
from rules.records.writing import insert_missing

log = logging.getLogger(__name__)

SHARE = 5.0
"""Per cent of all raises of a month that one alarm may have: the benchmark's most for the ten worst together."""
LEAST = 10
"""Fewer raises in a month are no noise, whatever their share."""
PRIORITY = 3
SETTLE_MS = 120_000
"""How long after midnight the last transitions of a month are written for certain."""
EVERY = 30.0
"""Seconds between two looks at the calendar."""


def bad_actors(measured: Measured) -> tuple[Often, ...]:
    """Those of a month, the most frequent first."""
    loud = {item.key: item for item in measured.top if item.raises >= LEAST and item.share > SHARE}
    found = loud | {item.key: item for item in measured.chattering}
    return tuple(sorted(found.values(), key=lambda item: (-item.raises, item.key)))


def ticket_id(site: str, month: Month, key: Key, end: int) -> str:
    """That of a bad actor: it sorts by the end of the month (ms) as all tickets do by their beginning."""
    text = "|".join((site, str(month), key[0], str(key[1]), key[2]))
    return f"T{end:011x}{hashlib.sha256(text.encode()).hexdigest()[:10]}"


async def open_tickets(records: Records, site: str, month: Month, zone: ZoneInfo, at: int) -> int:
    """Open a ticket for each bad actor of a month that has none yet; how many. StoreError, TooMuchError."""
    end = month.end(zone)
    measured = await measure(records, site, zone, month.begin(zone), end)
    tickets = [await _ticket(records, site, item, month, (end, at)) for item in bad_actors(measured)]
    return await _write(records, tickets, at) if tickets else 0


async def tickets_of(records: Records, site: str, month: Month, zone: ZoneInfo, keys: Iterable[Key]) -> dict[Key, str]:
    """The tickets of these bad actors of a month, where they were opened."""
    ids = {ticket_id(site, month, key, month.end(zone)): key for key in keys}
    found = await records.rows(select(schema.tickets.c.id).where(schema.tickets.c.id.in_([*ids])))
    return {ids[row["id"]]: row["id"] for row in found}


async def _write(records: Records, tickets: list[TicketRow], at: int) -> int:
    opened = 0
    async with records.writing() as connection:
        for ticket in tickets:
            done = await connection.execute(insert_missing(connection, schema.tickets, "id"), [values(ticket)])
            if done.rowcount == 1:
                opened += 1
                entry = ticket_entry(ticket, "open", at, actor=SYSTEM)
                await connection.execute(insert(schema.ticket_journal), [entry])
    return opened


async def _ticket(records: Records, site: str, item: Often, month: Month, instants: tuple[int, int]) -> TicketRow:
    """`instants`: the end of the month, and now."""
    end, at = instants
    table, (rule, index, asset) = schema.alarms, item.key
    query = (
        select(table.c.title_zh, table.c.title_en, table.c.asset_class)
        .where(table.c.asset == asset, table.c.site == site, table.c.rule == rule, table.c.rule_index == index)
        .order_by(table.c.id.desc())
        .limit(1)
    )
    (found,) = await records.rows(query)  # it was raised: an alarm is never deleted
    guidance = _guidance(item, month)
    return TicketRow(
        id=ticket_id(site, month, item.key, end),
        site=site,
        alarm_id=None,
        asset=asset,
        asset_class=found["asset_class"],
        priority=PRIORITY,
        state=TicketState.OPEN,
        assignee="",
        created_at=at,
        changed_at=at,
        assigned_at=None,
        accepted_at=None,
        arrived_at=None,
        finished_at=None,
        verified_at=None,
        closed_at=None,
        version=1,
        title_zh=f"{month} 高频报警：{found['title_zh']}",
        title_en=f"Bad actor of {month}: {found['title_en']}",
        guidance_zh=guidance.zh,
        guidance_en=guidance.en,
    )


def _guidance(item: Often, month: Month) -> Label:
    return Label(
        f"{month} 共发生 {item.raises} 次，占全部报警的 {item.share:.1f}%；频繁动作 {item.chattering} 阵，"
        f"瞬时 {item.fleeting} 次。先查设备本身和传感器、触点、接线，再核对规则的延时与回差；不要以搁置代替处理。",
        f"Raised {item.raises} times in {month}, {item.share:.1f} % of all alarms; {item.chattering} episodes of "
        f"chattering, {item.fleeting} fleeting cycles. See to the equipment, its sensor, contacts and wiring first, "
        "then to delay and hysteresis of the rule. Do not shelve it instead.",
    )


class Monthly:
    """Looks at the calendar for a site, for ever. `counts`: how many tickets it has opened is added as `bad_actors`."""

    def __init__(self, site: Site, records: Records, clock: Clock, counts: Counter[str]) -> None:
        self._site, self._zone = site.id, ZoneInfo(site.time_zone)
        self._records, self._clock, self._counts = records, clock, counts
        self._done: Month | None = None

    async def run(self) -> None:
        """Until cancelled. A database that is away is asked again."""
        while True:
            try:
                await self.look(self._clock.ms())
            except StoreError as error:
                log.warning("rules: bad actors: %s", error)
            await self._clock.sleep(EVERY)

    async def look(self, now: int) -> None:
        """Open the tickets of the month that is over, once. StoreError."""
        month = Month.of(now - SETTLE_MS, self._zone).before
        if month == self._done:
            return
        try:
            opened = await open_tickets(self._records, self._site, month, self._zone, now)
            self._counts["bad_actors"] += opened
        except TooMuchError as error:
            log.warning("rules: no bad actors are told for %s: %s", month, error)
        self._done = month
