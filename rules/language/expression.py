"""Rule expressions: a small subset of Python's syntax over the canonical points of one asset.

The text is parsed by Python's own parser and walked by a whitelist; nothing of it is ever executed as Python (what
runs is put together from the checked terms, see generate.py). What is not named here is refused: and/or/not,
comparisons (chained, `in (...)`), + - * / %, `a if c else b`, numbers, true/false, codes in quotes, point keys, and the
functions of functions.py. The work is bounded (grammar.py). Types are checked at once, so that a bound expression can't
fail:

    mode.service == 'inspection'     a code becomes the state's number; an unknown one is an error that lists the codes
    sys.outlet_pressure < '3 bar'    a number with a unit becomes one in the point's own unit (measures.py)
    avg(p.total, '10m') > 80         windows: avg min max stddev delta rate over numbers, changes over any point
    percentile(p.total, '1h', 95)    what was not exceeded for 95 % of the time
    count(car.overload, '60s') >= 3  how often a condition became true
    held(sys.flow > 5, '30s')        it has been true for so long
    since(sys.run) > 600             seconds since it last became true, as far as a day back
    votes(2, t.a > 80, t.b > 80, t.c > 80)   two of them at least
    stale(x), bad(x)                 the quality of a point
    rated('current', 10)             a rated value of the asset, with a default; a plain number
    pump[n].fault                    in a rule that is made once for each index
    p95_of_hour(x, '14d')            what is usual at this hour; slope and days_to say where a value is heading
    upstream('power', not ats.src1_ok) >= 1    how many related assets of a class: upstream, members, nearby

`delta` and `rate` of a counter count on over a reset; `rate` is per second. Numbers of different units are neither
added, subtracted, compared nor put into one min or max; a plain number takes the unit of the other side.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from facility.classfile import AssetClass
from facility.names import nearest, unknown
from facility.points import Kind, Point
from rules.language import relating, terms
from rules.language.comparing import comparison
from rules.language.cost import RELATION, window_cost
from rules.language.frame import Frame
from rules.language.functions import FUNCTIONS
from rules.language.generate import function
from rules.language.grammar import column, parse, part, source, wrong
from rules.language.logic import Logic, Values, truth
from rules.language.measures import agreed, calculated, shown
from rules.language.relation import Relation, Side
from rules.language.terms import Term, Type

MAX_NUMBER = 1e15
INDEXED = re.compile(r"\[\s*n\s*\]")
"""Marks an expression that is meant for each index."""

_TYPES = {
    Kind.ANALOG: Type.NUMBER, Kind.COUNTER: Type.NUMBER, Kind.DISCRETE: Type.TRUTH, Kind.ENUM: Type.STATE,
    Kind.TEXT: Type.TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compiled:
    """A checked condition. `points` in the order of use; `windows` as (function, seconds), those inside relations
    too; `rated` names it needs; `relations` are its questions to other assets.

    `logic` is what it says (logic.py), `cost` what it costs (cost.py).
    """

    text: str
    points: tuple[str, ...]
    windows: tuple[tuple[str, float], ...]
    rated: tuple[str, ...]
    relations: tuple[Relation, ...]
    logic: Logic
    cost: float
    _bind: Callable[[Frame], Callable[[], Any]]

    @property
    def is_timed(self) -> bool:
        """Whether its answer can change although no reading comes."""
        return bool(self.windows)

    def bind(self, frame: Frame) -> Callable[[], Any]:
        """The condition (or value) over one asset: a function that gives true, false, or None for unknown.

        Any, because the type was fixed when it was compiled.
        """
        return self._bind(frame)


def compile_expression(
    text: str, asset_class: AssetClass, *, index: int = 0, classes: Mapping[str, AssetClass] | None = None
) -> Compiled:
    """Check a condition over `asset_class` and make it ready to bind. `index` is what `[n]` stands for.

    `classes`: those that a relation can name; with None no other asset can be asked.
    Raises ExpressionError with the column of the first thing that is wrong.
    """
    body = parse(text)
    compiler = _Compiler(asset_class, index, classes or {})
    compiler.cost = sum(isinstance(node, ast.expr) for node in ast.walk(body))
    return compiler.compiled(text, compiler.truth(body))


def compile_value(text: str, asset_class: AssetClass, *, of: Point, classes: Mapping[str, AssetClass]) -> Compiled:
    """The same for the value of a derived point: a condition if it is discrete, else a number in its unit.

    What it is bound to gives that, or None.
    """
    body = parse(text)
    compiler = _Compiler(asset_class, 0, classes)
    compiler.cost = sum(isinstance(node, ast.expr) for node in ast.walk(body))
    if of.kind is Kind.DISCRETE:
        return compiler.compiled(text, compiler.truth(body))
    term = compiler.number(body)
    if term.unit and term.unit != of.unit:
        given = f"is in {shown(of.unit)}" if of.unit else "has no unit"
        raise wrong(body, f"{source(body)} is in {shown(term.unit)}, the point {of.key} {given}")
    return compiler.compiled(text, term)


@dataclass(frozen=True, slots=True)
class Parts:
    """An expression with the term of every part of it, and the relation behind every question to other assets."""

    body: ast.expr
    terms: Mapping[ast.expr, Term]
    asked: Mapping[ast.expr, Relation]


def parts_of(
    text: str, asset_class: AssetClass, *, index: int = 0, classes: Mapping[str, AssetClass] | None = None
) -> Parts:
    """The very terms that `compile_expression` puts together, one by one; ExpressionError like there."""
    body = parse(text)
    compiler = _Compiler(asset_class, index, classes or {})
    compiler.truth(body)
    return Parts(body, compiler.terms, compiler.asked)


class _Compiler:
    """Walks one tree; gathers what it uses."""

    def __init__(self, asset_class: AssetClass, index: int, classes: Mapping[str, AssetClass]) -> None:
        self._class = asset_class
        self._classes = classes
        self.index = index
        self._inside = ""
        self.points: dict[str, None] = {}
        self.windows: dict[tuple[str, float], None] = {}
        self.rated: dict[str, None] = {}
        self.relations: dict[Relation, None] = {}
        self.terms: dict[ast.expr, Term] = {}
        self.asked: dict[ast.expr, Relation] = {}
        self.cost = 0.0

    def compiled(self, text: str, term: Term) -> Compiled:
        """The walked expression, whose whole is `term`."""
        used = (tuple(self.points), tuple(self.windows), tuple(self.rated), tuple(self.relations))
        return Compiled(text, *used, term.logic or truth(text), self.cost, function(term.emit))

    def truth(self, node: ast.expr) -> Term:
        """A node that must be a condition."""
        term = self.term(node)
        if term.type is not Type.TRUTH:
            raise wrong(node, f"{source(node)} is {term.type}, a condition is needed: compare it with something")
        return _said(node, term)

    def number(self, node: ast.expr) -> Term:
        """A node that must be a number."""
        term = self.term(node)
        if term.type is not Type.NUMBER:
            raise wrong(node, f"{source(node)} is {term.type}, a number is needed")
        return term

    def term(self, node: ast.expr) -> Term:
        """Any term."""
        term = self.terms[node] = self._term(node)
        return term

    def _term(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._named(node)
            case ast.Compare():
                return comparison(self, node)
            case ast.BoolOp():
                return self._junction(node)
            case ast.Call():
                return self._call(node)
            case ast.UnaryOp() | ast.BinOp() | ast.IfExp():
                return self._operation(node)
        raise wrong(node, f"{type(node).__name__.lower()} is not part of the rule language")

    def _operation(self, node: ast.UnaryOp | ast.BinOp | ast.IfExp) -> Term:
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        return self._binary(node) if isinstance(node, ast.BinOp) else self._choice(node)

    def _constant(self, node: ast.Constant) -> Term:
        value = node.value
        if isinstance(value, bool | str):
            return terms.constant(value, column=column(node))
        if isinstance(value, int | float):
            if not abs(value) < MAX_NUMBER:
                raise wrong(node, f"numbers stay below {MAX_NUMBER:g}")
            return terms.constant(float(value), column=column(node))
        raise wrong(node, f"{value!r} is not part of the rule language")

    def _junction(self, node: ast.BoolOp) -> Term:
        parts = [self.truth(value) for value in node.values]
        return terms.junction(parts, deciding=isinstance(node.op, ast.Or))

    def _unary(self, node: ast.UnaryOp) -> Term:
        if isinstance(node.op, ast.Not):
            return terms.negation(self.truth(node.operand))
        if not isinstance(node.op, ast.USub):
            raise wrong(node, "only `not` and `-` can stand before a value")
        term = self.number(node.operand)
        if isinstance(term.constant, float):
            return terms.constant(-term.constant, column=column(node))
        return replace(terms.calculation(terms.FUNCTIONS["minus"], [term]), unit=term.unit)

    def _binary(self, node: ast.BinOp) -> Term:
        name = type(node.op).__name__
        if name not in terms.ARITHMETIC:
            raise wrong(node, "only + - * / % can stand between numbers")
        left, right = self.number(node.left), self.number(node.right)
        unit = calculated(name, (node.left, left.unit), (node.right, right.unit))
        return replace(terms.calculation(terms.ARITHMETIC[name], [left, right]), unit=unit)

    def _choice(self, node: ast.IfExp) -> Term:
        test, then, otherwise = self.truth(node.test), self.term(node.body), self.term(node.orelse)
        if then.type is not otherwise.type or then.type not in (Type.TRUTH, Type.NUMBER):
            raise wrong(node, "both sides of if/else must be numbers, or both conditions")
        if then.type is Type.TRUTH:
            return terms.choice(test, _said(node.body, then), _said(node.orelse, otherwise))
        unit = agreed([(node.body, then.unit), (node.orelse, otherwise.unit)])
        return replace(terms.choice(test, then, otherwise), unit=unit)

    def value(self, node: ast.expr) -> Term:
        """A node that must be a point, as the term of its value."""
        point = self.point(node)
        term = self.terms[node] = terms.of_point(point, _TYPES[point.kind], column=column(node))
        return term

    def point(self, node: ast.expr) -> Point:
        """The point that a node names."""
        key = self._key(node)
        point = self._class.point(key)
        if point is None:
            raise wrong(node, f"the class {self._class.id} has no point {key!r}{nearest(key, self._class.points)}")
        self.points[key] = None
        return point

    def _key(self, node: ast.expr) -> str:
        """The text of a point key: names, dots, and [2] or [n]."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self._key(node.value)}.{part(node.attr)}"
        if isinstance(node, ast.Subscript):
            return f"{self._key(node.value)}[{self._subscript(node.slice)}]"
        raise wrong(node, "is no point key such as car.floor or pump[2].freq")

    def _subscript(self, node: ast.expr) -> int:
        if isinstance(node, ast.Name) and node.id == "n":
            if not self.index:
                raise wrong(node, "[n] needs a rule that is made for each index")
            return self.index
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 < node.value < 1000:
            return node.value
        raise wrong(node, "an index is a number from 1 or n")

    def _named(self, node: ast.Name | ast.Attribute | ast.Subscript) -> Term:
        if isinstance(node, ast.Name) and node.id in ("true", "false"):
            return terms.constant(node.id == "true", column=column(node))
        return self.value(node)

    def _call(self, node: ast.Call) -> Term:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None:
            called, known = source(node.func), sorted(FUNCTIONS)
            raise wrong(node, f"there is no function {called}{nearest(called, known)}; there are: {', '.join(known)}")
        if node.keywords:
            raise wrong(node, f"{name} takes no named arguments")
        if not function.least <= len(node.args) <= function.most:
            raise wrong(node, f"{name} takes {function.takes}")
        return function.make(self, node, name)

    def window(self, node: ast.Call, *, of: Callable[[ast.expr], Term], length: int, argument: float = 0.0) -> Term:
        """See Walk."""
        name = source(node.func)
        if self._inside:
            raise wrong(node, f"{name} can't stand inside {self._inside}")
        outer, self.points, self._inside = self.points, {}, name
        term = of(node.args[0])
        used, self.points, self._inside = list(self.points), outer | self.points, ""
        if not used:
            raise wrong(node.args[0], f"{name} needs at least one point")
        self.windows[name, length / 1000] = None
        self.cost += window_cost(name, length)
        # the text names the series: two rules that ask for the same window share it
        series = INDEXED.sub(f"[{self.index}]", source(node.args[0]))
        return terms.window(name, series, of=term, points=used, length=length, argument=argument)

    def related(self, node: ast.Call, side: Side) -> Term:
        """See Walk. The condition is walked over the other class; a relation does not stand inside another."""
        if self._inside:
            raise wrong(node, f"{side} can't stand inside {self._inside}")
        other = _Compiler(self._other(node.args[0], side), 0, {})
        term = other.truth(node.args[1])
        if not other.points:
            raise wrong(node.args[1], f"{side} needs at least one point of the class {other._class.id}")
        self.windows |= other.windows
        relation = Relation(side, other._class.id, tuple(other.points), tuple(other.rated), tuple(other.windows))
        self.relations[relation] = None
        self.asked[node] = relation
        self.terms |= other.terms
        self.cost += other.cost + RELATION
        return replace(relating.how_many(relation, term, column=column(node)), domain=Values(low=0.0))

    def _other(self, node: ast.expr, side: Side) -> AssetClass:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise wrong(node, f"{side} needs a class of assets in quotes, such as 'power'")
        if not self._classes:
            raise wrong(node, "other equipment can't be asked here")
        found = self._classes.get(node.value)
        if found is None:
            raise wrong(node, unknown("asset class", node.value, sorted(self._classes)))
        return found


def _said(node: ast.expr, term: Term) -> Term:
    """A condition that knows what it says: itself, if it is not put together from others."""
    return term if term.logic else replace(term, logic=truth(source(node)))
