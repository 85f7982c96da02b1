"""Drivers: the drivers of one gateway, made from its devices, and made over when these change.

What a change leaves as it was is not touched: a native device keeps its driver, a polled one its unit (what it has
told, its health, its schedule), and a line that keeps a unit keeps its connection.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from facility.assets import Line
from facility.bus import Bus
from facility.clock import Clock
from facility.wire import DeviceStatus
from gateway.changes import Changes, Served, compare
from gateway.driver import Driver
from gateway.health import State
from gateway.lesson_book import LessonBook
from gateway.lessons import fingerprint
from gateway.modbus import ModbusConnection
from gateway.mqtt import MqttDevice
from gateway.poller import ModbusPoller
from gateway.report import HEARTBEAT
from gateway.sparkplug import SparkplugNode
from gateway.sparkplug_points import Address, NodePoints, address
from gateway.unit import Unit


@dataclass(frozen=True, slots=True)
class Turnover:
    """What a change of devices did. `gone` drivers are to be stopped before `fresh` ones are started: a serial port
    belongs to one at a time. `before`: the changed and removed devices as they were."""

    changes: Changes
    before: tuple[Served, ...]
    gone: tuple[Driver, ...]
    fresh: tuple[Driver, ...]


class Drivers:
    """`current` are the drivers now; `unusable` are the devices that none can be made for, and why."""

    def __init__(self, *, bus: Bus, clock: Clock, book: LessonBook) -> None:
        self.current: tuple[Driver, ...] = ()
        self.unusable: dict[str, DeviceStatus] = {}
        self._bus, self._clock, self._book = bus, clock, book
        self._served: Mapping[str, Served] = {}
        self._natives: dict[str, MqttDevice] = {}
        self._behind: dict[str, NodePoints] = {}
        self._nodes: dict[Address, SparkplugNode] = {}
        self._units: dict[str, Unit] = {}
        self._pollers: dict[Line, ModbusPoller] = {}

    def turn(self, wanted: Mapping[str, Served]) -> Turnover:
        """From now on these devices, and no others. Whoever runs the drivers stops `gone` and starts `fresh`."""
        changes = compare(self._served, wanted)
        old = self.current
        before = tuple(self._served[name] for name in (*changes.changed, *changes.removed))
        self._forget((*changes.changed, *changes.removed))
        for name in changes.removed:
            self._book.drop(name)
        touched = {*changes.added, *changes.changed}
        for index, (name, item) in enumerate(wanted.items()):
            if name in touched:
                self._make(item, index)
        self._served = dict(wanted)
        self._share_out()
        self._gather_nodes()
        self.current = (*self._natives.values(), *self._nodes.values(), *self._pollers.values())
        return Turnover(changes, before, _without(old, self.current), _without(self.current, old))

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.unusable.pop(name, None)
            self._natives.pop(name, None)
            self._behind.pop(name, None)
            self._units.pop(name, None)

    def _make(self, item: Served, index: int) -> None:
        device, profile = item.device, item.profile
        try:
            if profile.protocol == "mqtt":
                self._natives[device.id] = MqttDevice(device, profile, item.points, self._bus, self._clock)
                return
            if profile.protocol == "sparkplug":
                address(device)  # refused now, not when nodes are gathered
                self._behind[device.id] = NodePoints(device, profile, item.points)
                return
            # heartbeats of different devices do not fall into the same second
            heartbeat = HEARTBEAT - index * 7_919 % 60_000
            lessons = self._book.of(device.id, fingerprint(device, profile))
            self._units[device.id] = Unit(device, profile, item.points, heartbeat=heartbeat, lessons=lessons)
        except (ValueError, KeyError) as error:
            self.unusable[device.id] = DeviceStatus(State.DOWN, f"profile {profile.id}: {error}")

    def _share_out(self) -> None:
        """Each unit to the poller of its line; lines without units have none."""
        lines: dict[Line, list[Unit]] = {}
        for name in self._served:
            if unit := self._units.get(name):
                lines.setdefault(unit.device.line, []).append(unit)
        for line in [line for line in self._pollers if line not in lines]:
            del self._pollers[line]
        for line, units in lines.items():
            if line in self._pollers:
                self._pollers[line].adopt(units)
            else:
                self._pollers[line] = ModbusPoller(ModbusConnection(line), units, self._clock, random.random)

    def _gather_nodes(self) -> None:
        """The devices behind each edge node to one driver; a node whose devices have changed gets a new one."""
        wanted: dict[Address, list[NodePoints]] = {}
        for name in self._served:
            if points := self._behind.get(name):
                wanted.setdefault(address(points.device), []).append(points)
        for place in [place for place in self._nodes if place not in wanted]:
            del self._nodes[place]
        for place, devices in wanted.items():
            if place not in self._nodes or list(self._nodes[place].devices) != devices:
                self._nodes[place] = SparkplugNode(place, devices, self._bus, self._clock)


def _without(these: Iterable[Driver], those: Iterable[Driver]) -> tuple[Driver, ...]:
    left = {id(driver) for driver in those}
    return tuple(driver for driver in these if id(driver) not in left)
