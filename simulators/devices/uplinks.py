"""What lies between the devices and those who watch: the gateways' connections and the broker, as subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from facility.hardware import BROKER, On, Subject
from simulators.devices.faulty_bus import FAULTS, FaultyBus
from simulators.faultfile import repertoire
from simulators.scenario import Action

BROKER_AWAY = "broker_away"


class BrokerSwitch(Protocol):
    """A broker that can be taken away. Neither method waits."""

    def away(self) -> None:
        """End it at once, and keep it away."""
        ...

    def back(self) -> None:
        """Let it come back to where it was."""
        ...


class Uplinks:
    """The gateways whose connections can be disturbed, by id, and the broker, where somebody can take it away.

    `gateways` may fill up after this was made.
    """

    def __init__(self, gateways: Mapping[str, FaultyBus], broker: BrokerSwitch | None) -> None:
        self._gateways, self._broker = gateways, broker

    def subjects(self) -> dict[tuple[On, str], Subject]:
        """What can be acted upon here."""
        faults = {name: fault for name, fault in repertoire().faults_of(On.GATEWAY).items() if name in FAULTS}
        found = {(On.GATEWAY, id_): Subject(On.GATEWAY, id_, faults) for id_ in self._gateways}
        if self._broker:
            away = {BROKER_AWAY: repertoire().faults_of(On.BROKER)[BROKER_AWAY]}
            found[On.BROKER, BROKER] = Subject(On.BROKER, BROKER, away)
        return found

    def begin(self, action: Action) -> None:
        """A fault begins; ValueError for an unknown gateway or fault, or where nobody can take the broker away."""
        self._check(action)
        if action.on is On.GATEWAY:
            self._gateways[action.subject].begin(action.name)
        elif self._broker:
            self._broker.away()

    def end(self, action: Action) -> None:
        """A fault ends; ValueError as for `begin`."""
        self._check(action)
        if action.on is On.GATEWAY:
            self._gateways[action.subject].end(action.name)
        elif self._broker:
            self._broker.back()

    def _check(self, action: Action) -> None:
        subjects = self.subjects()
        subject = subjects.get((action.on, action.subject))
        if subject is None:
            known = ", ".join(sorted(id_ for on, id_ in subjects if on is action.on)) or "none here"
            raise ValueError(f"no simulated {action.on} {action.subject!r}; known: {known}")
        if action.name not in subject.faults:
            known = ", ".join(sorted(subject.faults))
            raise ValueError(f"{action.subject} has no fault {action.name!r}; known: {known}")
