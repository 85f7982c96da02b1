"""One power asset: any of a meter, a transfer switch and a UPS in one cabinet; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facility.readings import Value
from simulators.model import Model


class PowerCabinet(Model):
    """Several models that belong to one asset; a fault goes to the part that knows it."""

    def __init__(self, parts: Sequence[Model], *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.parts = tuple(parts)

    @property
    def faults(self) -> Mapping[str, str]:
        """The faults of every part."""
        return {name: signature for part in self.parts for name, signature in part.faults.items()}

    @property
    def active(self) -> frozenset[str]:
        """The faults that are on in any part."""
        return frozenset(name for part in self.parts for name in part.active)

    def inject(self, fault: str, **params: float) -> None:
        """Begin a fault in the part that knows it; ValueError for an unknown one."""
        self._part(fault).inject(fault, **params)

    def end(self, fault: str) -> None:
        """End a fault; ValueError for an unknown one."""
        self._part(fault).end(fault)

    def advance(self, dt: float) -> None:
        """One step of every part."""
        for part in self.parts:
            part.step(dt)

    def values(self) -> dict[str, Value]:
        """The values of every part."""
        return {key: value for part in self.parts for key, value in part.values().items()}

    def _part(self, fault: str) -> Model:
        for part in self.parts:
            if fault in part.faults:
                return part
        raise ValueError(f"no fault {fault!r}; known: {', '.join(sorted(self.faults))}")
