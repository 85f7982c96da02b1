"""Units of terms: which may stand together, and constants that carry one, such as '0.5 bar'.

A unit is a UCUM code of facility/units.py, or such a code with `/s` or `/d` behind it (how fast a point changes). None
is the unit of what takes that of the other side: plain numbers, rated values, counts, products and quotients.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from facility.units import UNITS, convert, symbol
from rules.language.grammar import source, wrong

_QUANTITY = re.compile(r"([-+]?\d{1,15}(?:\.\d{1,15})?) *([^\d\s.+-].{0,20})")
_SECONDS = {"/s": 1.0, "/min": 60.0, "/h": 3600.0, "/d": 86_400.0}
_DIFFERENCE = {"Cel": "K"}
_BY_SYMBOL = {unit.symbol: unit.code for unit in UNITS.values() if unit.symbol}


def shown(unit: str) -> str:
    """A unit as people read it."""
    code, ending = _apart(unit)
    return (symbol(code) or code.strip("{}")) + ending


def difference(unit: str | None) -> str | None:
    """The unit of the difference of two values: of temperatures it is the kelvin."""
    return _DIFFERENCE.get(unit, unit) if unit else None


def per(ending: str, unit: str | None) -> str | None:
    """The unit of how fast a value changes; `ending` is `/s` or `/d`."""
    found = difference(unit)
    return found + ending if found else None


def agreed(parts: Iterable[tuple[ast.expr, str | None]]) -> str | None:
    """The one unit of terms that stand together; ExpressionError at the first that has another one."""
    known = [(node, unit) for node, unit in parts if unit]
    for node, unit in known[1:]:
        first, wanted = known[0]
        if unit != wanted:
            raise wrong(
                node,
                f"{source(node)} is in {shown(unit)}, {source(first)} is in {shown(wanted)}: they can't stand together",
            )
    return known[0][1] if known else None


def calculated(name: str, left: tuple[ast.expr, str | None], right: tuple[ast.expr, str | None]) -> str | None:
    """The unit of a calculation (`name` as `ast` has it). Products and quotients have one that is not followed."""
    one, other = left[1], right[1]
    if name in ("Mult", "Div", "Mod"):
        return one if name == "Mod" else None
    apart = _DIFFERENCE.get(one or other or "")
    if name == "Sub" and apart and one != apart:
        if one == other:
            return apart
        if None in (one, other):
            return None  # a plain number may be a temperature or a difference
    if apart and other == apart and name in ("Add", "Sub"):
        return one
    if name == "Add" and other and one == _DIFFERENCE.get(other):
        return other
    return agreed([left, right])


def is_quantity(text: str) -> bool:
    """Whether a text in quotes is a number with a unit behind it."""
    return _QUANTITY.fullmatch(text) is not None


def converted(node: ast.expr, text: str, other: ast.expr, unit: str | None) -> float:
    """What a quantity such as '0.5 bar' is in `unit`, which is that of `other`; ExpressionError if it does not fit."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise wrong(node, f"{text!r} is no number with a unit")
    if unit is None:
        raise wrong(node, f"{source(other)} has no unit of its own to bring {text!r} to: write a plain number")
    value, given = float(found[1]), _code(found[2].strip())
    try:
        exact = convert(value, given, unit) if unit in UNITS else _rate(value, given, unit)
        return value if given == unit else float(f"{exact:.12g}")
    except ValueError:
        known = ", ".join(_fitting(unit))
        raise wrong(
            node, f"{text!r} does not fit {source(other)}, which is in {shown(unit)}; it takes {known}"
        ) from None


def _code(name: str) -> str:
    return _BY_SYMBOL.get(name, name)


def _apart(unit: str) -> tuple[str, str]:
    """A unit as its code and `/s`, `/d` or nothing."""
    ending = "" if unit in UNITS else next((known for known in _SECONDS if unit.endswith(known)), "")
    return unit.removesuffix(ending), ending


def _rate(value: float, given: str, unit: str) -> float:
    code, wanted = _apart(unit)
    for ending, seconds in _SECONDS.items():
        if given.endswith(ending):
            return convert(value, _code(given.removesuffix(ending)), code) / seconds * _SECONDS[wanted]
    raise ValueError(given)


def _fitting(unit: str) -> list[str]:
    if unit not in UNITS:
        return [f"{code}{ending}" for code in _fitting(_apart(unit)[0]) for ending in _SECONDS]
    quantity = UNITS[unit].quantity
    return [shown(code) for code, known in UNITS.items() if known.quantity == quantity and shown(code)]
