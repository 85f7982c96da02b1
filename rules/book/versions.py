"""A rule's text and its version: everything that defines what it does and what it says, in one canonical form.

The text is JSON with sorted keys, so that the same rule has the same version wherever and whenever it is read. Where it
stands (file and line) and which index it was made for are no part of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from rules.rule import Rule

VERSION_LENGTH = 12
"""Hex digits: enough that two texts of one rule never share a version."""
_PLACE = ("index", "origin", "extra", "version", "text")


def text_of(rule: Rule) -> str:
    """The canonical text of a rule that was not yet made for an index."""
    found = msgspec.to_builtins(rule, order="sorted")
    return msgspec.json.encode({name: found[name] for name in found if name not in _PLACE}, order="sorted").decode()


def version_of(text: str) -> str:
    """The version of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]


def ruled(text: str, *, index: int = 0) -> Rule:
    """The rule that a kept text is of, made for an index; ValueError for a text that is none (of another release)."""
    try:
        rule = msgspec.json.decode(text, type=Rule)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no text of a rule: {error}") from error
    rule = replace(rule, text=text, version=version_of(text))
    return (
        replace(rule, index=index, label=rule.label.fill(index), guidance=rule.guidance.fill(index)) if index else rule
    )


def stamped(rule: Rule) -> Rule:
    """The rule with its text and version, which stay when it is made for an index."""
    text = text_of(rule)
    return replace(rule, text=text, version=version_of(text))


def rule_of(text: str, *, origin: str = "") -> Rule:
    """The rule that a text describes; ValueError for a text that this program can't read."""
    try:
        rule = msgspec.json.decode(text, type=Rule)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no rule of this program: {error}") from error
    return replace(rule, origin=origin, text=text, version=version_of(text))
