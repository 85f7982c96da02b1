"""What every model of a device has in common: stepped time, faults by name, acts, canonical values; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from facility.readings import Value

SLICE = 0.5
"""The longest step a model is integrated with, seconds; a longer one is cut into pieces."""


class Model:
    """A device that behaves like hardware. Subclasses name FAULTS and ACTS, fill `advance`, and answer `values`.

    Time has two halves. `advance` is what moves quickly and needs short steps (a car, a control loop); `drift` is what
    changes slowly and is exact for a step of any length (counters, temperatures, wear, levels). `step` does both in
    short pieces; `leap` lets hours go by with `drift` alone.

    `epoch` is the device's own clock (s since 1970); the owner may set it before each step. `zone` is the site's
    distance from UTC in seconds, for what follows the hour of the day. `powered` is the owner's word whether the board
    that feeds the device has all its phases.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset()
    """The faults this model can play, named as in `simulators/faults/`."""
    ACTS: ClassVar[frozenset[str]] = frozenset()
    """What a person can do to it, named as in `simulators/faults/`."""

    def __init__(self, *, epoch: float = 0.0) -> None:
        self.seconds = 0.0
        self.epoch = epoch
        self.zone = 0.0
        self.powered = True
        self._since: dict[str, float] = {}
        self._params: dict[str, Mapping[str, float]] = {}

    @property
    def faults(self) -> frozenset[str]:
        """The faults this model knows."""
        return self.FAULTS

    @property
    def acts(self) -> frozenset[str]:
        """The acts this model knows."""
        return self.ACTS

    @property
    def active(self) -> frozenset[str]:
        """The faults that are on."""
        return frozenset(self._since)

    @property
    def silent(self) -> bool:
        """Whether the device answers nobody at the moment, though it goes on living."""
        return False

    @property
    def sound(self) -> bool:
        """Whether no fault is on."""
        return not self._since

    @property
    def hour(self) -> float:
        """The hour of the day on site, 0 .. 24."""
        return (self.epoch + self.zone) / 3600 % 24

    def inject(self, fault: str, **params: float) -> None:
        """Begin a fault; ValueError for an unknown one. Beginning it again starts its time course anew."""
        self._known("fault", fault, self.faults)
        self._since[fault] = self.seconds
        self._params[fault] = params
        self.began(fault)

    def end(self, fault: str) -> None:
        """End a fault (nothing if it is not on); ValueError for an unknown one."""
        self._known("fault", fault, self.faults)
        if self._since.pop(fault, None) is not None:
            self.ended(fault)

    def act(self, act: str, **params: float) -> None:
        """Do what a person does; ValueError for an unknown act."""
        self._known("act", act, self.acts)
        self.acted(act, params)

    @property
    def settable(self) -> frozenset[str]:
        """The points that can be set from afar."""
        return frozenset()

    def obey(self, point: str, value: Value) -> None:
        """Set a point from afar; ValueError for one that does not obey."""
        self._known("point to command", point, self.settable)
        self.obeyed(point, value)

    def step(self, dt: float) -> None:
        """Go on by `dt` seconds of the device's time."""
        while dt > 1e-9:
            piece = min(dt, SLICE)
            self.seconds += piece
            self.epoch += piece
            self.advance(piece)
            self.drift(piece)
            dt -= piece

    def leap(self, dt: float) -> None:
        """Let `dt` seconds go by unwatched: what moves stands as it was, what drifts goes on, counters grow on."""
        self.seconds += dt
        self.epoch += dt
        self.drift(dt)

    def values(self) -> dict[str, Value]:
        """Canonical points of the class and their values now; None where the device has no value."""
        raise NotImplementedError

    def advance(self, dt: float) -> None:
        """One step of at most SLICE seconds of what moves quickly."""

    def drift(self, dt: float) -> None:
        """One step of any length of what changes slowly."""

    def began(self, fault: str) -> None:
        """Called when a fault begins."""

    def ended(self, fault: str) -> None:
        """Called when a fault ends."""

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Called when a person does something."""

    def obeyed(self, point: str, value: Value) -> None:
        """Called when a point is set from afar."""

    def age(self, fault: str) -> float | None:
        """Seconds since a fault began, or None while it is off."""
        since = self._since.get(fault)
        return None if since is None else self.seconds - since

    def course(self, fault: str, seconds: float) -> float:
        """How far a fault is on a course of `seconds`: 0 while it is off, then up to 1."""
        age = self.age(fault)
        return 0.0 if age is None else min(1.0, age / seconds)

    def on(self, fault: str, after: float = 0.0) -> bool:
        """Whether a fault has been on for at least `after` seconds."""
        since = self._since.get(fault)
        return since is not None and self.seconds - since >= after

    def param(self, fault: str, name: str, default: float) -> float:
        """A parameter of the fault's last injection."""
        return self._params.get(fault, {}).get(name, default)

    def heartbeat(self) -> int:
        """The device's second counter, 16 bits."""
        return int(self.seconds) % 65_536

    @staticmethod
    def _known(what: str, name: str, known: frozenset[str]) -> None:
        if name not in known:
            raise ValueError(f"no {what} {name!r}; known: {', '.join(sorted(known))}")
