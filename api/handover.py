"""Routes: what the next shift has to know of drills and impairments, as JSON and as a page to print."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.deps import Deps, DepsOf, Reader
from api.drills import DrillRow, drill_row
from api.handover_sheet import Handover, as_html
from api.impairments import ImpairmentRow, impairment_row
from api.schemas import Shape, refusals
from facility.clock import from_ms
from rules.desk.drilling import drills_of
from rules.desk.impairing import impairments_of

router = APIRouter(tags=["impairments"])
DAY_MS = 86_400_000


class HandoverOut(Shape):
    """What stands at `at`: drills, what is out of action (overdue first), what was restored in the last 24 hours."""

    at: datetime
    overdue: int
    rounds_due: int
    drills: list[DrillRow]
    impairments: list[ImpairmentRow]
    restored: list[ImpairmentRow]


@router.get("/handover", summary="The list for the next shift", responses=refusals())
async def handover(deps: DepsOf, _: Reader) -> HandoverOut:
    """Drills that are planned or run, what is out of action, rounds that are due, what came back."""
    found = await handover_of(deps)
    return HandoverOut(
        at=from_ms(found.at),
        overdue=found.overdue,
        rounds_due=found.rounds_due,
        drills=[drill_row(item) for item in found.drills],
        impairments=[impairment_row(item, found.at) for item in found.impairments],
        restored=[impairment_row(item, found.at) for item in found.restored],
    )


@router.get("/handover/export.html", summary="The list, to print", response_class=Response, responses=refusals())
async def export(deps: DepsOf, _: Reader, language: Annotated[Literal["zh", "en"], Query()] = "zh") -> Response:
    """A page of its own, without scripts, to be signed by both shifts."""
    return Response(as_html(await handover_of(deps), deps.site, language), media_type="text/html; charset=utf-8")


async def handover_of(deps: Deps) -> Handover:
    """The list as it is now."""
    records, site, now = deps.records, deps.site.id, deps.clock.ms()
    drills = (await drills_of(records, site, open_=True, limit=500)).items
    standing = (await impairments_of(records, site, open_=True, limit=500)).items
    past = (await impairments_of(records, site, open_=False, limit=500)).items
    restored = [item for item in past if (item.restored_at or 0) > now - DAY_MS]
    return Handover(
        now,
        sorted(drills, key=lambda item: item.from_at),
        sorted(standing, key=lambda item: item.expires_at),
        restored,
    )
