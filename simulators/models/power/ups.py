"""The UPS model: on its source while that lives, on its battery while it does not; pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.power.feed import DEAD, Source

ONLINE, BATTERY, OFF = 0, 1, 3
FULL_RUNTIME, LOAD, OVERLOAD = 1800.0, 42.0, 108.0
"""Seconds that a full new battery carries the ordinary load; that load, and one that is too much, in %."""

GAUGE = ((0.0, 0.0), (120.0, 20.0), (1200.0, 40.0), (FULL_RUNTIME, 100.0))
"""(seconds left, % shown): the gauge goes by the battery's voltage, which falls fast at first."""

RECHARGE = 3600.0
"""Seconds in which an empty battery is full again."""

LOW_RUNTIME = 150.0
"""Seconds left when the UPS announces its shutdown."""

LOW_INPUT = 170.0
"""V at the input below which it takes the battery."""

WORN, AGED = 0.8, 0.4
"""Share of its runtime below which a battery fails the test, and that one has left after its time."""

AGED_RESISTANCE = 0.45
"""By how much the resistance of the cells has risen then."""

YEAR, TEST_EVERY, TEST = 31_536_000.0, 14 * 86_400.0, 10.0
"""Seconds in which a battery ages so far; between two self-tests; of one self-test."""

IN_PROGRESS, PASSED, FAILED, REFUSED = 2, 4, 8, 16
"""Bits of the battery test status, as APC numbers them."""

ERRORS = (
    "error.overload", "error.short_circuit", "error.overvoltage", "error.over_temperature", "error.backfeed_relay",
    "error.avr_relay", "error.pfc_relay", "error.output_relay", "error.bypass_relay", "error.pfc", "error.dc_bus",
    "error.inverter", "batt_error.disconnected", "batt_error.overvoltage", "batt_error.over_temperature",
    "batt_error.charger", "batt_error.temp_sensor", "batt_error.soft_start",
)  # fmt: skip


class Ups(Model):
    """A double-conversion UPS of `va` with one battery string of `blocks` of 12 V, and the source of what hangs on it.

    `reserve` is what is left of a full battery, 0 .. 1.
    """

    FAULTS = frozenset({"ups_low", "battery_ageing", "ups_overload"})
    ACTS = frozenset({"ups_self_test", "replace_battery"})

    def __init__(
        self, random: Random, source: Source, *, va: float = 20_000.0, blocks: int = 4, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.source = source
        self.reserve, self.mode, self.battery_seconds = 1.0, ONLINE, 0.0
        self.worn = False
        self._va = va
        self._cells = [(random.uniform(-0.03, 0.03), 4.2 + random.uniform(-0.15, 0.15)) for _ in range(blocks)]
        self._temperature = 23.5
        self._load = Wander(random, 1.2, 40.0)
        self._noise = Wander(random, 0.3, 8.0)
        self._energy = 18_240.0
        self._test, self._testing, self._tests = 0, 0.0, 0

    @property
    def input(self) -> float:
        """V at the input; its feeder can fail by itself."""
        return 0.0 if self.on("ups_low") else self.source.volts[0]

    @property
    def volts(self) -> Sequence[float]:
        """V of what hangs on it."""
        return DEAD if self.mode == OFF else (230.0 + 0.5 * self._noise.value,) * 3

    @property
    def frequency(self) -> float:
        """Hz of what hangs on it."""
        return 0.0 if self.mode == OFF else 50.0

    @property
    def load(self) -> float:
        """% of the rated power."""
        if self.mode == OFF:
            return 0.0
        return OVERLOAD if self.on("ups_overload") else LOAD + self._load.value

    @property
    def charge(self) -> float:
        """% that the gauge shows."""
        seconds = self.reserve * FULL_RUNTIME
        after = bisect_right(GAUGE, (seconds, 200.0), hi=len(GAUGE) - 1)
        (start, low), (end, high) = GAUGE[after - 1], GAUGE[after]
        return low + (high - low) * (seconds - start) / (end - start)

    @property
    def capacity(self) -> float:
        """Share of the runtime of a new battery that a full one gives."""
        return 1.0 - (1.0 - AGED) * self._age

    @property
    def runtime(self) -> float:
        """Seconds left on the battery at the present load."""
        return FULL_RUNTIME * self.reserve * self.capacity * LOAD / max(self.load, 5.0)

    def ended(self, fault: str) -> None:
        """An aged battery has been replaced."""
        if fault == "battery_ageing":
            self._fit_new()

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002 - no act here has any
        """The battery is tested, or replaced by a new one that begins to age anew."""
        if act == "replace_battery":
            if self.on("battery_ageing"):
                self.inject("battery_ageing", **self._params["battery_ageing"])
            self._fit_new()
        elif self.mode == ONLINE:
            self._test, self._testing = IN_PROGRESS, TEST
        else:
            self._test = REFUSED

    def advance(self, dt: float) -> None:
        """What swings by itself."""
        self._load.step(dt)
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Charge or discharge; switch off when the battery is empty; test it when it is time."""
        load = OVERLOAD if self.on("ups_overload") else LOAD + self._load.mean(dt)
        lasted = dt
        if self.input > LOW_INPUT:
            self.mode, self.battery_seconds = ONLINE, 0.0
            self.reserve = min(1.0, self.reserve + dt / RECHARGE)
        else:
            self.mode = BATTERY if self.reserve > 0.0 else OFF
            speed = load / LOAD / FULL_RUNTIME / self.capacity
            if self.on("ups_low"):
                speed *= (FULL_RUNTIME - GAUGE[1][0]) / self.param("ups_low", "seconds", 1680.0)
            lasted = min(dt, self.reserve / speed)
            self.reserve = limited(self.reserve - speed * dt, 0.0, 1.0)
            self.battery_seconds += lasted
        self._energy += load / 100 * self._va / 1000 * lasted / 3600
        self.mode = OFF if self.mode == BATTERY and self.reserve <= 0.0 else self.mode
        self._temperature = lag(self._temperature, 31.0 if self.mode == BATTERY else 23.5, dt, 900.0)
        self._self_test(dt)

    def values(self) -> dict[str, Value]:
        """Every point of a UPS with a management card, and of its battery monitor."""
        on_battery, off = self.mode == BATTERY, self.mode == OFF
        block = (11.0 + 1.7 * self.reserve if self.input <= LOW_INPUT else 13.65) + 0.01 * self._noise.value
        found: dict[str, Value] = {
            "ups.mode": self.mode,
            "ups.charge": self.charge,
            "ups.runtime": int(self.runtime),
            "ups.batt_v": block * len(self._cells),
            "ups.batt_temp": self._temperature + 0.3 * self._noise.value,
            "ups.load": self.load,
            "ups.load_va": self.load * 1.06,
            "ups.on_battery_time": int(self.battery_seconds),
            "ups.in_u": self.input,
            "ups.out_u": self.volts[0],
            "ups.out_i": 0.0 if off else self.load / 100 * self._va / 230.0,
            "ups.out_f": self.frequency,
            "ups.efficiency": None if off else 94.2 + 0.2 * self._noise.value,
            "ups.energy": self._energy,
            "ups.transfer_high": 265,
            "ups.transfer_low": int(LOW_INPUT),
            "ups.status_cause": 2 if on_battery else 0,
            "ups.test_status": self._test,
            "ups.calibration_status": 0,
            "ups.battery_status": 4 if self.reserve <= 0.0 else 3 if self._low else 2,
            "ups.battery_condition": 2 if self.worn else 1 if self.capacity < WORN else 0,
            "ups.charging": 2 if on_battery else 3 if off else 1 if self.reserve < 0.995 else 0,
        }
        for number, (volts, resistance) in enumerate(self._cells, 1):
            found[f"batt.cell[{number}].v"] = block + volts
            found[f"batt.cell[{number}].r"] = resistance * (1 + AGED_RESISTANCE * self._age)
        return {**found, **self._flags()}

    @property
    def _age(self) -> float:
        """How far the battery has aged, 0 .. 1."""
        return self.course("battery_ageing", self.param("battery_ageing", "seconds", YEAR))

    @property
    def _low(self) -> bool:
        return self.mode == BATTERY and self.runtime < LOW_RUNTIME

    def _fit_new(self) -> None:
        self.worn, self.reserve, self._test = False, 1.0, 0

    def _self_test(self, dt: float) -> None:
        """Every two weeks by itself, and when somebody asks: a worn battery fails, and wants to be replaced."""
        tests = int(self.seconds // TEST_EVERY)
        due, self._tests = tests > self._tests and self.mode == ONLINE, tests
        if self._testing > 0.0:
            self._testing -= dt
            due = self._testing <= 0.0
        if due:
            self._testing = 0.0
            self.worn = self.capacity < WORN
            self._test = FAILED if self.worn else PASSED

    def _flags(self) -> dict[str, Value]:
        overloaded = self.on("ups_overload") and self.mode != OFF
        found: dict[str, Value] = {f"ups.{name}": False for name in ERRORS}
        return {
            **found,
            "ups.error.overload": overloaded,
            "ups.replace_battery": self.worn,
            "ups.shutdown_imminent": self._low,
            "ups.input_bad": self.input < LOW_INPUT,
            "ups.fault": False,
            "ups.overload": overloaded,
            "ups.high_efficiency": False,
            "ups.boost": False,
            "ups.trim": False,
        }
