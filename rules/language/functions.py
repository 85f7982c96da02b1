"""The functions of the rule language by name. A new one is an entry here; a new window is one in windowkinds.py."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from rules.language import terms
from rules.language.calls import MAX_SPAN_MS, Function, Make, Walk, span
from rules.language.grammar import column, wrong
from rules.language.logic import ANY, Values
from rules.language.measures import agreed, difference, per
from rules.language.relation import Side
from rules.language.terms import Term
from rules.language.trends import DAY_MS, USUAL_DAYS

_MAGNITUDE = Values(low=0.0)


def _abs(walk: Walk, node: ast.Call, name: str) -> Term:
    term = walk.number(node.args[0])
    return replace(terms.calculation(terms.FUNCTIONS[name], [term]), unit=term.unit, domain=_MAGNITUDE)


def _extreme(walk: Walk, node: ast.Call, name: str) -> Term:
    """Over time if the second of two arguments is a span, else of the arguments."""
    if len(node.args) == 2 and isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
        return _of_numbers(walk, node, name)
    found = [walk.number(argument) for argument in node.args]
    unit = agreed([(argument, term.unit) for argument, term in zip(node.args, found, strict=True)])
    return replace(terms.calculation(terms.FUNCTIONS[name], found), unit=unit)


def _of_numbers(walk: Walk, node: ast.Call, _: str) -> Term:
    return walk.window(node, of=walk.number, length=span(node.args[1]))


def _of_a_condition(walk: Walk, node: ast.Call, name: str) -> Term:
    term = walk.window(node, of=walk.truth, length=span(node.args[1]))
    return term if name == "held" else replace(term, unit=None, domain=_MAGNITUDE)


def _changes(walk: Walk, node: ast.Call, _: str) -> Term:
    term = walk.window(node, of=walk.value, length=span(node.args[1]))
    return replace(term, unit=None, domain=_MAGNITUDE)


def _apart(walk: Walk, node: ast.Call, name: str) -> Term:
    """A difference of values, or how far they lie apart."""
    term = _of_numbers(walk, node, name)
    return replace(term, unit=difference(term.unit), domain=_MAGNITUDE if name == "stddev" else ANY)


def _rate(walk: Walk, node: ast.Call, name: str) -> Term:
    term = _of_numbers(walk, node, name)
    return replace(term, unit=per("/s", term.unit), domain=ANY)


def _percentile(walk: Walk, node: ast.Call, _: str) -> Term:
    percent = walk.number(node.args[2]).constant
    if not isinstance(percent, float) or not 0 <= percent <= 100:
        raise wrong(node.args[2], "the percentage is a plain number from 0 to 100")
    return walk.window(node, of=walk.number, length=span(node.args[1]), argument=percent)


def _since(walk: Walk, node: ast.Call, _: str) -> Term:
    return replace(walk.window(node, of=walk.truth, length=MAX_SPAN_MS), unit="s", domain=_MAGNITUDE)


def _votes(walk: Walk, node: ast.Call, _: str) -> Term:
    least = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    if type(least) is not int or not 1 <= least < len(node.args):
        raise wrong(node.args[0], f"first how many must be true: a number from 1 to {len(node.args) - 1}")
    return terms.votes(least, [walk.truth(argument) for argument in node.args[1:]], column=column(node))


def _stale(walk: Walk, node: ast.Call, _: str) -> Term:
    return terms.stale(walk.point(node.args[0]), column=column(node))


def _bad(walk: Walk, node: ast.Call, _: str) -> Term:
    return terms.bad(walk.point(node.args[0]), column=column(node))


def _rated(walk: Walk, node: ast.Call, _: str) -> Term:
    key = node.args[0]
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        raise wrong(key, "rated needs a name in quotes")
    if len(node.args) == 1:
        walk.rated[key.value] = None
        return terms.rated(key.value, None, column=column(node))
    default = walk.number(node.args[1]).constant
    if not isinstance(default, float):
        raise wrong(node.args[1], "the default is a plain number")
    return terms.rated(key.value, default, column=column(node))


def _related(walk: Walk, node: ast.Call, name: str) -> Term:
    return walk.related(node, Side(name))


def _relation() -> Function:
    return Function("a class of assets in quotes, and a condition over the points of that class", 2, 2, _related)


def _usual(walk: Walk, node: ast.Call, _: str) -> Term:
    return replace(walk.window(node, of=walk.number, length=_days(node.args[1], least=USUAL_DAYS)), domain=ANY)


def _slope(walk: Walk, node: ast.Call, _: str) -> Term:
    term = walk.window(node, of=walk.number, length=_days(node.args[1], least=1))
    return replace(term, unit=per("/d", term.unit), domain=ANY)


def _days_to(walk: Walk, node: ast.Call, _: str) -> Term:
    limit = walk.number(node.args[1]).constant
    if not isinstance(limit, float):
        raise wrong(node.args[1], "the limit is a plain number")
    term = walk.window(node, of=walk.number, length=_days(node.args[2], least=1), argument=limit)
    return replace(term, unit="d", domain=ANY)


def _days(node: ast.expr, *, least: int) -> int:
    length = span(node, most=MAX_TREND_DAYS * DAY_MS, words=f"{MAX_TREND_DAYS} d")
    if length < least * DAY_MS:
        raise wrong(node, f"what is worked out from whole hours spans {least} d to {MAX_TREND_DAYS} d here")
    return length


def _window(make: Make) -> Function:
    return Function("a value and a span such as '10m'", 2, 2, make)


MAX_TREND_DAYS = 90

FUNCTIONS: Mapping[str, Function] = {
    "abs": Function("one number", 1, 1, _abs),
    "avg": _window(_of_numbers),
    "bad": Function("one point", 1, 1, _bad),
    "changes": _window(_changes),
    "count": _window(_of_a_condition),
    "days_to": Function("a number, a limit, and a span such as '14d'", 3, 3, _days_to),
    "delta": _window(_apart),
    "held": _window(_of_a_condition),
    "max": Function("numbers, or a number and a span such as '10m'", 2, 20, _extreme),
    "min": Function("numbers, or a number and a span such as '10m'", 2, 20, _extreme),
    "members": _relation(),
    "nearby": _relation(),
    "p95_of_hour": Function("a number and a span such as '14d'", 2, 2, _usual),
    "percentile": Function("a number, a span and a percentage, such as (x, '1h', 95)", 3, 3, _percentile),
    "rate": _window(_rate),
    "rated": Function("a name in quotes, and a number as default", 1, 2, _rated),
    "since": Function("one condition", 1, 1, _since),
    "slope": Function("a number and a span such as '14d'", 2, 2, _slope),
    "stale": Function("one point", 1, 1, _stale),
    "stddev": _window(_apart),
    "upstream": _relation(),
    "votes": Function("how many must be true, and two conditions or more", 3, 21, _votes),
}
