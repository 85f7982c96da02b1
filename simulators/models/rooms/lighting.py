"""The lighting model: circuits by hour and by daylight, lamps that fail, an emergency battery that is tested; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, limited, ramp
from simulators.models.rooms.outdoors import cells, daylight, occupancy

LAMPS, LAMP_KW = 30, 0.04
"""Lamps on a circuit; kW of one."""
DUSK = 100.0
"""Lux below which it is lit outside."""
TEST_MINUTES = 30.0
"""How long the emergency lighting must last on its battery (recalled for ordinary buildings)."""
NEEDS = 60.0
"""% of a sound battery that a whole test takes."""
RECHARGE = 100.0 / (12 * 3600)
"""% a second: full in twelve hours."""
NONE, TESTING, PASS, FAILED = 0, 1, 2, 3


class Lighting(Model):
    """A controller whose `circuits` are in turn halls (by the hour), garages (always) and the outside (by daylight).

    A circuit that is commanded from afar stays so until its schedule switches it next.
    """

    FAULTS = frozenset({"lamp_failures", "circuit_not_following", "emergency_test_failed"})
    ACTS = frozenset({"replace_lamps", "replace_contactor", "replace_battery", "test_emergency"})

    REPAIRS = {
        "replace_lamps": "lamp_failures",
        "replace_contactor": "circuit_not_following",
        "replace_battery": "emergency_test_failed",
    }
    """Act -> the fault that it ends."""

    def __init__(self, random: Random, *, circuits: int = 8, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.commands = [number % 3 != 0 for number in range(1, circuits + 1)]
        self._scheduled = list(self.commands)
        self.battery = 100.0
        self._energy = [4_200.0 + 90.0 * number for number in range(circuits)]
        self.test, self._minutes = NONE, 0.0
        self._noise = Wander(random, 0.4, 10.0)

    def began(self, fault: str) -> None:
        """The weak battery shows in a test, which begins now."""
        if fault == "emergency_test_failed":
            self._begin_test()

    def ended(self, fault: str) -> None:
        """There is a new battery, charged, and no test of it yet."""
        if fault == "emergency_test_failed":
            self.test, self._minutes, self.battery = NONE, 0.0, 100.0

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002
        """A repair ends its fault; a test runs as long as the battery lasts, TEST_MINUTES at most."""
        if act == "test_emergency":
            self._begin_test()
        else:
            self.end(self.REPAIRS[act])

    @property
    def settable(self) -> frozenset[str]:
        """The commands of its circuits."""
        return frozenset(f"circuit[{number}].command" for number in range(1, len(self.commands) + 1))

    def obeyed(self, point: str, value: Value) -> None:
        """A circuit is switched."""
        self.commands[int(point.partition("[")[2].partition("]")[0]) - 1] = bool(value)

    def advance(self, dt: float) -> None:
        """The mains is never quite still."""
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Schedule and energy, hour by hour, and the battery."""
        for hour, seconds in cells(self.epoch, dt, self.zone):
            self._schedule(hour)
            for number in range(1, len(self.commands) + 1):
                self._energy[number - 1] += self._power(number) * seconds / 3600
        self._discharge(dt)

    def _begin_test(self) -> None:
        self.test, self._minutes = TESTING, 0.0

    def _schedule(self, hour: float) -> None:
        for number in range(1, len(self.commands) + 1):
            halls, outside = 6.5 <= hour < 23.0, daylight(hour) < DUSK
            wanted = (outside, halls, True)[number % 3]
            if wanted is not self._scheduled[number - 1]:
                self._scheduled[number - 1] = self.commands[number - 1] = wanted

    def _discharge(self, dt: float) -> None:
        """A test takes charge; the test ends when it was long enough or the battery is empty. Then it is charged."""
        if self.test == TESTING:
            lasts = TEST_MINUTES
            if self.on("emergency_test_failed"):
                lasts = self.param("emergency_test_failed", "minutes", 12.0)
            fall = (NEEDS if lasts >= TEST_MINUTES else 95.0) / (lasts * 60)
            piece = min(dt, (lasts - self._minutes) * 60)
            self._minutes += piece / 60
            self.battery = max(0.0, self.battery - fall * piece)
            dt -= piece
            if self._minutes >= lasts - 1e-9:
                self.test = PASS if lasts >= TEST_MINUTES else FAILED
        if self.test != TESTING:
            self.battery = ramp(self.battery, 100.0, dt, RECHARGE)

    def _is(self, fault: str, number: int) -> bool:
        return self.on(fault) and int(self.param(fault, "circuit", 1.0)) == number

    def _lit(self, number: int) -> bool:
        """Whether current flows: a contactor that sticks or does not pull does the opposite of the command."""
        return self.commands[number - 1] is not self._is("circuit_not_following", number)

    def _dead(self, number: int) -> int:
        """Lamps of a circuit that have failed."""
        if not self._is("lamp_failures", number):
            return 0
        course = self.course("lamp_failures", self.param("lamp_failures", "seconds", 2_592_000.0))
        return int(limited(self.param("lamp_failures", "lamps", 12.0), 0, LAMPS) * course + 1e-9)

    def _power(self, number: int) -> float:
        return LAMP_KW * (LAMPS - self._dead(number)) if self._lit(number) else 0.0

    def values(self) -> dict[str, Value]:
        """Every point of the controller."""
        hour, circuits = self.hour, range(1, len(self.commands) + 1)
        lit = self.commands[0] if self.commands else False
        found: dict[str, Value] = {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "mode": 2,
            "lux.outdoor": daylight(hour),
            "lux.indoor": 40.0 + 0.006 * daylight(hour) + (260.0 if lit else 0.0) + 20.0 * occupancy(hour),
            "lamp_faults": sum(self._dead(number) for number in circuits),
            "emergency.on": self.test == TESTING,
            "emergency.mains_ok": self.powered,
            "emergency.battery": self.battery,
            "emergency.battery_v": 22.0 + 5.2 * self.battery / 100,
            "emergency.test": self.test,
            "emergency.test_minutes": self._minutes,
        }
        volts = 230.0 + self._noise.value
        for number in circuits:
            key, power = f"circuit[{number}].", self._power(number)
            found[key + "command"] = self.commands[number - 1]
            found[key + "on"] = self._lit(number)
            found[key + "power"] = power
            found[key + "voltage"] = volts
            found[key + "current"] = power * 1000 / (volts * 0.95)
            found[key + "energy"] = self._energy[number - 1]
            found[key + "lamp_faults"] = self._dead(number)
            found[key + "relay_temp"] = 28.0 + 14.0 * power
        return found
