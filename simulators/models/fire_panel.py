"""The fire panel model: zones, counts, power, water, and linkage outputs with feedback of their own time; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited, ramp

OUTPUTS: Mapping[str, float] = {
    "sounders": 0.5, "broadcast": 2.0, "emergency_lighting": 1.5, "door_release": 3.0, "power_shed": 5.0,
    "shutter_half": 6.0, "hydrant_pump": 8.0, "supply_fan": 9.0, "smoke_fan": 11.0, "lift_recall": 25.0,
    "shutter_down": 45.0,
}  # fmt: skip
"""Linkage output -> seconds from the command to the feedback."""

NOT_CONFIRMED = frozenset({"lift_recall", "hydrant_pump"})
"""The outputs whose feedback a failed linkage misses."""

SHOULD_BE = (122, 118, 96, 64)
"""Devices configured on each loop."""

RESET_SECONDS = 2.0


class FirePanel(Model):
    """An addressable panel. `mains` is V at its supply; `lifts_home` and `doors_released` are what the building
    reports back (None: the panel's own time decides)."""

    FAULTS = frozenset(
        {
            "single_alarm",
            "confirmed_fire",
            "linkage_failure",
            "loop_open",
            "main_power_fault",
            "hydrant_pressure_low",
            "zone_disabled",
            "manual_mode",
            "tank_low",
            "valve_supervisory",
        }
    )

    def __init__(self, random: Random, *, zones: int = 128, loops: int = 10, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.mains = 228.0
        self.lifts_home: bool | None = None
        self.doors_released: bool | None = None
        self.zones, self.loops = zones, loops
        self.commands: dict[str, float] = {}
        self.feedback: set[str] = set()
        self._alarms: dict[int, int] = {}
        self._order: list[int] = []
        self._prealarms = 0
        self._sequence = 40_210
        self._shown: tuple[int, ...] = (0,) * 7
        self._reset_left = 0.0
        self._battery, self._hydrant, self._sprinkler = 27.3, 0.45, 0.48
        self._tank, self._jockey = 96.0, False
        self._noise = Wander(random, 0.4, 10.0)
        quiet: dict[str, Value] = {}
        for zone in range(1, zones + 1):
            quiet |= {f"zone[{zone}].alarm": False, f"zone[{zone}].fault": False, f"zone[{zone}].disabled": False}
        self._quiet_zones = quiet

    @property
    def confirmed(self) -> bool:
        """Whether the panel has started its linkage: two devices of one zone agree."""
        return bool(self.commands)

    def ended(self, fault: str) -> None:
        """The end of a fire is a reset by a person."""
        if fault in ("single_alarm", "confirmed_fire", "linkage_failure"):
            self._reset_left = RESET_SECONDS

    def advance(self, dt: float) -> None:
        """Detection, linkage, supply and water."""
        self._noise.step(dt)
        self._reset_left = max(0.0, self._reset_left - dt)
        self._detect()
        self._link(dt)
        self._water(dt)
        failed = self._mains_fault()
        hours = self.param("main_power_fault", "hours", 6.0)
        target, rate = (21.0, 6.3 / hours / 3600) if failed else (27.3, 0.002)
        self._battery = ramp(self._battery, target, dt, rate)
        counts = self._counts()
        self._sequence += sum(abs(now - before) for now, before in zip(counts, self._shown, strict=True))
        self._shown = counts

    def values(self) -> dict[str, Value]:
        """The panel's summary, its zones and its linkage."""
        return {
            **self._quiet_zones,
            **self._zone_values(),
            **self._panel_values(),
            **self._power_values(),
            **self._loop_values(),
            **self._link_values(),
        }

    def _mains_fault(self) -> bool:
        return self.on("main_power_fault") or self.mains < 180.0

    def _detect(self) -> None:
        """Devices in alarm per zone, from the time courses of the faults that are on."""
        self._alarms, self._prealarms = {}, 0
        for fault in ("single_alarm", "confirmed_fire", "linkage_failure"):
            age = self.age(fault)
            if age is None:
                continue
            zone = int(limited(self.param(fault, "zone", 3.0), 1, self.zones))
            first = self.param(fault, "first", 20.0 if fault == "single_alarm" else 2.0)
            second = first + self.param(fault, "second", 25.0)
            if age < first:
                self._prealarms += 1
                continue
            devices = 2 if fault != "single_alarm" and age >= second else 1
            self._alarms[zone] = self._alarms.get(zone, 0) + devices
        self._order = [zone for zone in self._order if zone in self._alarms]
        self._order += [zone for zone in self._alarms if zone not in self._order]

    def _link(self, dt: float) -> None:
        """Command every output when a zone is confirmed and the panel stands in auto; feedback follows."""
        confirmed = any(devices >= 2 for devices in self._alarms.values()) and not self.on("manual_mode")
        if not confirmed:
            self.commands, self.feedback = {}, set()
            return
        self.commands = {name: self.commands.get(name, -dt) + dt for name in OUTPUTS}
        for name, age in self.commands.items():
            if self._confirmed(name, age):
                self.feedback.add(name)

    def _confirmed(self, name: str, age: float) -> bool:
        if self.on("linkage_failure") and name in NOT_CONFIRMED:
            return False
        if name == "lift_recall" and self.lifts_home is not None:
            return self.lifts_home
        if name == "door_release" and self.doors_released is not None:
            return self.doors_released
        return age >= OUTPUTS[name]

    def _water(self, dt: float) -> None:
        if "hydrant_pump" in self.feedback:
            self._hydrant = lag(self._hydrant, 0.85, dt, 4.0)
        elif self.on("hydrant_pressure_low"):
            self._hydrant = ramp(self._hydrant, 0.08, dt, 0.37 / self.param("hydrant_pressure_low", "seconds", 900.0))
        elif self._hydrant > 0.46:
            self._hydrant = lag(self._hydrant, 0.45, dt, 10.0)
        else:
            self._hydrant = ramp(self._hydrant, 0.46 if self._jockey else 0.40, dt, 0.002 if self._jockey else 3e-5)
        if self._jockey:
            self._jockey = self._hydrant < 0.455
        else:
            self._jockey = self._hydrant < 0.42 and "hydrant_pump" not in self.feedback
        falls = self.on("tank_low")
        rate = 36.0 / self.param("tank_low", "seconds", 60.0) if falls else 0.5
        self._tank = ramp(self._tank, 60.0 if falls else 96.0, dt, rate)

    def _counts(self) -> tuple[int, ...]:
        """alarm, fault, supervisory, disabled, started, feedback, pre-alarm."""
        faults = int(self._mains_fault()) + int(self._battery < 22.0) + (57 if self.on("loop_open") else 0)
        disabled = int(self.param("zone_disabled", "count", 4.0)) if self.on("zone_disabled") else 0
        alarms = sum(self._alarms.values())
        supervisory = int(self.on("valve_supervisory"))
        return alarms, faults, supervisory, disabled, len(self.commands), len(self.feedback), self._prealarms

    def _status(self) -> int:
        """The status word, bit by bit as the transmission protocol numbers them."""
        alarms, faults, supervisory, disabled, started, feedback, _ = self._counts()
        bits = (
            True, alarms > 0, faults > 0, disabled > 0, supervisory > 0, started > 0, feedback > 0, False,
            self._mains_fault(), self._battery < 22.0, self.on("loop_open"), self.on("manual_mode"), False,
            self._reset_left > 0,
        )  # fmt: skip
        return sum(1 << number for number, bit in enumerate(bits) if bit)

    def _panel_values(self) -> dict[str, Value]:
        word = self._status()
        names = (
            "normal", "fire", "fault", "disabled", "supervisory", "started", "feedback", "delay", "main_power_fault",
            "backup_power_fault", "bus_fault", "manual", "config_changed", "reset",
        )  # fmt: skip
        found: dict[str, Value] = {f"panel.{name}": bool(word >> bit & 1) for bit, name in enumerate(names)}
        counts = ("cnt.alarm", "cnt.fault", "cnt.supervisory", "cnt.disabled", "cnt.started", "cnt.feedback")
        found.update(zip((*counts, "cnt.prealarm"), self._counts(), strict=True))
        return found | {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "panel.state": word,
            "panel.mode": int(self.on("manual_mode")),
            "panel.sounders": "sounders" in self.feedback,
            "panel.silenced": False,
            "zones_in_alarm": len(self._alarms),
            "first_alarm_zone": self._order[0] if self._order else 0,
            "last_alarm_zone": self._order[-1] if self._order else 0,
            "event.sequence": self._sequence,
            "utd.link_ok": True,
        }

    def _zone_values(self) -> dict[str, Value]:
        """The zones that are not as usual."""
        found: dict[str, Value] = {f"zone[{zone}].alarm": True for zone in self._alarms}
        if self.on("loop_open"):
            found |= {f"zone[{zone}].fault": True for zone in range(1, 5)}
        if self.on("zone_disabled"):
            first = int(self.param("zone_disabled", "zone", 9.0))
            for zone in range(first, first + int(self.param("zone_disabled", "count", 4.0))):
                if zone <= self.zones:
                    found[f"zone[{zone}].disabled"] = True
        return found

    def _power_values(self) -> dict[str, Value]:
        failed = self._mains_fault()
        return {
            "power.main_fault": failed,
            "power.backup_fault": self._battery < 22.0,
            "power.mains_v": 0.0 if self.on("main_power_fault") else self.mains,
            "power.batt_v": self._battery + 0.02 * self._noise.value,
            "power.charger_state": 0 if failed else 1 if self._battery < 27.2 else 2,
            "power.earth_fault": False,
            "hydrant.pressure": self._hydrant,
            "sprinkler.pressure": self._sprinkler + 0.001 * self._noise.value,
            "tank.level": self._tank,
            "tank.roof_level": 93.0 + 0.1 * self._noise.value,
            "jockey.run": self._jockey,
            "jockey.starts_per_h": 2,
        }

    def _loop_values(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for loop in range(1, self.loops + 1):
            there = SHOULD_BE[loop - 1] if loop <= len(SHOULD_BE) else 0
            missing = min(there, 57) if loop == 1 and self.on("loop_open") else 0
            found[f"loop[{loop}].device_count"] = there - missing
            found[f"loop[{loop}].fault_count"] = missing
            found[f"loop[{loop}].fault"] = missing > 0
            found[f"loop[{loop}].current"] = (there - missing) * 1.1 + (0.2 * self._noise.value + 0.6 if there else 0.0)
        return found

    def _link_values(self) -> dict[str, Value]:
        found: dict[str, Value] = {"link.auto": not self.on("manual_mode"), "link.gas_release": False}
        for name in ("lift_recall", "door_release", "power_shed"):
            found[f"link.{name}_cmd"] = name in self.commands
            found[f"link.{name}_feedback"] = name in self.feedback
        for name in ("emergency_lighting", "broadcast"):
            found[f"link.{name}"] = name in self.feedback
        for number, name in enumerate(OUTPUTS, 1):
            found[f"link.output[{number}].cmd"] = name in self.commands
            found[f"link.output[{number}].feedback"] = name in self.feedback
        return found | {
            "hydrant_pump.start_cmd": "hydrant_pump" in self.commands,
            "hydrant_pump.run": "hydrant_pump" in self.feedback,
            "sprinkler_pump.start_cmd": False,
            "sprinkler_pump.run": False,
            "fire_pump.start_cmd": "hydrant_pump" in self.commands,
            "fire_pump.run": "hydrant_pump" in self.feedback,
            "fan.smoke_cmd": "smoke_fan" in self.commands,
            "fan.smoke_run": "smoke_fan" in self.feedback,
            "fan.supply_cmd": "supply_fan" in self.commands,
            "fan.supply_run": "supply_fan" in self.feedback,
            "shutter.half": "shutter_half" in self.feedback,
            "shutter.down": "shutter_down" in self.feedback,
        }
