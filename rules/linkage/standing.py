"""A condition outside any fire that has to stand for a while before it is an alarm. Pure."""

from __future__ import annotations

from typing import Literal


class Standing:
    """`delay` in ms. With `needs_rest` it must have been seen false first: what a fire left running is not news.

    `active`: its alarm stands; `since`: when the condition began.
    """

    def __init__(self, delay: int, *, needs_rest: bool = False) -> None:
        self.active = False
        self.since = 0
        self._delay = delay
        self._needs_rest = needs_rest
        self._rested = not needs_rest
        self._running = False

    def step(self, truth: bool | None, at: int) -> Literal["raise", "clear", ""]:
        """What a look at `at` makes of it. Unknown changes nothing."""
        if truth is None:
            return ""
        if not truth:
            was, self.active, self._running, self._rested = self.active, False, False, True
            return "clear" if was else ""
        if self.active or not self._rested:
            return ""
        if not self._running:
            self._running, self.since = True, at
        if at - self.since < self._delay:
            return ""
        self.active, self._rested = True, not self._needs_rest
        return "raise"

    def spare(self) -> Literal["clear", ""]:
        """It is expected now; once it no longer is, it has to be seen at rest first."""
        was, self.active, self._running = self.active, False, False
        self._rested = not self._needs_rest
        return "clear" if was else ""
