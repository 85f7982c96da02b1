"""What a function of the rule language is: how many arguments it takes, and what makes a term of a call to it.

A maker gets the walk over the rule's tree, the call and the function's name. It checks the arguments by asking the walk
for terms of the type that it needs, and tells the walk what the rule uses.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from facility.points import Point
from rules.language.grammar import milliseconds, wrong
from rules.language.relation import Side
from rules.language.terms import Term

MAX_SPAN_MS = 24 * 3_600_000


class Walk(Protocol):
    """The walk over one rule's tree. `rated` takes the names that the asset must have; `index` is what [n] stands for.

    `term`, `truth`, `number` and `value` (of a bare point) check a node and give its term; `point` gives the point that
    a node names. What they find is noted as used by the rule. All raise ExpressionError.
    """

    rated: dict[str, None]
    index: int

    def term(self, node: ast.expr) -> Term:
        """Any term."""

    def truth(self, node: ast.expr) -> Term:
        """A node that must be a condition."""

    def number(self, node: ast.expr) -> Term:
        """A node that must be a number."""

    def value(self, node: ast.expr) -> Term:
        """A node that must be a point, as the term of its value."""

    def point(self, node: ast.expr) -> Point:
        """The point that a node names."""

    def related(self, node: ast.Call, side: Side) -> Term:
        """How many assets on that side, of the class that the first argument names, fulfil the second one."""

    def window(self, node: ast.Call, *, of: Callable[[ast.expr], Term], length: int, argument: float = 0.0) -> Term:
        """A window of `length` ms over the call's first argument, which `of` (one of the above) checks.

        `argument` is one more number that the window is made with. No window stands inside another.
        """


Make = Callable[[Walk, ast.Call, str], Term]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: what it takes in words, the least and the most arguments, and its maker."""

    takes: str
    least: int
    most: int
    make: Make


def span(node: ast.expr, *, most: int = MAX_SPAN_MS, words: str = "24 h") -> int:
    """The ms that a node such as '10m' stands for, 1 s to `most` (`words` for people)."""
    length = milliseconds(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
    if length is None:
        raise wrong(node, "a span is a number and ms, s, m, h or d in quotes, such as '10m'")
    if not 1000 <= length <= most:
        raise wrong(node, f"a window spans 1 s to {words}")
    return length
