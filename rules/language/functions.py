"""The functions of the rule language by name. A new one is an entry here; a new window is one in windowkinds.py."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from rules.language import terms
from rules.language.calls import Function, Make, Walk, span
from rules.language.grammar import column, wrong
from rules.language.relation import Side
from rules.language.terms import Term
from rules.language.trends import DAY_MS, USUAL_DAYS


def _abs(walk: Walk, node: ast.Call, name: str) -> Term:
    return terms.calculation(terms.FUNCTIONS[name], [walk.number(node.args[0])])


def _extreme(walk: Walk, node: ast.Call, name: str) -> Term:
    """Over time if the second of two arguments is a span, else of the arguments."""
    if len(node.args) == 2 and isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
        return _of_numbers(walk, node, name)
    return terms.calculation(terms.FUNCTIONS[name], [walk.number(argument) for argument in node.args])


def _of_numbers(walk: Walk, node: ast.Call, _: str) -> Term:
    return walk.window(node, of=walk.number, length=span(node.args[1]))


def _of_a_condition(walk: Walk, node: ast.Call, _: str) -> Term:
    return walk.window(node, of=walk.truth, length=span(node.args[1]))


def _of_a_point(walk: Walk, node: ast.Call, _: str) -> Term:
    return walk.window(node, of=walk.value, length=span(node.args[1]))


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
    return walk.window(node, of=walk.number, length=_days(node.args[1], least=USUAL_DAYS))


def _slope(walk: Walk, node: ast.Call, _: str) -> Term:
    return walk.window(node, of=walk.number, length=_days(node.args[1], least=1))


def _days_to(walk: Walk, node: ast.Call, _: str) -> Term:
    limit = walk.number(node.args[1]).constant
    if not isinstance(limit, float):
        raise wrong(node.args[1], "the limit is a plain number")
    return walk.window(node, of=walk.number, length=_days(node.args[2], least=1), argument=limit)


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
    "changes": _window(_of_a_point),
    "count": _window(_of_a_condition),
    "days_to": Function("a number, a limit, and a span such as '14d'", 3, 3, _days_to),
    "delta": _window(_of_numbers),
    "held": _window(_of_a_condition),
    "max": Function("numbers, or a number and a span such as '10m'", 2, 20, _extreme),
    "min": Function("numbers, or a number and a span such as '10m'", 2, 20, _extreme),
    "members": _relation(),
    "nearby": _relation(),
    "p95_of_hour": Function("a number and a span such as '14d'", 2, 2, _usual),
    "rate": _window(_of_numbers),
    "rated": Function("a name in quotes, and a number as default", 1, 2, _rated),
    "slope": Function("a number and a span such as '14d'", 2, 2, _slope),
    "stale": Function("one point", 1, 1, _stale),
    "stddev": _window(_of_numbers),
    "upstream": _relation(),
}
