"""What the rules role sees to now and then: held alarms, consequences that outlive their cause, escalation, floods.

Each function is one transaction at most, and none when there is nothing to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, case, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.effects import blind
from rules.life.alarm import ACTIVE, State, Suppression
from rules.life.escalation import severity_at
from rules.life.rows import AlarmRow, alarm_row
from rules.notification.flood import Due, Flood, due, rebuilt, summed_up
from rules.notification.notify import ROUTED, Routing
from rules.notification.repeat import HOUR, remembered
from rules.notification.sift import COUNTED, FLOOD, FOLDED, Sifter
from rules.notification.summary import Counted, Summary, rows_of
from rules.records import schema
from rules.records.informing import informed
from rules.records.records import Records, new_id
from rules.records.transitions import Changes, announce, escalate
from rules.records.writing import begin_sift, insert_missing, write
from rules.rule import Escalation

alarms, journal, floods = schema.alarms, schema.journal, schema.floods
_ACTIVE = [state.value for state in ACTIVE]
_TELLING = ("raise", "announce", "escalate")
"""Events of the journal with which people are told of an alarm."""


async def settle(records: Records, sifter: Sifter, at: int, *, settled_before: int) -> Counter[str]:
    """Everything that is due at `at`; returns how many of each. `settled_before` as for `announce_standing`."""
    return Counter(
        escalated=await escalate_standing(records, sifter, at),
        outlived_their_cause=await release(records, sifter, at),
        flood_summaries=int(bool(await sum_up(records, sifter, at))),
        told_late=await announce_standing(records, sifter.routing, at, settled_before=settled_before, sifter=sifter),
    )


async def announce_standing(
    records: Records, routing: Routing, at: int, *, settled_before: int, sifter: Sifter | None = None
) -> int:
    """Tell of alarms that stand untold (raised while suppressed, by replayed readings, or held back); how many.

    Only those that last changed at or before `settled_before`, so that a replay may first clear what it raised, and
    those that were held back until now; not what is folded or part of a flood.
    """
    query = _untold(routing.site).where(
        case((alarms.c.quiet == "", alarms.c.changed_at <= settled_before), else_=alarms.c.tell_at <= at)
    )
    return await _announce(records, routing, at, query, sifter)


async def release(records: Records, sifter: Sifter, at: int) -> int:
    """Tell of consequences that stand although their cause is over for long enough; returns how many."""
    cause = alarms.alias("cause")
    over = or_(cause.c.id.is_(None), and_(cause.c.state.not_in(_ACTIVE), cause.c.cleared_at <= at - sifter.release))
    stale = (
        select(alarms.c.id)
        .outerjoin(cause, cause.c.id == alarms.c.cause_id)
        .where(alarms.c.site == sifter.routing.site, alarms.c.live.is_(True), alarms.c.quiet == FOLDED, over)
    )
    query = _untold(sifter.routing.site).where(alarms.c.id.in_(stale))
    return await _announce(records, sifter.routing, at, query, sifter)


def _untold(site: str) -> Select[Any]:
    return select(alarms).where(
        alarms.c.site == site,
        alarms.c.live.is_(True),
        alarms.c.told.is_(False),
        alarms.c.state == State.UNACKNOWLEDGED.value,
        alarms.c.suppression == Suppression.NONE.value,
    )


async def _announce(records: Records, routing: Routing, at: int, query: Select[Any], sifter: Sifter | None) -> int:
    if not await records.rows(query.limit(1)):
        return 0
    changes = Changes(routing, at, new_id, look=sifter.look if sifter else blind)
    async with records.writing() as connection:
        changes.routing = await informed(connection, routing, at)
        changes.sift = await begin_sift(connection, routing.site, sifter)
        for found in (await connection.execute(query.order_by(alarms.c.id).with_for_update())).mappings():
            announce(changes, alarm_row(found))
        await write(connection, changes)
    records.committed(changes)
    return sum(row.told for row in changes.moved.values())


async def escalate_standing(records: Records, sifter: Sifter, at: int) -> int:
    """Make more severe what has stood for as long as its rule says; returns how many."""
    steps = sifter.steps
    if not steps:
        return 0
    query = select(alarms).where(
        alarms.c.site == sifter.routing.site,
        alarms.c.live.is_(True),
        alarms.c.rule.in_(steps),
        alarms.c.state.in_(_ACTIVE),
        alarms.c.raised_at <= at - min(round(step.after * 1000) for each in steps.values() for step in each),
    )
    if not any(_worse(alarm_row(found), steps, at) for found in await records.rows(query)):
        return 0
    changes = Changes(sifter.routing, at, new_id, look=sifter.look)
    async with records.writing() as connection:
        changes.routing = await informed(connection, sifter.routing, at)
        changes.sift = await begin_sift(connection, sifter.routing.site, sifter)
        for found in (await connection.execute(query.order_by(alarms.c.id).with_for_update())).mappings():
            row = alarm_row(found)
            if severity := _worse(row, steps, at):
                escalate(changes, row, severity)
        await write(connection, changes)
    records.committed(changes)
    return len(changes.moved)


def _worse(row: AlarmRow, steps: Mapping[str, Sequence[Escalation]], at: int) -> int:
    severity = severity_at(row, steps.get(row.rule, ()), at)
    return severity if severity < row.severity else 0


async def sum_up(records: Records, sifter: Sifter, at: int) -> Due:
    """Tell of the flood as a whole, when that is due; returns what was told."""
    if not due(sifter.flood, at, sifter.limits):
        return Due.NOTHING
    async with records.writing() as connection:
        flood = sifter.flood
        if not (what := due(flood, at, sifter.limits)):
            return Due.NOTHING
        began, limits = flood.began or at, sifter.limits
        since = began - limits.window if what is Due.BEGUN else flood.told or began
        fresh = await _counted(connection, sifter.routing.site, since, at)
        if what is Due.GOES_ON and not fresh:
            sifter.flood = summed_up(flood, what, at)
            return Due.NOTHING
        whole = await _counted(connection, sifter.routing.site, began - limits.window, at)
        summary = Summary(what, at, began, fresh if what is not Due.ENDED else whole, untold=fresh)
        await _keep_flood(connection, sifter.routing.site, flood, summary, whole)
        if sent := rows_of(summary, sifter.routing):
            await connection.execute(insert_missing(connection, schema.outbox, "key"), sent)
        after = summed_up(flood, what, at)
    sifter.flood = after
    records.outbox_changed.set()
    return what


async def _counted(connection: AsyncConnection, site: str, since: int, at: int) -> list[Counted]:
    """What was journalled after `since`, by alarm: each once, with whether the flood took it."""
    query = (
        select(alarms.c.id, alarms.c.asset, alarms.c.asset_class, alarms.c.severity, alarms.c.raises, journal.c.reason)
        .join(alarms, alarms.c.id == journal.c.alarm_id)
        .where(
            alarms.c.site == site,
            journal.c.recorded_at > since,
            journal.c.recorded_at <= at,
            journal.c.event.in_(_TELLING),
            journal.c.reason.in_((*COUNTED, "escalated")),
        )
    )
    found: dict[str, Counted] = {}
    for id_, asset, asset_class, severity, raises, reason in await connection.execute(query):
        untold = reason == FLOOD or (id_ in found and found[id_].untold)
        found[id_] = Counted(asset, asset_class, severity, raises, untold=untold)
    return list(found.values())


async def _keep_flood(
    connection: AsyncConnection, site: str, flood: Flood, summary: Summary, whole: Sequence[Counted]
) -> None:
    figures = {
        "alarms": len(whole),
        "untold": sum(item.untold for item in whole),
        "worst": min((item.severity for item in whole), default=4),
        "told_at": summary.at,
        "ended_at": summary.at if summary.what is Due.ENDED else None,
    }
    if summary.what is Due.BEGUN:
        given = {"id": new_id("F", summary.began), "site": site, "began_at": summary.began}
        await connection.execute(insert(floods), [given | figures])
        return
    mine = and_(floods.c.site == site, floods.c.ended_at.is_(None), floods.c.began_at == flood.began)
    await connection.execute(update(floods).where(mine).values(figures))


async def remember(records: Records, sifter: Sifter, at: int) -> None:
    """Fill the sifter from the records, as it was before a restart."""
    site = sifter.routing.site
    query = (
        select(alarms.c.rule, alarms.c.rule_index, alarms.c.asset, journal.c.recorded_at, journal.c.reason)
        .join(alarms, alarms.c.id == journal.c.alarm_id)
        .where(
            alarms.c.site == site,
            journal.c.recorded_at > at - max(HOUR, sifter.limits.window),
            journal.c.event.in_(_TELLING),
            journal.c.reason.in_(COUNTED),
        )
        .order_by(journal.c.recorded_at)
    )
    standing = select(floods).where(floods.c.site == site, floods.c.ended_at.is_(None)).order_by(floods.c.began_at)
    lately = await records.rows(query)
    open_ = await records.rows(standing)
    for found in lately:
        if found["reason"] == ROUTED:
            key = (found["rule"], found["rule_index"], found["asset"])
            sifter.told[key] = remembered(sifter.told.get(key, ()), found["recorded_at"], sifter.limit)
    began, told = (open_[-1]["began_at"], open_[-1]["told_at"]) if open_ else (None, None)
    instants = [found["recorded_at"] for found in lately]
    sifter.flood = rebuilt(instants, sifter.limits, at, began=began, told=told)
