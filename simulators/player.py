"""Plays a scenario in the models' own time, so that it is the same live, headless, and at any speed; pure."""

from __future__ import annotations

import dataclasses
from bisect import insort
from collections.abc import Iterator
from typing import Protocol

from simulators.scenario import Action, Scenario


class Stage(Protocol):
    """What a scenario is played on."""

    def begin(self, action: Action) -> None:
        """A fault begins; ValueError when there is no such subject or fault."""
        ...

    def end(self, action: Action) -> None:
        """A fault ends."""
        ...

    def act(self, action: Action) -> None:
        """Somebody does something."""
        ...


class Player:
    """One performance of a scenario. `seconds` is the scenario's time, `on` the faults that are on."""

    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        self.scenario = scenario
        self.seconds = 0.0
        self.on: list[Action] = []
        self._stage = stage
        self._marks = scenario.timeline()

    @property
    def over(self) -> bool:
        """Whether everything has happened and the duration is over."""
        return not self._marks and self.seconds >= self.scenario.duration - 1e-9

    def pieces(self, dt: float) -> Iterator[float]:
        """Cut the next `dt` seconds where something happens; it happens between the pieces, as they are taken."""
        end = self.seconds + dt
        while True:
            self._perform()
            until = min(end, self._marks[0][0]) if self._marks else end
            if until > self.seconds:
                piece, self.seconds = until - self.seconds, until
                yield piece
            if until >= end:
                self._perform()
                return

    def take(self, action: Action) -> Action:
        """Let something happen now that is not in the scenario; a fault ends by itself after `lasts`, if it says so.

        Gives the action with its instant. ValueError when it is on already, or when the stage refuses it.
        """
        action = dataclasses.replace(action, at=self.seconds)
        if any(other.key == action.key for other in self.on):
            raise ValueError(f"{action.name} of {action.point or action.subject} is on already")
        self._stage.begin(action)
        self.on.append(action)
        if action.lasts is not None:
            insort(self._marks, (action.until, False, action), key=lambda mark: mark[:2])
        return action

    def drop(self, action: Action) -> None:
        """End a fault that is on, before its time."""
        self._marks = [mark for mark in self._marks if mark[2] is not action]
        self.on.remove(action)
        self._stage.end(action)

    def stop(self) -> None:
        """End what is still on; nothing happens any more."""
        self._marks.clear()
        while self.on:
            self._stage.end(self.on.pop())

    def _perform(self) -> None:
        while self._marks and self._marks[0][0] <= self.seconds + 1e-9:
            _, begins, action = self._marks.pop(0)
            if not begins:
                self._stage.end(action)
                self.on.remove(action)
            elif action.lasts is None:
                self._stage.act(action)
            else:
                self._stage.begin(action)
                self.on.append(action)
