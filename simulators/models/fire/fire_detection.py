"""What a fire panel sees: detectors, call points, zones and loops; pure.

An alarm is an instant that follows from when its cause began, so that it is the same however time was portioned.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, limited

FIRES: Mapping[str, bool] = {
    "single_alarm": False, "confirmed_fire": True, "linkage_failure": True, "linkage_delay": True,
    "linkage_fail": True, "linkage_weak": True, "linkage_partial": True,
}  # fmt: skip
"""Fault with smoke in it -> whether a second detector confirms it."""

ZONE = 12.0
"""Where it burns when nothing is said: the zone of detectors 23 and 24."""

SHOULD_BE = (120, 118, 96, 64)
"""Devices configured on each loop."""
MISSING, BREAK = 57, 5.0
"""Devices behind an open loop, and the seconds in which they fall out."""
LOST_ZONES = 4
"""Zones with devices behind it."""

DETECTORS = 128
"""Detectors that are shown one by one at most: two in each zone."""

REALARM = 10.0
"""Seconds after a reset until a detector that still sees smoke alarms again."""

STORM_SHARE = 0.55
"""How much of each turn of a storm its alarm stands; then somebody resets it."""

DIRT = 55.0
"""% by which a detector gets dirtier."""
PREALARM, NIGHT, PREALARM_HOURS = 60.0, (2.0, 4.5), 0.1
"""Contamination (%) from which a detector gives pre-alarms, the hours at which it does, and for how long."""

NORMAL, FIRE, FAULT, DISABLED, SUPERVISORY = range(5)
"""`det[n].state`."""


class Alarm(NamedTuple):
    """A device in alarm since `at`: the first (0) or second detector (1) or the call point (2) of a zone."""

    at: float
    zone: int
    slot: int


class Detection:
    """Devices and zones. `alarms` in the order in which they came; numbers of the detectors in `prealarms`, and of the
    zones that are `disabled`."""

    def __init__(self, model: Model, random: Random, *, zones: int, loops: int) -> None:
        self.zones, self.loops = zones, loops
        self.disabled: set[int] = set()
        self.alarms: list[Alarm] = []
        self.prealarms: set[int] = set()
        self._model = model
        self._pressed: dict[int, float] = {}
        self._reset_at = -math.inf
        self._detectors = min(DETECTORS, 2 * zones)
        self._clean = [random.uniform(18.0, 22.0) for _ in range(self._detectors)]
        self._sway = [random.uniform(-1.0, 1.0) for _ in range(self._detectors)]
        self._air = Wander(random, 0.5, 600.0)
        self._quiet: dict[str, Value] = {}
        for zone in range(1, zones + 1):
            self._quiet |= {f"zone[{zone}].alarm": False, f"zone[{zone}].fault": False, f"zone[{zone}].disabled": False}
        for number in range(1, self._detectors + 1):
            self._quiet |= {f"det[{number}].state": NORMAL, f"det[{number}].prealarm": False}

    def drift(self, dt: float) -> None:
        """The air in the building changes."""
        self._air.step(dt)

    def look(self) -> None:
        """Find out what is in alarm now."""
        now = self._model.seconds + 1e-9
        coming = [*self._fires(), *self._storm(), *(Alarm(at, zone, 2) for zone, at in self._pressed.items())]
        first: dict[tuple[int, int], Alarm] = {}
        for alarm in sorted(coming):
            if alarm.zone not in self.disabled:
                first.setdefault((alarm.zone, alarm.slot), alarm)
        self.alarms = [alarm for alarm in first.values() if alarm.at <= now]
        waiting = [alarm for alarm in first.values() if alarm.at > now and alarm.slot == 0]
        self.prealarms = {self._detector(alarm.zone, 0) for alarm in waiting}
        if self._dirty_alarm():
            self.prealarms.add(self._dirty)

    @property
    def in_zones(self) -> list[int]:
        """Zones in alarm, in the order in which they came."""
        return list(dict.fromkeys(alarm.zone for alarm in self.alarms))

    @property
    def confirmed_at(self) -> float | None:
        """When the second device of some zone agreed with the first; None while none does."""
        devices: Counter[int] = Counter()
        for alarm in self.alarms:
            devices[alarm.zone] += 1
            if devices[alarm.zone] == 2:
                return alarm.at
        return None

    @property
    def missing(self) -> int:
        """Devices that do not answer."""
        return round(MISSING * self._model.course("loop_open", BREAK))

    @property
    def being_reset(self) -> bool:
        """Whether the panel is just being reset, as it is again and again in a storm."""
        turn = self._turn()
        return self._model.seconds - self._reset_at < 2.0 or (turn is not None and turn[1] >= STORM_SHARE)

    def reset(self) -> None:
        """Somebody resets the panel; call points are put back, and what still sees smoke alarms again."""
        self._reset_at = self._model.seconds
        self._pressed.clear()

    def press(self, zone: int) -> None:
        """Somebody presses the call point of a zone."""
        self._pressed.setdefault(zone, self._model.seconds)

    def next_change(self) -> float:
        """When something will come or go by itself; inf when nothing will."""
        model = self._model
        instants = [alarm.at for alarm in self._fires()]
        turn = self._turn()
        if turn is not None:
            count, seconds = self._storm_shape()
            began = model.seconds - (model.age("alarm_storm") or 0.0)
            instants += [began + (turn[0] + share) * seconds / count for share in (STORM_SHARE, 1.0)]
        if model.on("dirty_detector"):
            hours = (hour + edge for hour in NIGHT for edge in (0.0, PREALARM_HOURS))
            instants += [model.seconds + (hour - model.hour) % 24 * 3600 for hour in hours]
        return min((at for at in instants if at > model.seconds), default=math.inf)

    def values(self) -> dict[str, Value]:
        """Zones, detectors and loops."""
        found = dict(self._quiet)
        for zone in self.disabled:
            found[f"zone[{zone}].disabled"] = True
            self._show(found, zone, DISABLED)
        if self.missing:
            for zone in range(1, min(LOST_ZONES, self.zones) + 1):
                found[f"zone[{zone}].fault"] = True
                self._show(found, zone, FAULT)
        if self._model.on("valve_supervisory"):
            number = int(limited(self._model.param("valve_supervisory", "device", 30.0), 1, self._detectors))
            found[f"det[{number}].state"] = SUPERVISORY
        for alarm in self.alarms:
            found[f"zone[{alarm.zone}].alarm"] = True
            number = self._detector(alarm.zone, alarm.slot)
            if alarm.slot < 2 and number <= self._detectors:
                found[f"det[{number}].state"] = FIRE
        for number in self.prealarms:
            if number <= self._detectors:
                found[f"det[{number}].prealarm"] = True
        for number in range(1, self._detectors + 1):
            found[f"det[{number}].analog"] = self.analog(number)
        return found | self._loop_values()

    def analog(self, number: int) -> float:
        """Contamination of a detector, %."""
        value = self._clean[number - 1] + self._sway[number - 1] * self._air.value
        if self._model.on("dirty_detector") and number == self._dirty:
            seconds = self._model.param("dirty_detector", "seconds", 5_184_000.0)
            value += DIRT * self._model.course("dirty_detector", seconds)
        return value

    def _fires(self) -> list[Alarm]:
        """When the detectors of each fire alarm, and after a reset alarm again."""
        found = []
        for fault, confirmed in FIRES.items():
            age = self._model.age(fault)
            if age is None:
                continue
            zone = int(limited(self._model.param(fault, "zone", ZONE), 1, self.zones))
            began = self._model.seconds - age
            first = began + self._model.param(fault, "first", 20.0)
            again = self._reset_at + REALARM if began < self._reset_at else began
            found.append(Alarm(max(first, again), zone, 0))
            if confirmed:
                second = first + self._model.param(fault, "second", 25.0)
                found.append(Alarm(max(second, again), zone, 1))
        return found

    def _storm(self) -> list[Alarm]:
        """The alarm of a storm that stands now: the two detectors of its zone in turn, never both."""
        turn = self._turn()
        if turn is None or turn[1] >= STORM_SHARE:
            return []
        count, seconds = self._storm_shape()
        return [Alarm(self._model.seconds - turn[1] * seconds / count, self._storm_zone(), turn[0] % 2)]

    def _turn(self) -> tuple[int, float] | None:
        """The turn of the storm and how far it has come, 0..1; None when there is none, or no more."""
        age = self._model.age("alarm_storm")
        if age is None or self._storm_zone() in self.disabled:
            return None
        count, seconds = self._storm_shape()
        share, turn = math.modf(age / seconds * count)
        return (int(turn), share) if turn < count else None

    def _storm_shape(self) -> tuple[int, float]:
        model = self._model
        return max(1, int(model.param("alarm_storm", "count", 40.0))), model.param("alarm_storm", "seconds", 180.0)

    def _storm_zone(self) -> int:
        return int(limited(self._model.param("alarm_storm", "zone", 5.0), 1, self.zones))

    @property
    def _dirty(self) -> int:
        return int(limited(self._model.param("dirty_detector", "device", 23.0), 1, self._detectors))

    def _dirty_alarm(self) -> bool:
        """Whether a dirty detector gives a pre-alarm; it does so in damp night air."""
        if not self._model.on("dirty_detector") or self.analog(self._dirty) < PREALARM:
            return False
        return any(hour <= self._model.hour < hour + PREALARM_HOURS for hour in NIGHT)

    def _detector(self, zone: int, slot: int) -> int:
        return 2 * zone - 1 + slot

    def _show(self, found: dict[str, Value], zone: int, state: int) -> None:
        for slot in range(2):
            if self._detector(zone, slot) <= self._detectors:
                found[f"det[{self._detector(zone, slot)}].state"] = state

    def _loop_values(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for loop in range(1, self.loops + 1):
            there = SHOULD_BE[loop - 1] if loop <= len(SHOULD_BE) else 0
            missing = self.missing if loop == 1 else 0
            found[f"loop[{loop}].device_count"] = there - missing
            found[f"loop[{loop}].fault_count"] = missing
            found[f"loop[{loop}].fault"] = missing > 0
            found[f"loop[{loop}].current"] = (there - missing) * 1.1 + (self._air.value + 1.6 if there else 0.0)
        return found
