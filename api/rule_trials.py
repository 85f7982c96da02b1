"""Routes: the texts of rules, of now and of then, and what shadow rules would have raised."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api.deps import DepsOf, Reader
from api.schemas import Rows, Shape, refusals
from facility.clock import from_ms
from rules.records.rule_texts import VersionRow, version, versions
from rules.records.shadow_report import SideBySide, side_by_side
from rules.trial.compare import Pair, Tally

router = APIRouter(tags=["rules"])

DAY_MS = 86_400_000
MAX_PAIRS = 500
"""Alarms of one shadow rule that are listed, the newest."""


class VersionOut(Shape):
    """One version of a rule: its text, where it stood, and which process ran it first."""

    rule: str
    version: str = Field(examples=["3f0a9c71b2de"])
    asset_class: str
    first_seen: datetime
    origin: str = Field(examples=["rules/packs/elevator.yaml:12"])
    seen_by: str
    text: dict[str, Any]


class TallyOut(Shape):
    """How many alarms on each side, and how the shadow rule's differ."""

    live: int
    shadow: int
    added: int
    removed: int
    earlier: int
    later: int
    longer: int
    shorter: int


class PairOut(Shape):
    """One alarm on both sides; null where a side has none, or where it still stands."""

    asset: str
    index: int
    live_raised_at: datetime | None
    live_cleared_at: datetime | None
    shadow_raised_at: datetime | None
    shadow_cleared_at: datetime | None
    changes: list[str] = Field(examples=[["earlier", "longer"]])


class ShadowOut(Shape):
    """A shadow rule beside the live one (`shadow_of`, empty if it has none)."""

    rule: str
    shadow_of: str
    version: str
    zh: str
    en: str
    severity: int
    since: datetime
    total: TallyOut
    days: dict[str, TallyOut]
    nights: dict[int, TallyOut]
    alarms: list[PairOut]


@router.get("/rules/{rule}/versions", summary="Every text that a rule ever had", responses=refusals(404))
async def all_versions(deps: DepsOf, _: Reader, rule: str) -> Rows[VersionOut]:
    """The newest first."""
    return Rows(items=[_version(row) for row in await versions(deps.records, deps.site.id, rule)])


@router.get("/rules/{rule}/versions/{wanted}", summary="The text of a rule at a version", responses=refusals(404))
async def one_version(deps: DepsOf, _: Reader, rule: str, wanted: str) -> VersionOut:
    """The text of the rule that raised an alarm: `rule` and `rule_version` of the alarm."""
    return _version(await version(deps.records, deps.site.id, rule, wanted))


@router.get("/shadow-rules", summary="Shadow rules beside the live ones", responses=refusals())
async def shadow_rules(
    deps: DepsOf, _: Reader, days: Annotated[int, Query(ge=1, le=366, description="how far back")] = 7
) -> Rows[ShadowOut]:
    """Every shadow rule that runs, and what both did. What a shadow rule raises is in no other list."""
    since = deps.clock.ms() - days * DAY_MS
    found = await side_by_side(deps.records, deps.site.id, since, time_zone=deps.site.time_zone)
    return Rows(items=[_shadow(item) for item in found])


def _version(row: VersionRow) -> VersionOut:
    return VersionOut(
        rule=row.rule,
        version=row.version,
        asset_class=row.asset_class,
        first_seen=from_ms(row.first_seen),
        origin=row.origin,
        seen_by=row.seen_by,
        text=json.loads(row.text),
    )


def _shadow(item: SideBySide) -> ShadowOut:
    rule, found = item.rule, item.comparison
    return ShadowOut(
        rule=rule.id,
        shadow_of=rule.shadow_of,
        version=rule.version,
        zh=rule.label.zh,
        en=rule.label.en,
        severity=int(rule.severity),
        since=from_ms(item.since),
        total=_tally(found.total),
        days={day: _tally(tally) for day, tally in found.days.items()},
        nights={hour: _tally(tally) for hour, tally in found.nights.items()},
        alarms=[_pair(pair) for pair in reversed(found.pairs[-MAX_PAIRS:])],
    )


def _tally(tally: Tally) -> TallyOut:
    counts = tally.as_dict()
    return TallyOut(live=counts.pop("old"), shadow=counts.pop("new"), **counts)


def _pair(pair: Pair) -> PairOut:
    _, index, asset = pair.first.key
    return PairOut(
        asset=asset,
        index=index,
        live_raised_at=from_ms(pair.old.raised) if pair.old else None,
        live_cleared_at=_instant(pair.old.cleared if pair.old else None),
        shadow_raised_at=from_ms(pair.new.raised) if pair.new else None,
        shadow_cleared_at=_instant(pair.new.cleared if pair.new else None),
        changes=[change.value for change in pair.changes],
    )


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
