"""Routes: how good the alarm system is. The figures are for everybody, who did what is for the control room."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api.auth import Action, User
from api.deps import Deps, DepsOf, Reader, may
from api.problems import refused
from api.schemas import Rows, Shape, refusals
from facility.clock import from_ms, to_ms
from facility.points import Label
from facility.words import SEVERITIES
from rules.performance.names import title_of, titles
from rules.performance.reading import LONGEST
from rules.performance.tally import DAY, Answers, Measured, Often, Standing
from rules.performance.targets import LEAST, VERDICTS, Kpi, judged

router = APIRouter(tags=["alarms"])
Counting = Annotated[User, Depends(may(Action.PERFORMANCE))]
USUAL = 30 * DAY


class Period(Shape):
    """From when to when; the last thirty days if nothing is said, at most a year. `start`, `end`: the same in ms."""

    from_: datetime | None = Field(default=None, alias="from", examples=["2026-10-01T00:00:00+08:00"])
    to: datetime | None = Field(default=None, examples=["2026-11-01T00:00:00+08:00"])
    start: int | None = Field(default=None, ge=0, le=2**43, description="ms since 1970 UTC, instead of `from`")
    end: int | None = Field(default=None, ge=0, le=2**43, description="ms since 1970 UTC, instead of `to`")

    def bounds(self, now: int) -> tuple[int, int]:
        """(start, end) in ms; ValueError when it is no period."""
        end = min(now, _instant(self.to, self.end, now))
        start = _instant(self.from_, self.start, end - USUAL)
        if not start < end <= start + LONGEST:
            raise ValueError("from must lie before to and before now, and a period is at most a year")
        return start, end


class Form(Period):
    """A period, and what is wanted of it."""

    format: Literal["json", "csv"] = "json"


class KpiOut(Shape):
    """One figure. `target` is empty where there is none; `value` is null of no data."""

    code: str = Field(examples=["per_ten_mean"])
    zh: str
    en: str
    value: float | None
    unit_zh: str
    unit_en: str
    target: str = Field(examples=["≤ 1"])
    verdict: Literal["within", "over", "not_enough", "none"]
    verdict_zh: str
    verdict_en: str
    basis_zh: str
    basis_en: str


class OftenOut(Shape):
    """An alarm that comes often: a rule at an asset. `share`: per cent of all raises of the period."""

    rule: str
    asset: str
    asset_zh: str
    asset_en: str
    zh: str
    en: str
    severity: int
    severity_zh: str
    severity_en: str
    raises: int
    share: float
    chattering: int = Field(description="episodes")
    fleeting: int = Field(description="cycles that were over within ten seconds")


class OperatorOut(Shape):
    """What one person answered. Spans are seconds, null without an answer."""

    operator: str
    acknowledged: int
    p50: float | None
    p95: float | None
    shelved: int


class KpisOut(Shape):
    """Everything about a period. `enough`: it is thirty days at least, so that means and shares can be judged."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    days: float
    enough: bool
    raises: int
    items: list[KpiOut]
    top: list[OftenOut]
    chattering: list[OftenOut]
    operators: list[OperatorOut]


@router.get("/alarms/kpis", summary="How good the alarm system is", responses=refusals(), response_model=KpisOut)
async def kpis(
    deps: DepsOf,
    _: Counting,
    period: Annotated[Form, Query()],
) -> KpisOut | Response:
    """Each figure with its target and verdict, the top ten, and who answered how quickly; or the figures as CSV."""
    measured, standing = await figures(deps, period)
    found = [kpi_out(kpi) for kpi in judged(measured, standing)]
    if period.format == "csv":
        return Response(_csv(found), media_type="text/csv; charset=utf-8", headers={
            "content-disposition": f'attachment; filename="alarm-kpis-{from_ms(measured.start):%Y%m%d}.csv"'
        })  # fmt: skip
    named = await titles(deps.records, deps.site.id, [item.key for item in (*measured.top, *measured.chattering)])
    return KpisOut(
        from_=from_ms(measured.start),
        to=from_ms(measured.end),
        days=round(measured.span / DAY, 2),
        enough=measured.span >= LEAST,
        raises=measured.raises,
        items=found,
        top=[often_out(deps, item, named) for item in measured.top],
        chattering=[often_out(deps, item, named) for item in measured.chattering],
        operators=[operator_out(who, answers, shelved) for who, (answers, shelved) in measured.people.items()],
    )


@router.get("/alarms/kpis/figures", summary="The figures alone", responses=refusals())
async def only_figures(deps: DepsOf, _: Reader, period: Annotated[Period, Query()]) -> Rows[KpiOut]:
    """Without anybody's name, for boards."""
    return Rows(items=[kpi_out(kpi) for kpi in judged(*await figures(deps, period))])


@router.get("/alarms/kpis/top", summary="The ten most frequent alarms", responses=refusals())
async def top(deps: DepsOf, _: Reader, period: Annotated[Period, Query()]) -> Rows[OftenOut]:
    """The most frequent first, each with its share in all raises."""
    measured, _standing = await figures(deps, period)
    named = await titles(deps.records, deps.site.id, [item.key for item in measured.top])
    return Rows(items=[often_out(deps, item, named) for item in measured.top])


async def figures(deps: Deps, period: Period) -> tuple[Measured, Standing]:
    """What the records say of a period; 422 when it is none, or too much."""
    with refused():
        start, end = period.bounds(deps.clock.ms())
        return await deps.performance.of(deps.site.id, ZoneInfo(deps.site.time_zone), start, end)


def kpi_out(kpi: Kpi) -> KpiOut:
    """A figure on the wire."""
    target, verdict = kpi.target, VERDICTS[kpi.verdict]
    return KpiOut(
        code=target.code,
        zh=target.label.zh,
        en=target.label.en,
        value=None if kpi.value is None else round(kpi.value, 3),
        unit_zh=target.unit.zh,
        unit_en=target.unit.en,
        target=target.words,
        verdict=kpi.verdict.value,
        verdict_zh=verdict.zh,
        verdict_en=verdict.en,
        basis_zh=target.basis.zh,
        basis_en=target.basis.en,
    )


def often_out(deps: Deps, item: Often, named: dict[tuple[str, int, str], Label]) -> OftenOut:
    """A frequent alarm on the wire."""
    rule, _, asset = item.key
    title, place = title_of(item.key, named), deps.site.assets.get(asset)
    severity = SEVERITIES.get(item.severity, Label("", ""))
    return OftenOut(
        rule=rule,
        asset=asset,
        asset_zh=place.label.zh if place else asset,
        asset_en=place.label.en if place else asset,
        zh=title.zh,
        en=title.en,
        severity=item.severity,
        severity_zh=severity.zh,
        severity_en=severity.en,
        raises=item.raises,
        share=round(item.share, 2),
        chattering=item.chattering,
        fleeting=item.fleeting,
    )


def operator_out(who: str, answers: Answers, shelved: int) -> OperatorOut:
    """A person's answers on the wire."""
    return OperatorOut(
        operator=who,
        acknowledged=answers.count,
        p50=None if answers.p50 is None else answers.p50 / 1000,
        p95=None if answers.p95 is None else answers.p95 / 1000,
        shelved=shelved,
    )


def _instant(at: datetime | None, ms: int | None, otherwise: int) -> int:
    if at is not None:
        return to_ms(at)  # ValueError for one without a time zone
    return otherwise if ms is None else ms


def _csv(rows: list[KpiOut]) -> str:
    """As spreadsheets read it: a byte order mark, for the Chinese."""
    text = io.StringIO()
    names = list(KpiOut.model_fields)
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    return "\ufeff" + text.getvalue()
