"""A rule's text and its version: everything that defines what it does and what it says, in one canonical form.

The text is JSON with sorted keys, so that the same rule has the same version wherever and whenever it is read. Where it
stands (file and line) and which index it was made for are no part of it.

A rule that is not made of expressions alone (a check of the data, an effect of a fire linkage, the coverage) has its
`definition` in the text, so that one id may have several texts at once: one a point, an effect, an asset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from rules.rule import Rule

VERSION_LENGTH = 12
"""Hex digits: enough that two texts of one rule never share a version."""
_PLACE = ("index", "origin", "extra", "version", "text")


def text_of(rule: Rule, definition: Mapping[str, object] | None = None) -> str:
    """The canonical text of a rule that was not yet made for an index.

    `definition` is what else defines it, as plain data: for those that no expressions make whole.
    """
    built = msgspec.to_builtins(rule, order="sorted")
    found = {name: built[name] for name in built if name not in _PLACE}
    if definition:
        found["definition"] = definition
    return msgspec.json.encode(found, order="sorted").decode()


def version_of(text: str) -> str:
    """The version of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]


def stamped(rule: Rule, definition: Mapping[str, object] | None = None) -> Rule:
    """The rule with its text and version, which stay when it is made for an index; `definition` as in `text_of`."""
    text = text_of(rule, definition)
    return replace(rule, text=text, version=version_of(text))


def rule_of(text: str, *, origin: str = "", index: int = 0) -> Rule:
    """The rule that a text describes, made for an index; ValueError for a text that this program can't read."""
    try:
        rule = msgspec.json.decode(text, type=Rule)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no rule of this program: {error}") from error
    rule = replace(rule, origin=origin, text=text, version=version_of(text))
    return made_for(rule, index) if index else rule


def made_for(rule: Rule, index: int) -> Rule:
    """The rule for one index, its texts filled in."""
    return replace(rule, index=index, label=rule.label.fill(index), guidance=rule.guidance.fill(index))
