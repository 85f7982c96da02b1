"""The impairment ledger in the records: opened, gone round, restored and closed by people; expiry and rounds by time.

Every act is one transaction with its journal, its audit entry and its messages. What an impairment keeps quiet is out
of service with the impairment's id as its removal, from its first instant on, until it is restored or expires.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.drills.impairments import (
    LASTS,
    Impairment,
    ImpairmentEvent,
    ImpairmentState,
    gone_round,
    late,
    missed_round,
    refusal,
    severity_of,
    step,
    told_again,
)
from rules.drills.scope import Scope
from rules.effects import Look, blind
from rules.life.alarm import Event, Suppression
from rules.life.rows import AlarmRow, NotFoundError, Page, alarm_row, ticket_row
from rules.notification import impairment_words as words
from rules.notification.notify import Routing, channels_for, is_guarded
from rules.notification.plain import Telling, outbox_rows
from rules.records import schema
from rules.records.informing import columns, impairment_row, informed
from rules.records.records import Records, new_id
from rules.records.schema_drills import impairment_journal, impairments
from rules.records.scoped import IMPAIRMENT, impaired
from rules.records.transactions import ConflictError, acted, audit, check_note
from rules.records.transitions import SYSTEM, Act, Changes, mark, move
from rules.records.writing import insert_missing, removals, write

_LASTS = [state.value for state in LASTS]
ROUND_SEVERITY = 2
"""With which a missed round is told: somebody should be on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What somebody opens. Instants are ms UTC; `rounds_every` in minutes, 0 for none; `suppress` are ids of rules."""

    scope: Scope
    what: str
    reason: str
    owner: str
    expires_at: int
    measures: str = ""
    rounds_every: int = 0
    ticket_id: str | None = None
    suppress: tuple[str, ...] = ()


async def open_impairment(records: Records, routing: Routing, wanted: Opening, *, actor: str, at: int) -> Impairment:
    """A new entry; ValueError when it can't be opened so."""
    for text in (wanted.what, wanted.reason, wanted.measures):
        check_note(text)
    item = Impairment(
        id=new_id(IMPAIRMENT, at),
        site=routing.site,
        state=ImpairmentState.OPEN,
        scope=wanted.scope,
        what=wanted.what.strip(),
        reason=wanted.reason.strip(),
        owner=wanted.owner.strip(),
        measures=wanted.measures.strip(),
        ticket_id=wanted.ticket_id,
        suppress=tuple(dict.fromkeys(wanted.suppress)),
        rounds_every=wanted.rounds_every,
        round_due=at + wanted.rounds_every * 60_000 if wanted.rounds_every else None,
        opened_at=at,
        opened_by=actor,
        expires_at=wanted.expires_at,
    )
    if why := refusal(item, routing.ground, longest=routing.impaired_ms):
        raise ValueError(why)

    async def attempt(connection: AsyncConnection) -> Impairment:
        if item.ticket_id:
            await _check_ticket(connection, item.site, item.ticket_id)
        await connection.execute(insert(impairments), [columns(item)])
        act = Act(at=at, actor=actor, note=item.reason)
        await _journal(connection, item, "open", act)
        await audit(connection, act, "impairment.open", item.id)
        await _tell(connection, routing, item, "open", at, severity=3)
        await _quieten(connection, routing, at, blind)
        return item

    return await acted(records, attempt)


async def act_on(records: Records, routing: Routing, item_id: str, event: ImpairmentEvent, act: Act) -> Impairment:
    """Restore, close or extend (`act.until` is the new expiry); NotFoundError, TransitionError, ValueError."""
    check_note(act.note)
    if event is ImpairmentEvent.EXTEND and (why := late(act.until or 0, act.at, routing.impaired_ms)):
        raise ValueError(why)

    async def attempt(connection: AsyncConnection) -> Impairment:
        before = await _one(connection, routing.site, item_id)
        after = await _moved(connection, before, step(before, event, act.at, until=act.until), event.value, act)
        await audit(connection, act, f"impairment.{event.value}", item_id)
        await _tell(connection, routing, after, event.value, act.at, severity=3)
        await _quieten(connection, routing, act.at, blind)
        return after

    return await acted(records, attempt)


async def confirm_round(records: Records, routing: Routing, item_id: str, act: Act) -> Impairment:
    """Somebody went round and says what was seen; NotFoundError, TransitionError, ValueError without a note."""
    check_note(act.note)
    if not act.note.strip():
        raise ValueError("a round needs a note: what was seen")

    async def attempt(connection: AsyncConnection) -> Impairment:
        before = await _one(connection, routing.site, item_id)
        after = await _moved(connection, before, gone_round(before, act.at), "round", act)
        await audit(connection, act, "impairment.round", item_id)
        return after

    return await acted(records, attempt)


async def tick(records: Records, routing: Routing, at: int, look: Look = blind) -> int:
    """Expiries, reminders and missed rounds that are due; returns how many entries changed."""
    query = select(impairments).where(impairments.c.site == routing.site, impairments.c.state.in_(_LASTS))
    found = [impairment_row(row) for row in await records.rows(query.order_by(impairments.c.id))]
    waiting = [item for item in found if _is_due(item, at)]
    guarded = await _guarded(records, routing.site) if any(item.suppresses for item in found) else False
    if not waiting and not guarded:
        return 0

    async def attempt(connection: AsyncConnection) -> int:
        act = Act(at=at, actor=SYSTEM)
        for item in waiting:
            await _pass_time(connection, routing, await _one(connection, routing.site, item.id), act)
        await _quieten(connection, routing, at, look)
        return len(waiting)

    return await acted(records, attempt)


async def impairments_of(
    records: Records, site: str, *, open_: bool | None = None, after: str | None = None, limit: int = 100
) -> Page[Impairment]:
    """The ledger of a site, the newest first; `open_`: something is out of action."""
    query = select(impairments).where(impairments.c.site == site)
    if open_ is not None:
        state = impairments.c.state
        query = query.where(state.in_(_LASTS) if open_ else state.not_in(_LASTS))
    return await records.page(query, impairments.c.id, after, limit, impairment_row)


async def impairment(records: Records, site: str, item_id: str) -> Impairment:
    """One entry; NotFoundError."""
    async with records.reading() as connection:
        return await _one(connection, site, item_id)


# time


def _is_due(item: Impairment, at: int) -> bool:
    expires = item.state is ImpairmentState.OPEN and item.expires_at <= at
    reminds = item.tell_at is not None and item.tell_at <= at
    return expires or reminds or (item.round_due is not None and item.round_due <= at)


async def _pass_time(connection: AsyncConnection, routing: Routing, item: Impairment, act: Act) -> None:
    """What time does to one entry: overdue, told again and louder, rounds missed."""
    if item.state is ImpairmentState.OPEN and item.expires_at <= act.at:
        item = await _moved(connection, item, step(item, ImpairmentEvent.EXPIRE, act.at), "expire", act)
    if item.tell_at is not None and item.tell_at <= act.at:
        await _tell(connection, routing, item, "overdue", act.at, severity=severity_of(item))
        item = await _moved(connection, item, told_again(item, act.at), "remind", act)
    after = missed_round(item, act.at)
    if after is not item:
        await _moved(connection, item, after, "missed", replace(act, note=str(after.missed)))
        await _tell(connection, routing, after, "missed", act.at, severity=ROUND_SEVERITY)


async def _guarded(records: Records, site: str) -> bool:
    """Whether an alarm that an impairment keeps quiet has become one of life safety: it has escalated."""
    query = select(schema.alarms).where(_quiet(site) & (schema.alarms.c.severity == 1))
    return bool(await records.rows(query.limit(1)))


# what is kept quiet


def _quiet(site: str) -> ColumnElement[bool]:
    table = schema.alarms
    out = table.c.suppression == Suppression.OUT_OF_SERVICE.value
    return (table.c.site == site) & table.c.live.is_(True) & out & table.c.removal_id.startswith(IMPAIRMENT)


async def _quieten(connection: AsyncConnection, routing: Routing, at: int, look: Look) -> None:
    """Bring the live alarms into line with the open impairments: some go out of service, some come back and are told.

    Zones in alarm are not looked at: an alarm that speaks of fire is guarded, and never quiet.
    """
    table = schema.alarms
    changes = Changes(await informed(connection, routing, at), at, new_id, look=look)
    named = {rule for item in changes.routing.impairments if item.suppresses for rule in item.suppress}
    mine = (table.c.site == routing.site) & table.c.live.is_(True) & table.c.rule.in_(named)
    wholes = await removals(connection, routing.site)
    query = select(table).where(mine | _quiet(routing.site)).order_by(table.c.id).with_for_update()
    for found in (await connection.execute(query)).mappings():
        row = alarm_row(found)
        whole = wholes.get(row.asset)
        covered = whole.id if whole and (whole.life_safety or not is_guarded(row)) else None
        _placed(changes, row, covered or impaired(changes.routing, row, row.facts))
    await write(connection, changes)


def _placed(changes: Changes, row: AlarmRow, removal: str | None) -> None:
    """The alarm out of service for `removal`, or in service."""
    is_out = row.suppression is Suppression.OUT_OF_SERVICE
    mine = is_out and (row.removal_id or "").startswith(IMPAIRMENT)
    act = Act(at=changes.at, actor=SYSTEM, removal=removal, note=removal or row.removal_id or "")
    if not is_out and removal:
        move(changes, row, Event.REMOVE, act)
    elif mine and removal and removal != row.removal_id:
        mark(changes, row, Suppression.OUT_OF_SERVICE.value, removal_id=removal)
    elif mine and not removal:
        move(changes, row, Event.RETURN, act)


# rows


async def _moved(
    connection: AsyncConnection, before: Impairment, after: Impairment, event: str, act: Act
) -> Impairment:
    """Write an entry's new form, and what happened to it."""
    mine = (impairments.c.id == before.id) & (impairments.c.version == before.version)
    if (await connection.execute(update(impairments).where(mine).values(columns(after)))).rowcount != 1:
        raise ConflictError
    await _journal(connection, after, event, act)
    return after


async def _journal(connection: AsyncConnection, item: Impairment, event: str, act: Act) -> None:
    entry = {"subject": item.id, "at": act.at, "actor": act.actor, "event": event, "note": act.note}
    await connection.execute(insert(impairment_journal), [entry | {"state": item.state.value}])


async def _tell(
    connection: AsyncConnection, routing: Routing, item: Impairment, event: str, at: int, *, severity: int
) -> None:
    """A message to whom an alarm of that severity would go, or, where no route is for it, a worse one's."""
    zh, en = (words.said(item, event, at, routing.time_zone, language) for language in ("zh", "en"))
    telling = Telling(
        rule="impairment",
        event=f"impairment_{event}",
        key=f"impairment:{item.id}:{event}:{at}",
        at=at,
        since=item.opened_at,
        severity=severity,
        zh=zh,
        en=en,
        path="/console/standing",
        ticket=item.ticket_id,
    )
    channels: tuple[str, ...] = ()
    for level in range(severity, 0, -1):
        channels = channels or channels_for(routing, level, "")
    if severity == 1:
        channels = channels or tuple(routing.channels)
    if rows := outbox_rows(telling, routing, channels):
        await connection.execute(insert_missing(connection, schema.outbox, "key"), rows)


async def _one(connection: AsyncConnection, site: str, item_id: str) -> Impairment:
    query = select(impairments).where(impairments.c.id == item_id, impairments.c.site == site).with_for_update()
    found = (await connection.execute(query)).mappings().first()
    if found is None:
        raise NotFoundError("impairment", item_id)
    return impairment_row(found)


async def _check_ticket(connection: AsyncConnection, site: str, ticket_id: str) -> None:
    table = schema.tickets
    found = (await connection.execute(select(table).where(table.c.id == ticket_id, table.c.site == site))).mappings()
    ticket = found.first()
    if ticket is None:
        raise ValueError(f"there is no ticket {ticket_id!r}")
    if ticket_row(ticket).closed_at is not None:
        raise ValueError(f"the ticket {ticket_id} is closed")
