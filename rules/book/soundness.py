"""Rules that are written well and yet make no sense: they can never fire, can't clear, or cost too much."""

from __future__ import annotations

from collections.abc import Iterator

from rules.language.cost import MAX_COST
from rules.language.expression import Compiled
from rules.language.logic import negated, refuted


def flaws(
    condition: Compiled, clear: Compiled | None, enable: Compiled | None, suppress: Compiled | None
) -> Iterator[tuple[str, str]]:
    """(key of the rule, what is wrong with it) for everything that is certain to be wrong; `condition` is `when`."""
    when = condition.logic
    never = refuted(when)
    if never:
        yield "when", f"can never fire: {never}"
    elif enable and refuted(enable.logic):
        yield "enable", f"the rule can never fire: {refuted(enable.logic)}"
    elif enable and refuted(when, enable.logic):
        yield "enable", f"the rule can never fire while this holds: {refuted(when, enable.logic)}"
    if clear is None and not never and refuted(negated(when)):
        yield "when", "can never clear: it is always true"
    elif clear is not None and refuted(clear.logic):
        yield "clear", f"can never clear: {refuted(clear.logic)}"
    elif clear is not None and not never and refuted(clear.logic, negated(when)):
        yield "clear", f"can never clear while `when` is not true: {refuted(clear.logic, negated(when))}"
    cost = sum(item.cost for item in (condition, clear, enable, suppress) if item is not None)
    if cost > MAX_COST:
        yield "when", f"the rule costs {cost:.0f}, the limit is {MAX_COST}: fewer or shorter windows cost less"
