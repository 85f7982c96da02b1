"""Checked expressions as Python functions: one flat function a condition, for it is called for every reading.

The source is put together from the terms of the whitelist (terms.py) and never from a rule's text: it holds our own
templates, names that are made here (p0, t0) and numbers as Python writes them. All else, even a code or a text that a
value is compared with, comes in as a parameter. A function sees nothing beside its parameters and abs, min and max.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from rules.language.frame import Frame

Read = Callable[[], Any]
"""A bound term. Any, because the term's Type has fixed at compile time what it gives: number, bool, str or None."""
Bind = Callable[[Frame], Any]
Emit = Callable[["Scope"], str]
"""Gives the source of a term, an expression; it may ask the scope for parameters and names."""

MAX_DEPTH = 20
"""Terms inside each other in one function; Python's parser takes 200 brackets."""
_KNOWN: dict[str, object] = {
    "__builtins__": {}, "abs": abs, "min": min, "max": max, "OverflowError": OverflowError,
}  # fmt: skip
_PLAIN = """\
def read({parameters}):
    return {body}
"""
_FALLIBLE = """\
def read({parameters}):
    try:
        return {body}
    except OverflowError:  # a whole number that no float can hold
        return {fault}()
"""


class Scope:
    """One function in the making: what it takes from the frame, and its names."""

    def __init__(self) -> None:
        self.binds: dict[str, Bind] = {}
        self._shared: dict[str, str] = {}
        self._names = 0
        self._depth = 0
        self.fault = ""

    def name(self) -> str:
        """A new name for a value."""
        self._names += 1
        return f"t{self._names}"

    def parameter(self, bind: Bind, *, key: str = "") -> str:
        """The name of what `bind` takes from the frame; one for all who ask with the same `key`."""
        if key and key in self._shared:
            return self._shared[key]
        name = f"p{len(self.binds)}"
        self.binds[name] = bind
        if key:
            self._shared[key] = name
        return name

    def faulty(self) -> str:
        """The source to give where there is no finite answer; it is unknown, and counted."""
        self.fault = self.parameter(lambda frame: frame.tally, key="fault()")
        return f"{self.fault}()"

    def source(self, emit: Emit) -> str:
        """The source of a part, in brackets or a single name; what is nested too deep becomes a function of its own."""
        if self._depth >= MAX_DEPTH:
            return f"{self.parameter(function(emit))}()"
        self._depth += 1
        text = emit(self)
        self._depth -= 1
        return text


def function(emit: Emit) -> Callable[[Frame], Read]:
    """The function of a term: bound to a frame it takes no arguments. It never raises.

    All frames share the function, for thousands of copies would not fit into the processor's cache.
    """
    scope = Scope()
    body = scope.source(emit)
    form = _FALLIBLE if scope.fault else _PLAIN
    read = _made(form.format(parameters=", ".join(scope.binds), body=body, fault=scope.fault))
    binds = tuple(scope.binds.values())

    def bind(frame: Frame) -> Read:
        return partial(read, *[take(frame) for take in binds])

    return bind


@lru_cache(maxsize=1024)
def _made(source: str) -> Callable[..., Any]:
    """What the source defines; rules that differ in points only share it."""
    found: dict[str, Callable[..., Any]] = {}
    exec(compile(source, "<rule>", "exec"), dict(_KNOWN), found)  # noqa: S102 - our own templates, see above
    return found["read"]
