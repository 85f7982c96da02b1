"""What every model of a device has in common: stepped time, faults by name, canonical values; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from facility.readings import Value

SLICE = 0.5
"""The longest step a model is integrated with, seconds; a longer one is cut into pieces."""


class Model:
    """A device that behaves like hardware. Subclasses fill FAULTS and `advance`, and answer `values`.

    `epoch` is the device's own clock (s since 1970); the owner may set it before each step.
    """

    FAULTS: ClassVar[Mapping[str, str]] = {}
    """Fault name -> id of the failure signature it plays."""

    def __init__(self, *, epoch: float = 0.0) -> None:
        self.seconds = 0.0
        self.epoch = epoch
        self._since: dict[str, float] = {}
        self._params: dict[str, Mapping[str, float]] = {}

    @property
    def faults(self) -> Mapping[str, str]:
        """The faults this model knows: name -> id of the failure signature."""
        return self.FAULTS

    @property
    def active(self) -> frozenset[str]:
        """The faults that are on."""
        return frozenset(self._since)

    def inject(self, fault: str, **params: float) -> None:
        """Begin a fault; ValueError for an unknown one. Beginning it again starts its time course anew."""
        if fault not in self.faults:
            raise ValueError(f"no fault {fault!r}; known: {', '.join(sorted(self.faults))}")
        self._since[fault] = self.seconds
        self._params[fault] = params
        self.began(fault)

    def end(self, fault: str) -> None:
        """End a fault (nothing if it is not on); ValueError for an unknown one."""
        if fault not in self.faults:
            raise ValueError(f"no fault {fault!r}; known: {', '.join(sorted(self.faults))}")
        if self._since.pop(fault, None) is not None:
            self.ended(fault)

    def step(self, dt: float) -> None:
        """Go on by `dt` seconds of the device's time."""
        while dt > 1e-9:
            piece = min(dt, SLICE)
            self.seconds += piece
            self.epoch += piece
            self.advance(piece)
            dt -= piece

    def values(self) -> dict[str, Value]:
        """Canonical points of the class and their values now; None where the device has no value."""
        raise NotImplementedError

    def advance(self, dt: float) -> None:
        """One step of at most SLICE seconds."""
        raise NotImplementedError

    def began(self, fault: str) -> None:
        """Called when a fault begins."""

    def ended(self, fault: str) -> None:
        """Called when a fault ends."""

    def age(self, fault: str) -> float | None:
        """Seconds since a fault began, or None while it is off."""
        since = self._since.get(fault)
        return None if since is None else self.seconds - since

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
