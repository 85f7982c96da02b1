"""What a transaction has to know of drills and impairments, read from the records with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.drills.drills import Drill, DrillState
from rules.drills.impairments import Impairment, ImpairmentState
from rules.drills.scope import Scope
from rules.life.rows import Columns
from rules.notification.notify import Routing
from rules.records import schema
from rules.records.schema_drills import drills, impairments

KEPT_MS = 2 * 86_400_000
"""How long after its end a drill still claims what replayed readings say of its hours."""
_DRILL = tuple(item.name for item in fields(Drill))
_IMPAIRMENT = tuple(item.name for item in fields(Impairment))


async def informed(connection: AsyncConnection, routing: Routing, at: int) -> Routing:
    """The routing with the drills that alarms may belong to, and the impairments that keep some quiet."""
    alarms = schema.alarms
    live = select(alarms.c.drill).where(alarms.c.live.is_(True), alarms.c.drill.is_not(None))
    query = select(drills).where(
        drills.c.site == routing.site, or_(drills.c.until_at > at - KEPT_MS, drills.c.id.in_(live))
    )
    found = (await connection.execute(query.order_by(drills.c.id))).mappings()
    known = {item.id: item for item in map(drill_row, found)}
    quiet = select(impairments).where(
        impairments.c.site == routing.site, impairments.c.state == ImpairmentState.OPEN.value
    )
    items = tuple(impairment_row(found) for found in (await connection.execute(quiet)).mappings())
    return replace(routing, drills=known, impairments=items)


def drill_row(mapping: Columns) -> Drill:
    """A row of the table `drills`."""
    given = {name: mapping[name] for name in _DRILL}
    state, scope = DrillState(given["state"]), scope_of(given["scope"])
    return Drill(**{**given, "state": state, "scope": scope, "channels": tuple(given["channels"])})


def impairment_row(mapping: Columns) -> Impairment:
    """A row of the table `impairments`."""
    given = {name: mapping[name] for name in _IMPAIRMENT}
    state, scope = ImpairmentState(given["state"]), scope_of(given["scope"])
    return Impairment(**{**given, "state": state, "scope": scope, "suppress": tuple(given["suppress"])})


def columns(item: Drill | Impairment) -> dict[str, Any]:
    """The columns of a drill or an impairment."""
    given = {name: getattr(item, name) for name in (_DRILL if isinstance(item, Drill) else _IMPAIRMENT)}
    given |= {"state": item.state.value, "scope": asdict(item.scope)}
    for name in ("channels", "suppress"):
        if name in given:
            given[name] = list(given[name])
    return given


def scope_of(given: Mapping[str, Any]) -> Scope:
    """A scope as the records keep it."""
    return Scope(
        bool(given["site"]),
        tuple(given["locations"]),
        tuple(given["classes"]),
        tuple(given["assets"]),
        {panel: tuple(zones) for panel, zones in given["zones"].items()},
    )
