"""The running simulation in somebody's hands: what is wrong with it, begin it, end it, do something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facility.hardware import Act, Fault, On, Running, Subject, Subjects
from simulators.scenario import Action, check_params, check_point
from simulators.service import Simulation


class SimulationControl:
    """What a person does to a simulation; see `Control`."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    @property
    def speed(self) -> float:
        """See Control."""
        return self._simulation.speed

    @property
    def subjects(self) -> Subjects:
        """See Control."""
        return self._simulation.subjects

    @property
    def crashed(self) -> Mapping[str, str]:
        """See Control."""
        return self._simulation.crashed

    def running(self) -> Sequence[Running]:
        """See Control."""
        hand, player = self._simulation.hand, self._simulation.player
        found = [_running(action, hand.seconds, by_hand=True) for action in hand.on]
        if player:
            found += [_running(action, player.seconds, by_hand=False) for action in player.on]
        return sorted(found, key=lambda item: -item.age)

    def begin(
        self, on: On, subject: str, name: str, *, point: str, params: Mapping[str, float], lasts: float | None
    ) -> None:
        """See Control."""
        found = self._subject(on, subject)
        fault = found.faults.get(name)
        if fault is None:
            raise ValueError(f"{subject} has no fault {name!r}; known: {', '.join(sorted(found.faults))}")
        if lasts is not None and lasts <= 0:
            raise ValueError(f"{lasts:g} is not more than 0 seconds")
        _check(fault, point, params, found)
        if any((item.on, item.subject, item.name, item.point) == (on, subject, name, point) for item in self.running()):
            raise ValueError(f"{name} of {point or subject} is on already")
        self._simulation.hand.take(Action(0.0, fault.on, subject, name, lasts, point, dict(params)))

    def end(self, on: On, subject: str, name: str, *, point: str) -> None:
        """See Control."""
        for action in self._simulation.hand.on:
            if (_owner(action.on), action.subject, action.name, action.point) == (on, subject, name, point):
                self._simulation.hand.drop(action)
                return
        raise ValueError(f"{name} of {point or subject} was not begun by hand, or is over")

    def act(self, on: On, subject: str, name: str, *, params: Mapping[str, float]) -> None:
        """See Control."""
        found = self._subject(on, subject)
        act = found.acts.get(name)
        if act is None:
            raise ValueError(f"{subject} has no act {name!r}; known: {', '.join(sorted(found.acts)) or 'none'}")
        _check(act, "", params, found)
        self._simulation.act(Action(0.0, act.on, subject, name, params=dict(params)))

    def _subject(self, on: On, subject: str) -> Subject:
        found = self._simulation.subjects.get((on, subject))
        if found is None:
            raise ValueError(f"there is no simulated {on} {subject!r}")
        return found


def _check(deed: Fault | Act, point: str, params: Mapping[str, float], subject: Subject) -> None:
    problems = [*check_point(deed, point, subject), *(text for _, text in check_params(deed, params))]
    if problems:
        raise ValueError("; ".join(problems))


def _owner(on: On) -> On:
    """A fault of a point is a fault of the point's asset."""
    return On.ASSET if on is On.POINT else on


def _running(action: Action, now: float, *, by_hand: bool) -> Running:
    left = None if action.lasts is None else max(0.0, action.until - now)
    return Running(
        _owner(action.on), action.subject, action.name, action.point, action.params, now - action.at, left, by_hand
    )
