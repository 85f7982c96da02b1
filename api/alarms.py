"""Routes: alarms and emergencies; what people do with them goes through rules/desk/commands.py, like everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.alarm_shapes import AlarmGroupOut, FloodOut
from api.auth import Action, User
from api.deps import Deps, DepsOf, Reader, may
from api.grouping import By, Group, Places, grouped
from api.problems import refused
from api.schemas import AlarmRowOut, HabitOut, JournalOut, Rows, Shape, refusals
from facility.clock import from_ms
from facility.readings import Value
from facility.words import SEVERITIES
from rules.desk.commands import MAX_NOTE
from rules.life.rows import AlarmRow, JournalRow
from rules.notification.notify import REASONS, is_guarded
from rules.records import related
from rules.records.habits import HabitRow, worst_habits
from rules.records.related import FloodRow

router = APIRouter(tags=["alarms"])

StateName = Literal[
    "normal", "unacknowledged", "acknowledged", "returned", "latched_unacknowledged", "latched_acknowledged",
    "shelved", "by_design", "out_of_service", "stale", "chattering",
]  # fmt: skip

Acknowledger = Annotated[User, Depends(may(Action.ALARM_ACKNOWLEDGE))]
Resetter = Annotated[User, Depends(may(Action.ALARM_RESET))]
Shelver = Annotated[User, Depends(may(Action.ALARM_SHELVE))]


class Note(Shape):
    """What the person has to say about it."""

    note: str = Field(default="", max_length=MAX_NOTE, examples=["Crew is on its way"])


class Shelving(Shape):
    """Why, and for how many minutes: at most as long as the site allows (eight hours unless it says otherwise)."""

    reason: str = Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S", examples=["Sensor is being replaced"])
    minutes: int = Field(ge=1, le=72 * 60, examples=[60])


class AlarmFilter(Shape):
    """Which alarms. `active`: not over yet (abnormal, held, an acknowledgement owed, or suppressed)."""

    active: bool | None = None
    asset: str | None = Field(default=None, max_length=64)
    severity: int | None = Field(default=None, ge=1, le=4)
    state: list[StateName] = Field(default=[], max_length=11, description="states, suppressions, marks")
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=64, description="`next` of the page before")


@router.get("/alarms", summary="Alarms, newest first", responses=refusals())
async def alarms(deps: DepsOf, _: Reader, wanted: Annotated[AlarmFilter, Query()]) -> Rows[AlarmRowOut]:
    """Every alarm ever, or those that the filters leave, in pages."""
    page = await deps.records.alarms(
        wanted.active,
        asset=wanted.asset,
        severity=wanted.severity,
        states=wanted.state,
        after=wanted.cursor,
        limit=wanted.limit,
    )
    folded = await related.folded(deps.records, [row.id for row in page.items])
    return Rows(items=[alarm_out(deps, row, folded.get(row.id, 0)) for row in page.items], next=page.next)


@router.get("/alarms/habits", summary="Which alarms chatter", responses=refusals())
async def habits(deps: DepsOf, _: Reader, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Rows[HabitOut]:
    """How often each alarm has come and gone, worst first: episodes of chattering, then fleeting cycles."""
    found = await worst_habits(deps.records, deps.site.id, limit=limit)
    return Rows(items=[habit_out(row) for row in found])


@router.get("/alarms/board", summary="Live alarms, worst first", responses=refusals())
async def board(deps: DepsOf, _: Reader) -> Rows[AlarmRowOut]:
    """What the control room sees: every live alarm, by severity, then newest first."""
    rows = await deps.board.alarms()
    folded = Counter(row.cause_id for row in rows if row.cause_id)
    return Rows(items=[alarm_out(deps, row, folded[row.id]) for row in rows])


@router.get("/alarms/groups", summary="Live alarms, grouped", responses=refusals())
async def groups(deps: DepsOf, _: Reader, group: Annotated[By, Query()] = "location") -> Rows[AlarmGroupOut]:
    """By place, by asset, or by cause (each alarm that is nobody's consequence, with its own): the worst first."""
    places = Places(deps.site.assets, deps.site.locations)
    return Rows(items=[group_out(item, group) for item in grouped(await deps.board.alarms(), group, places)])


@router.get("/alarms/floods", summary="Alarm floods, newest first", responses=refusals())
async def floods(deps: DepsOf, _: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Rows[FloodOut]:
    """One that lasts stands first, with `on`."""
    return Rows(items=[flood_out(row) for row in await related.floods(deps.records, deps.site.id, limit=limit)])


@router.get("/alerts", summary="Emergencies now", responses=refusals())
async def alerts(deps: DepsOf, _: Reader) -> Rows[AlarmRowOut]:
    """Live alarms that are emergencies: severity 1, or a rule that raises one."""
    rows = [row for row in await deps.board.alarms() if row.severity == 1 or row.raises == "emergency"]
    return Rows(items=[alarm_out(deps, row) for row in rows])


@router.get("/alarms/{alarm}", summary="One alarm", responses=refusals(404))
async def one_alarm(deps: DepsOf, _: Reader, alarm: str) -> AlarmRowOut:
    """One alarm as it stands."""
    return await _in_full(deps, await deps.records.alarm(alarm))


@router.get("/alarms/{alarm}/consequences", summary="What is a consequence of an alarm", responses=refusals(404))
async def consequences(deps: DepsOf, _: Reader, alarm: str) -> Rows[AlarmRowOut]:
    """The alarms that are listed under it, whether they are over or not, newest first; at most a thousand."""
    await deps.records.alarm(alarm)
    return Rows(items=[alarm_out(deps, row) for row in await related.consequences(deps.records, alarm)])


@router.get("/alarms/{alarm}/journal", summary="What happened to an alarm", responses=refusals(404))
async def journal(deps: DepsOf, _: Reader, alarm: str) -> Rows[JournalOut]:
    """Every transition, oldest first: who, when, and why people were told or not."""
    await deps.records.alarm(alarm)
    return Rows(items=[journal_out(row) for row in await deps.records.journal(alarm)])


@router.post("/alarms/{alarm}/acknowledge", summary="Acknowledge", responses=refusals(404, 409))
async def acknowledge(deps: DepsOf, user: Acknowledger, alarm: str, body: Note) -> AlarmRowOut:
    """Somebody has seen it and cares for it. 409 when nothing is owed."""
    row = await deps.commands.acknowledge(alarm, actor=user.name, at=deps.clock.ms(), note=body.note)
    return await _changed(deps, row)


@router.post("/alarms/{alarm}/reset", summary="Let go of a latched alarm", responses=refusals(404, 409))
async def reset(deps: DepsOf, user: Resetter, alarm: str, body: Note) -> AlarmRowOut:
    """Only a latched alarm that was acknowledged and whose condition has cleared; else 409."""
    row = await deps.commands.reset(alarm, actor=user.name, at=deps.clock.ms(), note=body.note)
    return await _changed(deps, row)


@router.post("/alarms/{alarm}/shelve", summary="Keep quiet for a while", responses=refusals(404, 409))
async def shelve(deps: DepsOf, user: Shelver, alarm: str, body: Shelving) -> AlarmRowOut:
    """With a reason and an end. Life-safety alarms can't be shelved (409)."""
    at = deps.clock.ms()
    with refused():
        row = await deps.commands.shelve(
            alarm, actor=user.name, at=at, until=at + body.minutes * 60_000, reason=body.reason.strip()
        )
    return await _changed(deps, row)


@router.post("/alarms/{alarm}/unshelve", summary="End the shelving", responses=refusals(404, 409))
async def unshelve(deps: DepsOf, user: Shelver, alarm: str, body: Note) -> AlarmRowOut:
    """Before its time."""
    row = await deps.commands.unshelve(alarm, actor=user.name, at=deps.clock.ms(), note=body.note)
    return await _changed(deps, row)


def group_out(group: Group, by: By) -> AlarmGroupOut:
    """A group on the wire."""
    worst = SEVERITIES[group.worst]
    return AlarmGroupOut(
        group=by,
        key=group.key,
        zh=group.label.zh,
        en=group.label.en,
        alarms=len(group.rows),
        owed=group.owed,
        worst=group.worst,
        worst_zh=worst.zh,
        worst_en=worst.en,
        newest=from_ms(group.newest),
    )


def flood_out(row: FloodRow) -> FloodOut:
    """A flood on the wire."""
    worst = SEVERITIES[row.worst]
    return FloodOut(
        id=row.id,
        on=row.ended_at is None,
        began_at=from_ms(row.began_at),
        told_at=instant_of(row.told_at),
        ended_at=instant_of(row.ended_at),
        alarms=row.alarms,
        untold=row.untold,
        worst=row.worst,
        worst_zh=worst.zh,
        worst_en=worst.en,
    )


def alarm_out(deps: Deps, row: AlarmRow, folded: int = 0) -> AlarmRowOut:
    """An alarm on the wire; `folded` others are its consequences."""
    quiet = REASONS.get(row.quiet)
    asset = deps.site.assets.get(row.asset)
    severity = SEVERITIES[row.severity]
    return AlarmRowOut(
        id=row.id,
        rule=row.rule,
        rule_version=row.rule_version,
        asset=row.asset,
        asset_class=row.asset_class,
        asset_zh=asset.label.zh if asset else row.asset,
        asset_en=asset.label.en if asset else row.asset,
        severity=row.severity,
        severity_zh=severity.zh,
        severity_en=severity.en,
        raises=row.raises,
        state=row.state,
        suppression=row.suppression,
        shown=row.shown,
        live=row.live,
        active=row.alarm.is_active,
        owed=row.alarm.is_owed,
        zh=row.title_zh,
        en=row.title_en,
        guidance_zh=row.guidance_zh,
        guidance_en=row.guidance_en,
        raise_count=row.raise_count,
        opened_at=from_ms(row.opened_at),
        since=from_ms(row.since),
        raised_at=instant_of(row.raised_at),
        cleared_at=instant_of(row.cleared_at),
        acknowledged_at=instant_of(row.acknowledged_at),
        acknowledged_by=row.acknowledged_by,
        shelved_until=instant_of(row.shelved_until),
        changed_at=from_ms(row.changed_at),
        version=row.version,
        ticket=row.ticket_id,
        facts=facts_text(row.facts),
        cause_id=row.cause_id,
        folded=folded,
        quiet=row.quiet,
        quiet_zh=quiet.zh if quiet else "",
        quiet_en=quiet.en if quiet else "",
        drill=row.drill,
        inhibited=row.inhibited,
        guarded=is_guarded(row),
        stale_at=instant_of(row.stale_at),
        chattering_since=instant_of(row.chattering_since),
        removal=row.removal_id,
    )


def habit_out(row: HabitRow) -> HabitOut:
    """How an alarm behaves, on the wire."""
    return HabitOut(
        rule=row.rule,
        rule_index=row.rule_index,
        asset=row.asset,
        cycles=row.cycles,
        fleeting=row.fleeting,
        episodes=row.episodes,
        since=instant_of(row.since),
        last_at=from_ms(row.last_at),
    )


def journal_out(row: JournalRow) -> JournalOut:
    """A transition on the wire."""
    reason = REASONS.get(row.reason)
    return JournalOut(
        at=from_ms(row.at),
        recorded_at=from_ms(row.recorded_at),
        actor=row.actor,
        event=row.event,
        state=row.state,
        suppression=row.suppression,
        version=row.version,
        reason=row.reason,
        reason_zh=reason.zh if reason else "",
        reason_en=reason.en if reason else "",
        note=row.note,
        rule_version=row.rule_version,
        values=seen_text(row),
    )


def facts_text(facts: dict[str, Value]) -> str:
    """What the rule saw, as one line: `car.floor=7, door.car.state=2`."""
    return ", ".join(f"{key}={value}" for key, value in facts.items())


def seen_text(row: JournalRow) -> str:
    """The readings of a transition as one line: `car.floor=7, car.load=None (comm)`."""

    def one(key: str, seen: Mapping[str, Value]) -> str:
        quality = seen["quality"] or "none yet"
        return f"{key}={seen['value']}" + ("" if quality == "good" else f" ({quality})")

    return ", ".join(one(key, seen) for key, seen in row.seen.items())


def instant_of(ms: int | None) -> datetime | None:
    """An optional instant."""
    return None if ms is None else from_ms(ms)


async def _changed(deps: Deps, row: AlarmRow) -> AlarmRowOut:
    deps.board.touch()
    return await _in_full(deps, row)


async def _in_full(deps: Deps, row: AlarmRow) -> AlarmRowOut:
    return alarm_out(deps, row, (await related.folded(deps.records, [row.id])).get(row.id, 0))
