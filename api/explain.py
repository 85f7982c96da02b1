"""Routes: why an alarm rang and who was told, and why a rule has raised none."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.assets import find_asset
from api.deps import Deps, DepsOf, Reader
from api.explained import alarm_explained, rule_text, state_out, view_out
from api.problems import ApiError, not_found
from api.readings import instant
from api.schemas import Rows, Shape, refusals
from api.schemas_explain import AlarmExplainedOut, RuleExplainedOut, RuleStateOut
from facility.errors import ConfigError
from facility.points import Label
from rules.book.compiled import CompiledRule, Rulebook

router = APIRouter(tags=["alarms"])
At = Annotated[str | None, Query(max_length=40, description="ISO 8601 with a zone, or ms")]


class Asked(Shape):
    """Which rule where, and when: now by default. `index`: n of a rule made for each `[n]`, or that of a data check."""

    asset: str = Field(max_length=64)
    index: int = Field(default=0, ge=0, le=2**31 - 1)
    at: str | None = Field(default=None, max_length=40, description="ISO 8601 with a zone, or ms")


@router.get("/alarms/{alarm}/explain", summary="Why an alarm rang", responses=refusals(404))
async def explain_alarm(deps: DepsOf, _: Reader, alarm: str, at: At = None) -> AlarmExplainedOut:
    """The rule, its inputs and the truth of its parts when it rang (or `at`), who was told, and what happens next."""
    row = await deps.records.alarm(alarm)
    return alarm_explained(await deps.explainer.alarm(row, at=_past(deps, at)))


@router.get("/rules/{rule}/explain", summary="Why a rule rings, or does not", responses=refusals(404, 409))
async def explain_rule(deps: DepsOf, _: Reader, rule: str, asked: Annotated[Asked, Query()]) -> RuleExplainedOut:
    """The same for a rule at an asset, whether it has raised an alarm or not."""
    asset = find_asset(deps, asked.asset)
    item = _find(await _book(deps), rule, asset.id, asset.asset_class, asked.index)
    view = await deps.explainer.rule(item, asset.id, at=_past(deps, asked.at))
    return RuleExplainedOut(asset=asset.id, rule=rule_text(item.rule), view=view_out(view))


@router.get("/assets/{asset}/rules", summary="The rules of an asset, now", responses=refusals(404, 409))
async def rules_of(deps: DepsOf, _: Reader, asset: str) -> Rows[RuleStateOut]:
    """Every rule that runs there and what it comes to: in alarm, about to ring, watching, or why it can't tell."""
    found = find_asset(deps, asset)
    await _book(deps)
    states = (state_out(view) for view in await deps.explainer.asset(found.id))
    return Rows(items=[state for state in states if state])


async def _book(deps: Deps) -> Rulebook:
    try:
        return await deps.explainer.rulebook()
    except ConfigError as error:
        problem = error.problems[0]
        raise ApiError(
            409, Label(f"站点的规则文件有错误：{problem}", f"The site's rule files have errors: {problem}")
        ) from error


def _find(book: Rulebook, rule: str, asset: str, asset_class: str, index: int) -> CompiledRule:
    """The rule at the asset; 404 that says whether there is no such rule, or why it does not run there."""
    here = [item for item in book.by_asset.get(asset, ()) if item.rule.id == rule]
    found = next((item for item in here if item.rule.index == (index or here[0].rule.index)), None)
    if found is not None:
        return found
    name = rule[:100]
    if here:
        known = ", ".join(str(item.rule.index) for item in here)
        raise _absent(
            Label(
                f"规则 {name} 在 {asset} 上只有序号 {known}", f"At {asset} the rule {name} has only the indices {known}"
            )
        )
    other = next((item.rule for items in book.by_asset.values() for item in items if item.rule.id == rule), None)
    if other is not None and other.asset_class == asset_class:
        raise _absent(
            Label(
                f"规则 {name} 不在 {asset} 上运行：该设备缺少它需要的点位、额定值或相关设备，或规则只列出了其他设备",
                f"The rule {name} does not run at {asset}: that lacks a point, a rated value or related equipment, or "
                f"the rule names other assets only",
            )
        )
    if other is not None:
        raise _absent(
            Label(
                f"规则 {name} 适用于 {other.asset_class} 类设备，{asset} 属于 {asset_class} 类",
                f"The rule {name} is for the class {other.asset_class}; {asset} is of the class {asset_class}",
            )
        )
    unused = next((item for item in book.unused if item.rule == rule), None)
    if unused is not None:
        raise _absent(
            Label(
                f"规则 {name} 没有在任何设备上运行：{unused.reason}", f"The rule {name} runs nowhere: {unused.reason}"
            )
        )
    raise not_found(Label("规则", "rule"), name)


def _absent(detail: Label) -> ApiError:
    return ApiError(404, detail)


def _past(deps: Deps, text: str | None) -> int | None:
    """The instant asked for; 422 for one that is none, or has not come yet."""
    if text is None:
        return None
    at = instant(text, "at")
    if at > deps.clock.ms() + 1000:
        raise ApiError(
            422,
            Label("at 是将来的时刻", "at lies in the future"),
            extra={"errors": [{"where": "query.at", "message": "lies in the future"}]},
        )
    return at
