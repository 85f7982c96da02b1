"""One asset made of several models, such as a switchboard with a meter, a transfer switch and a UPS; pure."""

from __future__ import annotations

from collections.abc import Sequence

from facility.readings import Value
from simulators.models.model import Model


class Cabinet(Model):
    """Several models that belong to one asset; a fault goes to the part that knows it."""

    def __init__(self, parts: Sequence[Model], *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.parts = tuple(parts)

    @property
    def faults(self) -> frozenset[str]:
        """The faults of every part."""
        return frozenset(name for part in self.parts for name in part.faults)

    @property
    def acts(self) -> frozenset[str]:
        """The acts of every part."""
        return frozenset(name for part in self.parts for name in part.acts)

    @property
    def active(self) -> frozenset[str]:
        """The faults that are on in any part."""
        return frozenset(name for part in self.parts for name in part.active)

    def inject(self, fault: str, **params: float) -> None:
        """Begin a fault in the part that knows it; ValueError for an unknown one."""
        self._known("fault", fault, self.faults)
        next(part for part in self.parts if fault in part.faults).inject(fault, **params)

    def end(self, fault: str) -> None:
        """End a fault; ValueError for an unknown one."""
        self._known("fault", fault, self.faults)
        next(part for part in self.parts if fault in part.faults).end(fault)

    def act(self, act: str, **params: float) -> None:
        """Do what a person does to the part that knows it; ValueError for an unknown act."""
        self._known("act", act, self.acts)
        next(part for part in self.parts if act in part.acts).act(act, **params)

    @property
    def settable(self) -> frozenset[str]:
        """The points of every part that can be set from afar."""
        return frozenset(point for part in self.parts for point in part.settable)

    def obey(self, point: str, value: Value) -> None:
        """Set a point of the part that has it; ValueError for one that does not obey."""
        self._known("point to command", point, self.settable)
        next(part for part in self.parts if point in part.settable).obey(point, value)

    def step(self, dt: float) -> None:
        """Go on by `dt` seconds, every part in turn."""
        self._tell_time(dt)
        for part in self.parts:
            part.step(dt)

    def leap(self, dt: float) -> None:
        """Let `dt` seconds go by unwatched in every part."""
        self._tell_time(dt)
        for part in self.parts:
            part.leap(dt)

    def values(self) -> dict[str, Value]:
        """The values of every part."""
        return {key: value for part in self.parts for key, value in part.values().items()}

    def _tell_time(self, dt: float) -> None:
        """Every part has the cabinet's clock."""
        for part in self.parts:
            part.epoch, part.zone = self.epoch, self.zone
        self.seconds += dt
        self.epoch += dt
