"""Driver: what the gateway needs of a way to talk to devices; one contract suite holds every driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from facility.readings import Quality, Value
from facility.wire import DeviceStatus
from gateway.meter import Figures


class Sink(Protocol):
    """Where a driver puts what it has read. It never waits and never refuses."""

    def add(
        self, asset: str, at: int, values: dict[str, Value], quality: dict[str, Quality], *, hist: bool = False
    ) -> None:
        """Readings of one asset at one instant (ms UTC); `quality` has only what is not good.

        `hist`: the device had stored them itself, they fill history and say nothing about now.
        """
        ...


class Driver(Protocol):
    """Reads the devices behind one connection, and reports by exception into a sink.

    When a device stops answering, each of its points is told once with quality COMM (STALE where a device was merely
    silent, or where its protocol calls it so) and without a value. Trouble with one device is told in `status` and
    never leaves `run`.
    """

    @property
    def name(self) -> str:
        """What it talks to, for log and task names."""
        ...

    async def run(self, sink: Sink) -> None:
        """Read until cancelled; leaves no connection behind."""
        ...

    def again(self, sink: Sink) -> None:
        """Tell every point once more, with the next reading of each; those that are lost, now."""
        ...

    def status(self) -> Mapping[str, DeviceStatus]:
        """Each device by id, as it is now."""
        ...

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Numbers of each device by id: requests, failures, overruns, refused, ... since the start."""
        ...

    def figures(self) -> Mapping[str, Figures]:
        """Each device by id, measured; what its protocol does not tell is left at None or 0."""
        ...
