"""Comparisons: which values may stand on either side, codes and quantities in quotes, and what a comparison says."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from facility.names import nearest
from facility.points import Kind
from rules.language import logic, relating, terms
from rules.language.calls import Walk
from rules.language.grammar import source, wrong
from rules.language.measures import agreed, converted, is_quantity
from rules.language.terms import Term, Type

_FUNCTIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt,
    "GtE": operator.ge,
}  # fmt: skip
_TURNED = {"Lt": "Gt", "LtE": "GtE", "Gt": "Lt", "GtE": "LtE"}


def comparison(walk: Walk, node: ast.Compare) -> Term:
    """A comparison as a term; of a chain every link must hold."""
    parts = []
    left_node = node.left
    for operation, right_node in zip(node.ops, node.comparators, strict=True):
        if isinstance(operation, ast.In | ast.NotIn):
            part = _membership(walk, left_node, right_node)
            parts.append(terms.negation(part) if isinstance(operation, ast.NotIn) else part)
        else:
            parts.append(_compared(walk, type(operation).__name__, left_node, right_node))
        left_node = right_node
    return parts[0] if len(parts) == 1 else terms.junction(parts, deciding=False)


def _compared(walk: Walk, name: str, left_node: ast.expr, right_node: ast.expr) -> Term:
    if name not in terms.COMPARISONS:
        raise wrong(right_node, "compare with == != < <= > >= or in (...)")
    left, right = walk.term(left_node), walk.term(right_node)
    if left.type is Type.CODE:
        left = _decoded(left_node, left, right_node, right)
    if right.type is Type.CODE:
        right = _decoded(right_node, right, left_node, left)
    kinds = {left.type, right.type}
    if len(kinds) > 1 and kinds != {Type.STATE, Type.NUMBER}:
        raise wrong(left_node, f"{left.type} can't be compared with {right.type}")
    if kinds & {Type.TRUTH, Type.TEXT} and name not in ("Eq", "NotEq"):
        raise wrong(left_node, f"{left.type} has no order; use == or !=")
    agreed([(left_node, left.unit), (right_node, right.unit)])
    term = relating.compared(name, left, right) or terms.comparison(name, left, right)
    return replace(term, logic=_says(name, left_node, left, right_node, right))


def _says(name: str, left_node: ast.expr, left: Term, right_node: ast.expr, right: Term) -> logic.Logic:
    if left.constant is not None and right.constant is not None:
        return logic.fixed(bool(_FUNCTIONS[name](left.constant, right.constant)))
    if right.constant is not None:
        return logic.compared(name, source(left_node), right.constant, _domain(left))
    if left.constant is not None:
        return logic.compared(_TURNED.get(name, name), source(right_node), left.constant, _domain(right))
    return logic.truth(f"{source(left_node)} {terms.COMPARISONS[name]} {source(right_node)}")


def _domain(term: Term) -> logic.Values:
    return logic.TRUTHS if term.type is Type.TRUTH else term.domain


def _membership(walk: Walk, left_node: ast.expr, right_node: ast.expr) -> Term:
    if not isinstance(right_node, ast.Tuple) or not right_node.elts:
        raise wrong(right_node, "`in` needs values in brackets, such as ('a', 'b')")
    left = walk.term(left_node)
    members = []
    for node in right_node.elts:
        member = _decoded(node, walk.term(node), left_node, left)
        if member.constant is None or {left.type, member.type} not in (
            {left.type}, {Type.STATE, Type.NUMBER},
        ):  # fmt: skip
            raise wrong(node, f"{source(node)} is no value that {source(left_node)} can have")
        members.append(member.constant)
    said = logic.among(source(left_node), members, _domain(left))
    if left.constant is not None:
        said = logic.fixed(left.constant in members)
    return replace(terms.membership(left, members), logic=said)


def _decoded(node: ast.expr, code: Term, other_node: ast.expr, other: Term) -> Term:
    """A code or a quantity as the value it stands for beside `other`; any term that is neither as it is."""
    if code.type is not Type.CODE:
        return code
    text, point = str(code.constant), other.point
    if other.type is Type.NUMBER and is_quantity(text):
        return terms.constant(converted(node, text, other_node, other.unit), column=code.column)
    if point is None:
        raise wrong(node, f"the code {text!r} can only be compared with a point that has states")
    if point.kind is Kind.TEXT:
        return Term(Type.TEXT, code.emit, code.column, constant=text)
    state = point.state(text)
    if state is None:
        codes = [item.code for item in point.states.values()]
        known = ", ".join(map(repr, codes)) or "none"
        raise wrong(node, f"{point.key} has no state {text!r}{nearest(text, codes)}; its states: {known}")
    value = bool(state.number) if point.kind is Kind.DISCRETE else float(state.number)
    return terms.constant(value, column=code.column)
