"""The fire panel model: what it sees, what it starts, and what it shows of both; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random

from facility.readings import Value
from simulators.models.fire.fire_detection import FIRES, ZONE, Detection
from simulators.models.fire.fire_linkage import HOOKS, HYDRANT, REPORT, SPRINKLER, START, SUPPLY_FAN, Linkage
from simulators.models.fire.fire_power import NO_MAINS, Battery
from simulators.models.fire.fire_water import Water
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited

INVESTIGATE = 180.0
"""Seconds that a first alarm may be looked after once somebody has acknowledged it (NFPA 72)."""

TEST_SECONDS, TEST_START = 300.0, 8.0
"""How long the weekly test commands the fire pump, and the seconds from the command until it runs."""

STAIR_PRESSURE = 45.0
"""Pa in a stair while its fan runs."""

CENTRE_SECONDS = 10.0
"""Seconds in which the centre confirms a report (GB 25506); later the transmission device shows a fault."""

MOMENT = 0.001
"""Seconds by which a leap goes past what it stops for."""

ALARMS = frozenset({*FIRES, "alarm_storm"})
"""The faults that somebody resets the panel after."""

STATUS = (
    "normal", "fire", "fault", "disabled", "supervisory", "started", "feedback", "delay", "main_power_fault",
    "backup_power_fault", "bus_fault", "manual", "config_changed", "reset",
)  # fmt: skip
"""The bits of the status word, as the transmission protocol numbers them."""


class FirePanel(Model):
    """An addressable panel with what hangs on it. `mains` is V at its supply.

    `reported`: output -> what its units say of themselves, from the building; without it the panel's own time decides.
    """

    FAULTS = frozenset({*FIRES, *HOOKS}) | {
        "alarm_storm", "dirty_detector", "fire_pump_fails", "hydrant_pressure_low", "jockey_cycling", "link_lost",
        "loop_open", "main_power_fault", "manual_mode", "tank_low", "valve_supervisory", "zone_disabled",
    }  # fmt: skip
    ACTS = frozenset(
        {
            "acknowledge",
            "disable_zone",
            "enable_zone",
            "press_call_point",
            "reset",
            "silence",
            "start_pump_by_hand",
            "test_fire_pump",
            "to_auto",
            "to_manual",
        }
    )

    def __init__(self, random: Random, *, zones: int = 128, loops: int = 10, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.mains = 228.0
        self._detection = Detection(self, random, zones=zones, loops=loops)
        self._linkage = Linkage(self)
        self._water = Water(self, random)
        self._battery = Battery()
        self._stairs = [0.0, 0.0]
        self._noise = Wander(random, 0.4, 10.0)
        self._manual, self._auto_since = False, 0.0
        self._silenced, self._alarms_before = False, 0
        self._look_after = self._tested = -math.inf
        self._beat = 0
        self._left: set[int] = set()
        self._sequence = 40_210
        self._shown: tuple[int, ...] = (0,) * 7

    @property
    def reported(self) -> dict[str, Sequence[bool]]:
        """Output -> what each of its units says of itself; the owner may set it before each step."""
        return self._linkage.reported

    @property
    def confirmed(self) -> bool:
        """Whether the panel has started its linkage: two devices of one zone agree."""
        return self._linkage.started is not None

    @property
    def silent(self) -> bool:
        """Whether the panel answers nobody."""
        return self.on("link_lost")

    def tells(self, output: str, unit: int) -> bool:
        """Whether a unit (from 0 on) of an output is told to act: a lift to come home, a controller to free doors."""
        return self._linkage.signalled(output, unit)

    def began(self, fault: str) -> None:
        """What somebody has left as it should not be stays so until somebody puts it right."""
        if fault == "manual_mode":
            self._manual = True
        elif fault == "zone_disabled":
            zones, count = self._detection.zones, int(self.param(fault, "count", 4.0))
            first = int(limited(self.param(fault, "zone", 9.0), 1, zones))
            self._detection.disabled -= self._left
            self._left = set(range(first, min(first + count, zones + 1)))
            self._detection.disabled |= self._left
        elif fault == "link_lost":
            self._beat = self.heartbeat()
        self._settle()

    def ended(self, fault: str) -> None:
        """The end of the last fire is a reset by a person."""
        if fault == "manual_mode":
            self._to_auto()
        elif fault == "zone_disabled":
            self._detection.disabled -= self._left
        elif fault in ALARMS and not self.active & ALARMS:
            self._reset()
        self._settle()

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Keys, switches and call points; each is an event of the panel's log."""
        zone = int(limited(params.get("zone", ZONE), 1, self._detection.zones))
        deeds: dict[str, Callable[[], None]] = {
            "reset": self._reset, "silence": self._silence, "acknowledge": self._acknowledge,
            "to_manual": self._to_manual, "to_auto": self._to_auto, "test_fire_pump": self._test,
            "start_pump_by_hand": self._start_by_hand, "press_call_point": lambda: self._detection.press(zone),
            "disable_zone": lambda: self._detection.disabled.add(zone),
            "enable_zone": lambda: self._detection.disabled.discard(zone),
        }  # fmt: skip
        deeds[act]()
        self._sequence += 1
        self._settle()

    def leap(self, dt: float) -> None:
        """As every model's, but stopping where something happens, for every event is counted."""
        end = self.seconds + dt
        while (at := self._next_change()) < end:
            super().leap(at - self.seconds)
        super().leap(end - self.seconds)

    def advance(self, dt: float) -> None:
        """Only the noise of what is measured moves quickly."""
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Detection, linkage, and what they move."""
        self._detection.drift(dt)
        failed = self.on("main_power_fault") or self.mains < NO_MAINS
        self._battery.drift(dt, supplies=failed, hours=self.param("main_power_fault", "hours", 6.0))
        self._settle()
        pumping = all(self._linkage.done(HYDRANT)) or self._test_runs
        self._water.drift(dt, pumping=pumping, sprinkling=all(self._linkage.done(SPRINKLER)))
        for stair, runs in enumerate(self._linkage.done(SUPPLY_FAN)):
            self._stairs[stair] = lag(self._stairs[stair], STAIR_PRESSURE if runs else 0.0, dt, 2.0)

    def values(self) -> dict[str, Value]:
        """The panel's summary, its zones, what it started, and the transmission device beside it."""
        found = {
            **self._detection.values(),
            **self._panel_values(),
            **self._battery.values(0.02 * self._noise.value),
            **self._water.values(),
            **self._linkage.values(),
            **self._other_values(),
        }
        if self._silenced and found["panel.sounders"]:
            found["panel.sounders"] = False
        if self._testing:
            found |= {"hydrant_pump.start_cmd": True, "fire_pump.start_cmd": True}
        if self._test_runs:
            found |= {"hydrant_pump.run": True, "fire_pump.run": True}
        return found

    # what people do

    def _reset(self) -> None:
        self._linkage.started = None
        self._silenced, self._look_after = False, -math.inf
        self._detection.reset()

    def _silence(self) -> None:
        self._silenced = self._linkage.started is not None

    def _acknowledge(self) -> None:
        self._look_after = self.seconds

    def _to_manual(self) -> None:
        self._manual = True

    def _to_auto(self) -> None:
        if self._manual:
            self._manual, self._auto_since = False, self.seconds

    def _test(self) -> None:
        self._tested = self.seconds

    def _start_by_hand(self) -> None:
        if self._testing or self._linkage.commanded(HYDRANT):
            self._linkage.by_hand = self.seconds

    # what follows from it

    def _settle(self) -> None:
        """The linkage starts at T0 and goes on until the panel is reset, even if it is put to manual meanwhile."""
        self._detection.look()
        alarms, confirmed = len(self._detection.alarms), self._detection.confirmed_at
        if confirmed is not None and not self._manual and self._linkage.started is None:
            self._linkage.started = max(confirmed, self._auto_since)
        self._linkage.settle()
        if not (self._testing or self._linkage.commanded(HYDRANT)):
            self._linkage.by_hand = None
        if alarms > self._alarms_before:
            self._silenced = False
        self._alarms_before = alarms
        self._count_events()

    @property
    def _testing(self) -> bool:
        """Whether the pump's own cabinet commands it, as in the weekly test; one that fails is commanded on and on."""
        return self.seconds - self._tested < TEST_SECONDS or self.on("fire_pump_fails")

    @property
    def _test_runs(self) -> bool:
        if not self._testing:
            return False
        comes = not self.on("fire_pump_fails") and self.seconds - self._tested >= TEST_START
        return comes or self._linkage.by_hand is not None

    def _next_change(self) -> float:
        return min(self._detection.next_change(), self._linkage.next_change()) + MOMENT

    def _count_events(self) -> None:
        """Every change of a count is an event."""
        counts = self._counts()
        self._sequence += sum(abs(now - before) for now, before in zip(counts, self._shown, strict=True))
        self._shown = counts

    def _counts(self) -> tuple[int, ...]:
        """alarm, fault, supervisory, disabled, started, feedback, pre-alarm."""
        detection = self._detection
        faults = int(self._battery.supplies) + int(self._battery.low) + detection.missing
        valve = int(self.on("valve_supervisory"))
        disabled, prealarms = len(detection.disabled), len(detection.prealarms)
        return len(detection.alarms), faults, valve, disabled, *self._linkage.counts(), prealarms

    def _status(self) -> list[bool]:
        alarms, faults, supervisory, disabled, _, feedback, _ = self._counts()
        delay = alarms > 0 and not self.confirmed and self.seconds - self._look_after < INVESTIGATE
        return [
            True, alarms > 0, faults > 0, disabled > 0, supervisory > 0, self._linkage.contact(START), feedback > 0,
            delay, self._battery.supplies, self._battery.low, self.on("loop_open"), self._manual, False,
            self._detection.being_reset,
        ]  # fmt: skip

    def _panel_values(self) -> dict[str, Value]:
        bits = self._status()
        found: dict[str, Value] = {f"panel.{name}": bit for name, bit in zip(STATUS, bits, strict=True)}
        counts = ("cnt.alarm", "cnt.fault", "cnt.supervisory", "cnt.disabled", "cnt.started", "cnt.feedback")
        found.update(zip((*counts, "cnt.prealarm"), self._counts(), strict=True))
        zones = self._detection.in_zones
        if self._linkage.lost(START):
            found |= {"panel.started": None, "cnt.started": None}
        return found | {
            "dev.heartbeat": self._beat if self.silent else self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "panel.state": sum(1 << number for number, bit in enumerate(bits) if bit),
            "panel.mode": int(self._manual),
            "panel.silenced": self._silenced,
            "zones_in_alarm": len(zones),
            "first_alarm_zone": zones[0] if zones else 0,
            "last_alarm_zone": zones[-1] if zones else 0,
            "event.sequence": self._sequence,
        }

    def _other_values(self) -> dict[str, Value]:
        """Supply, stairs, gas, and the transmission device."""
        linkage, bits = self._linkage, self._status()
        at = linkage.started
        waited = at is not None and self.seconds - at > CENTRE_SECONDS and not all(linkage.done(REPORT))
        lost = linkage.lost(REPORT)
        return {
            "power.mains_v": 0.0 if self.on("main_power_fault") else self.mains,
            **{f"stair[{number}].pressure": pressure for number, pressure in enumerate(self._stairs, 1)},
            "link.auto": not self._manual,
            "link.gas_release": False,
            "utd.link_ok": None if lost else not (self.silent or waited),
            "utd.centre_link_fault": None if lost else waited,
            "utd.panel_link_fault": self.silent,
            "utd.fire": bits[STATUS.index("fire")],
            "utd.fault": bits[STATUS.index("fault")],
            "utd.main_power_fault": False,
            "utd.backup_power_fault": False,
        }
