"""Pure: the gateway's own readings: each device in figures, and the process, told by exception as any other reading.

A device keeps its number while the gateway runs, so that a change of the configuration does not mix two histories; a
number whose device has gone is given to the next new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from facility.points import Point
from facility.readings import Quality, Value
from facility.selfwatch import device_point
from facility.wire import DeviceStatus
from gateway.codec import bounded
from gateway.meter import KINDS, Figures
from gateway.report import Change, PointReport

STATES = {"down": 0, "failing": 1, "up": 2}
EVERY = 10.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Process:
    """The machine under the gateway. `cpu` and `disk_free` in per cent, `memory` in bytes, `uptime` and `late` in s."""

    uptime: float
    cpu: float
    memory: int
    disk_free: float | None
    late: float


class SelfWatch:
    """`points` are those of the class gateway."""

    def __init__(self, points: Mapping[str, Point]) -> None:
        self._points = points
        self._report = PointReport()
        self._numbers: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._looked: float | None = None

    def again(self) -> None:
        """Tell everything with the next look."""
        self._report.again()

    def look(
        self, at: int, now: float, status: Mapping[str, DeviceStatus], figures: Mapping[str, Figures], process: Process
    ) -> Change | None:
        """What is worth telling at `at` (ms); `now` in monotonic seconds, for rates."""
        self._number(status)
        passed = now - self._looked if self._looked is not None else 0.0
        found: dict[str, Value] = dict(_of_process(process))
        total = 0.0
        for device, number in self._numbers.items():
            known = figures.get(device, Figures())
            rate = (known.requests - self._before.get(device, 0)) / passed if passed > 0 else None
            total += rate or 0.0
            self._before[device] = known.requests
            for name, value in _of_device(device, status[device], known, rate).items():
                found[device_point(number, name)] = value
        found["gw.requests"] = round(total, 2) if passed > 0 else None
        self._looked = now
        return self._changes(found, at)

    def _number(self, devices: Iterable[str]) -> None:
        """A number for every device; the lowest that is free."""
        wanted = list(devices)
        for gone in set(self._numbers) - set(wanted):
            del self._numbers[gone]
            self._before.pop(gone, None)
        taken = set(self._numbers.values())
        free = (number for number in range(1, len(wanted) + len(taken) + 1) if number not in taken)
        for device in wanted:
            if device not in self._numbers:
                self._numbers[device] = next(free)

    def _changes(self, found: Mapping[str, Value], at: int) -> Change | None:
        values: dict[str, Value] = {}
        for key, value in found.items():
            point = self._points.get(key)
            if point is None or value is None:
                continue
            fits = not isinstance(value, int | float) or bounded(point, value)[1] is Quality.GOOD
            if fits and self._report.offer(point, value, Quality.GOOD, at):
                values[key] = value
        return (values, {}) if values else None


def _of_process(process: Process) -> Iterable[tuple[str, Value]]:
    yield "gw.uptime", int(process.uptime)
    yield "gw.cpu", round(process.cpu, 1)
    yield "gw.memory", round(process.memory / 1e6, 1)
    yield "gw.disk_free", process.disk_free
    yield "gw.poll_late", round(process.late * 1000, 1)


def _of_device(device: str, status: DeviceStatus, known: Figures, rate: float | None) -> dict[str, Value]:
    found: dict[str, Value] = {
        "id": device,
        "state": STATES.get(status.state),
        "requests": None if rate is None else round(rate, 2),
        "overruns": known.overruns,
        "bad_points": known.bad_points,
    }
    found |= {name: known.errors.get(name, 0) for name in KINDS.values()}
    for name in ("rtt_p50", "rtt_p99", "cycle_predicted", "cycle"):
        seconds = getattr(known, name)
        found[name] = None if seconds is None else round(seconds * 1000, 2)
    return found
