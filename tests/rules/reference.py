"""What an alarm must do, worked out the slow way: second by second, from nothing but what was known at each of them.

It shares no code with the rules. Rules are written down twice: here as plain functions, in the tests as YAML says them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Known = Mapping[str, Any]
"""Point -> its newest value; None or absent: unknown."""
Says = Callable[[Known], bool | None]

FORGOTTEN = 60
"""Seconds (or the delay, if that is longer) after which what was seen before a dark stretch counts no more."""


@dataclass(frozen=True)
class Paper:
    """A rule on paper: its condition, what ends it (by default the condition's contrary), its delays in seconds."""

    when: Says
    clear: Says | None = None
    delay: int = 0
    clear_delay: int = 0
    enable: Says = lambda known: True

    def says(self, known: Known) -> tuple[bool | None, bool | None]:
        """(raise, clear) at an instant."""
        truth = self.when(known)
        clear = self.clear(known) if self.clear else None if truth is None else not truth
        enabled = self.enable(known)
        if enabled is True:
            return truth, clear
        return (None if enabled is None and truth is not False else False), None


def transitions(paper: Paper, story: Sequence[Known]) -> list[tuple[str, int]]:
    """(event, second) of one rule at one asset; `story[n]` is what was known from second n to second n + 1."""
    found: list[tuple[str, int]] = []
    active, begun, seen, dark, lit = False, False, 0, 0, False
    for second, known in enumerate(story):
        need = paper.clear_delay if active else paper.delay
        if begun and lit:
            seen += 1
            if seen >= need:
                active, begun = not active, False
                found.append(("raise" if active else "clear", second))
        elif begun:
            dark += 1
        need = paper.clear_delay if active else paper.delay
        wanted = _wanted(active, *paper.says(known))
        if wanted is False:
            begun = False
        elif wanted and not begun:
            begun, seen, dark = True, 0, 0
        elif wanted and dark > max(need, FORGOTTEN):
            seen = dark = 0
        elif wanted:
            dark = 0
        lit = wanted is True
        if begun and lit and need == 0:
            active, begun = not active, False
            found.append(("raise" if active else "clear", second))
    return found


def _wanted(active: bool, truth: bool | None, clear: bool | None) -> bool | None:
    """Whether what it waits for is there: the condition, or, when it is active, its end; None: nobody knows."""
    if not active:
        return truth
    if truth:
        return False  # what is wrong has not ended
    return None if truth is None and clear else clear


def known_by_second(changes: Iterable[tuple[int, Mapping[str, Any]]], end: int) -> list[dict[str, Any]]:
    """What is known in each second up to `end`, from (second, changed values)."""
    by_second: dict[int, dict[str, Any]] = {}
    for second, values in changes:
        by_second.setdefault(second, {}).update(values)
    known: dict[str, Any] = {}
    story = []
    for second in range(end + 1):
        known |= by_second.get(second, {})
        story.append(dict(known))
    return story


def both(one: bool | None, other: bool | None) -> bool | None:
    """And, with unknown."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def over(point: str, limit: float) -> Says:
    """Whether a point is above a limit."""
    return lambda known: None if known.get(point) is None else known[point] > limit


def under(point: str, limit: float) -> Says:
    """Whether a point is below a limit."""
    return lambda known: None if known.get(point) is None else known[point] < limit


def true(point: str) -> Says:
    """Whether a point is true."""
    return lambda known: known.get(point)
