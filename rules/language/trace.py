"""A rule's expression laid open: what every part of it gives at an instant, as a tree. Pure.

The parts are the very terms that the rule's own function is put together from (expression.py), each bound to the same
frame and asked on its own. There is no second evaluator that could answer differently: a test holds both together.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from facility.classfile import AssetClass
from facility.points import Point
from rules.language.expression import Parts, parts_of
from rules.language.frame import Frame
from rules.language.generate import function
from rules.language.grammar import source
from rules.language.relating import Seen
from rules.language.relation import Relation
from rules.language.terms import Term, Type

Given = bool | float | str | None
"""What a part gives: a truth, a number (a state is one), a text, or None for unknown."""
Names = Callable[[Relation], Sequence[str]]
"""The ids of the assets that a relation asks, in the order of the frames that the asset's frame gives for it."""


class Form(StrEnum):
    """What a part of an expression is."""

    ALL = "all"
    ANY = "any"
    NOT = "not"
    COMPARE = "compare"
    AMONG = "among"
    CHOICE = "choice"
    SUM = "sum"
    CALL = "call"
    POINT = "point"
    CONSTANT = "constant"
    RELATION = "relation"
    CHECK = "check"
    """A check of the data itself (rules/book/data), which is no expression: `name` says which, `point` of what."""
    ASSET = "asset"
    """One of the assets that a relation asks: `name` is its id, the truth that of the condition there."""


@dataclass(frozen=True, slots=True)
class Node:
    """One part: its text, what it gives, and its own parts.

    `name`: the operators of a comparison or sum, a function's name, an asset's id; `span` the text of a window's
    length; `point` of a bare point, or the one whose quality is asked; `unit` (measures.py) of a number.
    """

    form: Form
    type: Type
    text: str
    value: Given
    parts: tuple[Node, ...] = ()
    name: str = ""
    span: str = ""
    point: Point | None = None
    unit: str = ""

    @property
    def is_truth(self) -> bool:
        """Whether it is a condition, so that `value` is its truth."""
        return self.type is Type.TRUTH

    def walk(self) -> Iterator[Node]:
        """It and everything below it, from the top."""
        yield self
        for part in self.parts:
            yield from part.walk()


class Trace:
    """An expression of a class, ready to be laid open over frames. ExpressionError for a text that is none."""

    def __init__(
        self, text: str, asset_class: AssetClass, *, index: int = 0, classes: Mapping[str, AssetClass] | None = None
    ) -> None:
        self._class = asset_class
        self._classes = classes or {}
        self._index = index
        self._parts: Parts = parts_of(text, asset_class, index=index, classes=classes)

    def over(self, frame: Frame, names: Names = lambda _: ()) -> Node:
        """What every part gives now over one asset's frame."""
        return _Walk(self._parts, self._classes, self._index, names).node(self._parts.body, frame, self._class)


class _Walk:
    """Asks one term after the other."""

    def __init__(self, parts: Parts, classes: Mapping[str, AssetClass], index: int, names: Names) -> None:
        self._parts = parts
        self._classes = classes
        self._index = index
        self._names = names

    def node(self, node: ast.expr, frame: Frame, asset_class: AssetClass) -> Node:
        """One part with everything below it."""
        term = self._parts.terms[node]
        value = cast("Given", function(term.emit)(frame)())
        form, name, span, point = self._what(node, term, asset_class)
        if node in self._parts.asked and isinstance(node, ast.Call):
            parts = self._asked(node, frame)
        else:
            below = (self.node(child, frame, asset_class) for child in self._below(node))
            parts = tuple(part for part in below if form is not Form.CALL or part.form is not Form.CONSTANT)
        return Node(form, term.type, source(node), value, parts, name, span, point, term.unit or "")

    def _below(self, node: ast.AST) -> Iterator[ast.expr]:
        """The nearest parts that are terms themselves."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr) and child in self._parts.terms:
                yield child
            else:
                yield from self._below(child)

    def _asked(self, node: ast.Call, frame: Frame) -> tuple[Node, ...]:
        """The condition at every asset that the relation asks."""
        relation, condition = self._parts.asked[node], node.args[1]
        other, found = self._classes[relation.asset_class], []
        frames = frame.relatives(relation)
        names = self._names(relation) or [""] * len(frames)
        for name, relative in zip(names, frames, strict=True):
            inner = self.node(condition, cast("Frame", Seen(relative, frame)), other)
            found.append(Node(Form.ASSET, Type.TRUTH, inner.text, inner.value, (inner,), name))
        return tuple(found)

    def _what(self, node: ast.expr, term: Term, asset_class: AssetClass) -> tuple[Form, str, str, Point | None]:
        match node:
            case ast.BoolOp():
                return Form.ANY if isinstance(node.op, ast.Or) else Form.ALL, "", "", None
            case ast.UnaryOp():
                return Form.NOT if isinstance(node.op, ast.Not) else Form.SUM, "minus", "", None
            case ast.Compare():
                ops = [type(op).__name__ for op in node.ops]
                return Form.AMONG if {"In", "NotIn"} & set(ops) else Form.COMPARE, " ".join(ops), "", None
            case ast.IfExp():
                return Form.CHOICE, "", "", None
            case ast.BinOp():
                return Form.SUM, type(node.op).__name__, "", None
            case ast.Call():
                return self._call(node, asset_class)
        return Form.CONSTANT if term.point is None else Form.POINT, "", "", term.point

    def _call(self, node: ast.Call, asset_class: AssetClass) -> tuple[Form, str, str, Point | None]:
        name = source(node.func)
        if node in self._parts.asked:
            return Form.RELATION, name, "", None
        # `stale` and `bad` look at a point's quality, which is no term
        key = source(node.args[0]).replace("[n]", f"[{self._index}]")
        point = asset_class.point(key) if name in ("stale", "bad") else None
        texts = [arg.value for arg in node.args[1:] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        return Form.CALL, name, texts[0] if texts else "", point
