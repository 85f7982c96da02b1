"""Routes: drills. Whoever watches sees them; a manager declares, ends and cancels them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy import RowMapping, Table, select

from api.alarms import instant_of
from api.auth import Action, User
from api.deps import Deps, DepsOf, Reader, may
from api.problems import refused
from api.schemas import Name, Rows, Shape, refusals
from facility.clock import from_ms, to_ms
from rules.desk import drilling
from rules.desk.drilling import Declaration
from rules.drills.drills import Drill, DrillEvent
from rules.drills.scope import Scope
from rules.notification.notify import Routing
from rules.records.records import Records
from rules.records.schema_drills import drill_journal
from rules.records.transactions import MAX_NOTE
from rules.records.transitions import Act

router = APIRouter(tags=["drills"])
Manager = Annotated[User, Depends(may(Action.DRILL))]


class ScopeShape(Shape):
    """What is meant; the parts add up. `locations` with what is inside; `zones`: panel id -> numbers of its zones."""

    site: bool = False
    locations: list[Name] = Field(default=[], max_length=200)
    classes: list[Name] = Field(default=[], max_length=50)
    assets: list[Name] = Field(default=[], max_length=500)
    zones: dict[Name, list[Annotated[int, Field(ge=1, le=9999)]]] = Field(default={}, max_length=50)

    def scope(self) -> Scope:
        """As the rules know it."""
        zones = {panel: tuple(sorted(set(numbers))) for panel, numbers in self.zones.items()}
        return Scope(self.site, tuple(self.locations), tuple(self.classes), tuple(self.assets), zones)


def scope_shape(scope: Scope) -> ScopeShape:
    """A scope on the wire."""
    return ScopeShape(
        site=scope.site,
        locations=list(scope.locations),
        classes=list(scope.classes),
        assets=list(scope.assets),
        zones={panel: list(zones) for panel, zones in scope.zones.items()},
    )


class DrillRow(Shape):
    """A drill. `state`: planned, running, ended, cancelled; `channels` empty: those of the ordinary routes."""

    id: str
    name: str
    state: Literal["planned", "running", "ended", "cancelled"]
    scope: ScopeShape
    channels: list[str]
    reason: str
    from_at: datetime
    until_at: datetime
    declared_by: str
    declared_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    ended_by: str


class NewDrill(Shape):
    """What is declared. `from_at` null: it begins now."""

    name: str = Field(min_length=1, max_length=200, pattern=r"\S", examples=["Evacuation, floors 5 to 8"])
    scope: ScopeShape
    reason: str = Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S")
    from_at: datetime | None = None
    until_at: datetime
    channels: list[Name] = Field(default=[], max_length=50)


class Stop(Shape):
    """Why it is over."""

    note: str = Field(default="", max_length=MAX_NOTE)


class StepRow(Shape):
    """One entry of a journal."""

    at: datetime
    actor: str
    event: str
    state: str
    note: str


@router.get("/drills", summary="Drills, newest first", responses=refusals())
async def drills(
    deps: DepsOf,
    _: Reader,
    open: Annotated[bool | None, Query(description="planned or running")] = None,  # noqa: A002 - the public name
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> Rows[DrillRow]:
    """What was, is and will be exercised."""
    page = await drilling.drills_of(deps.records, deps.site.id, open_=open, after=cursor, limit=limit)
    return Rows(items=[drill_row(item) for item in page.items], next=page.next)


@router.post("/drills", summary="Declare a drill", responses=refusals())
async def declare(deps: DepsOf, user: Manager, body: NewDrill) -> DrillRow:
    """Alarms in its scope are told as DRILL while it runs; what outlasts it becomes real. Everybody is told of it."""
    with refused():
        wanted = Declaration(
            name=body.name,
            scope=body.scope.scope(),
            reason=body.reason,
            from_at=None if body.from_at is None else to_ms(body.from_at),
            until_at=to_ms(body.until_at),
            channels=tuple(body.channels),
        )
        return drill_row(await declare_drill(deps, user, wanted))


@router.get("/drills/{drill}", summary="One drill", responses=refusals(404))
async def one_drill(deps: DepsOf, _: Reader, drill: str) -> DrillRow:
    """As it stands."""
    return drill_row(await drilling.drill(deps.records, deps.site.id, drill[:64]))


@router.get("/drills/{drill}/journal", summary="What happened to a drill", responses=refusals(404))
async def journal(deps: DepsOf, _: Reader, drill: str) -> Rows[StepRow]:
    """Every step, oldest first."""
    found = await drilling.drill(deps.records, deps.site.id, drill[:64])
    return Rows(items=[step_row(entry) for entry in await steps(deps.records, drill_journal, found.id)])


@router.post("/drills/{drill}/end", summary="End a drill", responses=refusals(404, 409))
async def end(deps: DepsOf, user: Manager, drill: str, body: Stop) -> DrillRow:
    """What still stands in its scope becomes real and is told at once."""
    return drill_row(await stop_drill(deps, user, drill, DrillEvent.END, body.note))


@router.post("/drills/{drill}/cancel", summary="Cancel a drill", responses=refusals(404, 409))
async def cancel(deps: DepsOf, user: Manager, drill: str, body: Stop) -> DrillRow:
    """Before it begins, or in the middle because something real happens."""
    return drill_row(await stop_drill(deps, user, drill, DrillEvent.CANCEL, body.note))


async def declare_drill(deps: Deps, user: User, wanted: Declaration) -> Drill:
    """Declare it in the user's name."""
    routing = Routing.of(deps.site)
    with refused():
        return await drilling.declare(deps.records, routing, wanted, actor=user.name, at=deps.clock.ms())


async def stop_drill(deps: Deps, user: User, drill: str, event: DrillEvent, note: str) -> Drill:
    """End or cancel it in the user's name."""
    act = Act(at=deps.clock.ms(), actor=user.name, note=note)
    return await drilling.stop(deps.records, Routing.of(deps.site), drill[:64], event, act)


def drill_row(item: Drill) -> DrillRow:
    """A drill on the wire."""
    return DrillRow(
        id=item.id,
        name=item.name,
        state=item.state.value,
        scope=scope_shape(item.scope),
        channels=list(item.channels),
        reason=item.reason,
        from_at=from_ms(item.from_at),
        until_at=from_ms(item.until_at),
        declared_by=item.declared_by,
        declared_at=from_ms(item.declared_at),
        started_at=instant_of(item.started_at),
        ended_at=instant_of(item.ended_at),
        ended_by=item.ended_by,
    )


def step_row(entry: RowMapping) -> StepRow:
    """An entry of a journal on the wire."""
    return StepRow(
        at=from_ms(entry["at"]), actor=entry["actor"], event=entry["event"], state=entry["state"], note=entry["note"]
    )


async def steps(records: Records, table: Table, subject: str) -> Sequence[RowMapping]:
    """The journal of a drill or an impairment, the oldest entry first."""
    return await records.rows(select(table).where(table.c.subject == subject).order_by(table.c.id))
