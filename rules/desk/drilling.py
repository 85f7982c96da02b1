"""Drills in the records: declared, begun and ended, by people and by time; what outlasts one becomes real.

Every act is one transaction with its journal, its audit entry and its messages. `tick` is the housekeeping of the rules
role: it moves drills by the clock, and turns into a real alarm whatever still stands when its drill is over, or when a
zone outside the scope has joined in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.clock import from_ms
from facility.points import Label
from rules.drills.drills import OVER, Drill, DrillEvent, DrillState, drill_of, due, refusal, step
from rules.drills.scope import Scope
from rules.effects import Look, blind
from rules.life.alarm import ACTIVE, Event
from rules.life.rows import AlarmRow, NotFoundError, Page, alarm_row
from rules.notification.notify import DRILL, Routing, Words
from rules.notification.plain import Telling, outbox_rows
from rules.records import schema
from rules.records.informing import columns, drill_row, informed
from rules.records.records import Records, new_id
from rules.records.schema_drills import drill_journal, drills
from rules.records.transactions import ConflictError, acted, audit, check_note
from rules.records.transitions import SYSTEM, Act, Changes, mark, move
from rules.records.writing import insert_missing, write

_OVER = [state.value for state in OVER]
_ACTIVE = [state.value for state in ACTIVE]
_GUIDANCE = Label(
    "范围内的报警带“演习”字样，不派工单。范围外以及演习结束后仍未消除的报警都是真实报警，照常处置。",
    "Alarms in its scope say DRILL and open no ticket. Whatever is outside, or still stands when it is over, is real.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What somebody declares. `from_at` None: now. `channels` empty: those of the routes. Instants are ms UTC."""

    name: str
    scope: Scope
    reason: str
    until_at: int
    from_at: int | None = None
    channels: tuple[str, ...] = ()


async def declare(records: Records, routing: Routing, wanted: Declaration, *, actor: str, at: int) -> Drill:
    """A new drill, running at once when its time has come; ValueError when it can't be declared so."""
    check_note(wanted.reason)
    check_note(wanted.name)
    drill = Drill(
        id=new_id("D", at),
        site=routing.site,
        name=wanted.name.strip(),
        state=DrillState.PLANNED,
        scope=wanted.scope,
        channels=tuple(dict.fromkeys(wanted.channels)),
        reason=wanted.reason.strip(),
        from_at=at if wanted.from_at is None else max(wanted.from_at, at),
        until_at=wanted.until_at,
        declared_by=actor,
        declared_at=at,
    )
    if why := refusal(drill, routing.ground, routing.channels, longest=routing.drill_ms, at=at):
        raise ValueError(why)

    async def attempt(connection: AsyncConnection) -> Drill:
        await connection.execute(insert(drills), [columns(drill)])
        act = Act(at=at, actor=actor, note=drill.reason)
        await _written(connection, routing, drill, "declare", act)
        await audit(connection, act, "drill.declare", drill.id)
        return await _moved(connection, routing, drill, DrillEvent.START, act) if drill.from_at <= at else drill

    return await acted(records, attempt)


async def stop(records: Records, routing: Routing, drill_id: str, event: DrillEvent, act: Act) -> Drill:
    """End or cancel a drill; what stands becomes real at once. NotFoundError, TransitionError."""
    check_note(act.note)

    async def attempt(connection: AsyncConnection) -> Drill:
        drill = await _one(connection, routing.site, drill_id)
        after = await _moved(connection, routing, drill, event, act)
        await audit(connection, act, f"drill.{event.value}", drill_id)
        await _make_real(connection, routing, act.at, blind, only=drill_id)
        return after

    return await acted(records, attempt)


async def tick(records: Records, routing: Routing, at: int, look: Look = blind) -> int:
    """Move every drill whose time has come, then what is none any more; returns how many alarms became real."""
    open_ = select(drills).where(drills.c.site == routing.site, drills.c.state.not_in(_OVER))
    rehearsing = select(schema.alarms.c.id).where(
        schema.alarms.c.site == routing.site,
        schema.alarms.c.live.is_(True),
        schema.alarms.c.drill.is_not(None),
        schema.alarms.c.state.in_(_ACTIVE),
    )
    waiting = [drill_row(found) for found in await records.rows(open_.order_by(drills.c.id))]
    routing.ground.exercises = tuple(
        (item.scope, item.started_at or 0, item.until_at) for item in waiting if item.state is DrillState.RUNNING
    )
    if not any(due(drill, at) for drill in waiting) and not await records.rows(rehearsing.limit(1)):
        return 0

    async def attempt(connection: AsyncConnection) -> int:
        for drill in [await _one(connection, routing.site, drill.id) for drill in waiting]:
            moved = drill
            while event := due(moved, at):
                moved = await _moved(connection, routing, moved, event, Act(at=at, actor=SYSTEM))
        return await _make_real(connection, routing, at, look)

    return await acted(records, attempt)


async def drills_of(
    records: Records, site: str, *, open_: bool | None = None, after: str | None = None, limit: int = 100
) -> Page[Drill]:
    """The drills of a site, the newest first; `open_`: planned or running."""
    query = select(drills).where(drills.c.site == site)
    if open_ is not None:
        query = query.where(drills.c.state.not_in(_OVER) if open_ else drills.c.state.in_(_OVER))
    return await records.page(query, drills.c.id, after, limit, drill_row)


async def drill(records: Records, site: str, drill_id: str) -> Drill:
    """One drill; NotFoundError."""
    async with records.reading() as connection:
        return await _one(connection, site, drill_id)


def message(routing: Routing, drill: Drill, event: str, at: int) -> Telling:
    """What people are told of a drill: that it is planned, runs, or is over."""
    zh, en = (_words(routing, drill, event, at, language) for language in ("zh", "en"))
    return Telling(
        rule="drill",
        event=f"drill_{event}",
        key=f"drill:{drill.id}:{event}",
        at=at,
        since=drill.from_at,
        severity=3,
        zh=zh,
        en=en,
        path="/console/standing",
        drill=drill.id,
    )


_EVENTS = {
    "declare": Label("计划 {start} 至 {end}", "planned from {start} to {end}"),
    "start": Label("开始，至 {end}", "running until {end}"),
    "end": Label("结束，此后的报警均为真实报警", "over: every alarm is real from now on"),
    "cancel": Label("取消，此后的报警均为真实报警", "cancelled: every alarm is real from now on"),
}


def _words(routing: Routing, drill: Drill, event: str, at: int, language: str) -> Words:
    start, end = (_clock(routing, instant, at) for instant in (drill.from_at, drill.until_at))
    what = _EVENTS[event].to(language).format(start=start, end=end)
    title = DRILL.to(language) + drill.name
    colon, stop = ("：", "。") if language == "zh" else (": ", ". ")
    return Words(title, f"{title}{colon}{what}{stop}{drill.reason} ({drill.declared_by})", _GUIDANCE.to(language))


def _clock(routing: Routing, at: int, now: int) -> str:
    """The site's time of an instant, with its date when that is another than today's."""
    zone = ZoneInfo(routing.time_zone)
    local, today = from_ms(at).astimezone(zone), from_ms(now).astimezone(zone)
    return local.strftime("%H:%M" if local.date() == today.date() else "%m-%d %H:%M")


async def _moved(connection: AsyncConnection, routing: Routing, drill: Drill, event: DrillEvent, act: Act) -> Drill:
    """The drill after an event, written, journalled and told."""
    after = step(drill, event, act.at, actor=act.actor)
    mine = (drills.c.id == drill.id) & (drills.c.version == drill.version)
    if (await connection.execute(update(drills).where(mine).values(columns(after)))).rowcount != 1:
        raise ConflictError
    await _written(connection, routing, after, event.value, act)
    return after


async def _written(connection: AsyncConnection, routing: Routing, drill: Drill, event: str, act: Act) -> None:
    entry = {"subject": drill.id, "at": act.at, "actor": act.actor, "event": event, "note": act.note}
    await connection.execute(insert(drill_journal), [entry | {"state": drill.state.value}])
    if event == "declare" and drill.from_at <= act.at:
        return  # it starts at once, and that is told
    if rows := outbox_rows(message(routing, drill, event, act.at), routing, _audience(routing, drill)):
        await connection.execute(insert_missing(connection, schema.outbox, "key"), rows)


def _audience(routing: Routing, drill: Drill) -> tuple[str, ...]:
    """The channels named, and those of every route: who may be paged has to know."""
    names = (*drill.channels, *(name for route in routing.routes for name in route.to))
    return tuple(dict.fromkeys(name for name in names if name in routing.channels))


async def _make_real(
    connection: AsyncConnection, routing: Routing, at: int, look: Look, *, only: str | None = None
) -> int:
    """What stands, is marked as a drill, and belongs to none that runs now becomes real; returns how many.

    `only` those of this drill: who does not follow the readings can't say which zones are in alarm.
    """
    table = schema.alarms
    query = select(table).where(
        table.c.site == routing.site,
        table.c.live.is_(True),
        table.c.drill.is_not(None),
        table.c.state.in_(_ACTIVE),
    )
    if only:
        query = query.where(table.c.drill == only)
    rows = [alarm_row(found) for found in (await connection.execute(query.with_for_update())).mappings()]
    changes = Changes(await informed(connection, routing, at), at, new_id, look=look)
    return_to_reality(changes, rows)
    await write(connection, changes)
    return len(changes.moved)


def return_to_reality(changes: Changes, rows: Iterable[AlarmRow]) -> None:
    """Of these alarms, those that stand as a drill and belong to none that runs now become real. Pure."""
    routing = changes.routing
    for row in rows:
        if row.drill is None or not row.alarm.is_active:
            continue
        subject = routing.ground.subject(row.rule, row.asset, row.asset_class, row.facts)
        if drill_of(routing.drills.values(), subject, routing.ground, changes.at) is None:
            become_real(changes, row)


def become_real(changes: Changes, row: AlarmRow) -> AlarmRow:
    """An alarm of a drill becomes a real one: its exercise is over, and it is raised anew and told at once."""
    act = Act(at=changes.at, actor=SYSTEM, note=row.drill or "", reason="drill_over")
    row = mark(changes, row, "drill_over", drill=None, told=False)
    row = move(changes, row, Event.CLEAR, act)
    return move(changes, row, Event.RAISE, replace(act, reason=""))


async def _one(connection: AsyncConnection, site: str, drill_id: str) -> Drill:
    query = select(drills).where(drills.c.id == drill_id, drills.c.site == site).with_for_update()
    found = (await connection.execute(query)).mappings().first()
    if found is None:
        raise NotFoundError("drill", drill_id)
    return drill_row(found)
