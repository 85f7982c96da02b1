"""Route: the rules that had no finite answer, so that somebody mends them."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import DepsOf, Reader
from api.schemas import Rows, Shape, refusals

router = APIRouter(tags=["health"])
_NAME = "rule_faults:"


class RuleFaults(Shape):
    """How often since the start an expression of this rule divided by zero or overflowed: it was unknown then."""

    rule: str
    faults: int


@router.get("/rules/faults", summary="Rules that divide by zero or overflow, the worst first", responses=refusals())
async def faults(deps: DepsOf, _: Reader) -> Rows[RuleFaults]:
    """Such a condition is unknown: it neither raises nor clears, and stops nothing. Empty where no rules run."""
    numbers = deps.metrics().get("rules", {})
    found = [
        RuleFaults(rule=name.removeprefix(_NAME), faults=int(number))
        for name, number in numbers.items()
        if name.startswith(_NAME)
    ]
    return Rows(items=sorted(found, key=lambda row: (-row.faults, row.rule)))
