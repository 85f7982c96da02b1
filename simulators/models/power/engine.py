"""The generating set: starter, diesel and alternator; pure."""

from __future__ import annotations

from simulators.models.physics import lag, limited
from simulators.models.power.feed import NOMINAL

CRANK, REST, ATTEMPTS = 10.0, 10.0, 3
"""Seconds that the starter turns, and rests, in each of so many attempts."""

FIRES_AFTER = 1.0
"""Seconds of cranking until a good engine runs by itself."""

STEADY = 0.5
"""Seconds of good voltage until the set may take the load."""

COOL_DOWN = 10.0
"""Seconds that it runs on without load before it stops."""

RATED_SPEED, CRANK_SPEED, EXCITED = 1500.0, 160.0, 900.0
"""rpm at 50 Hz; rpm while cranked; rpm above which the alternator gives a voltage."""

CONSUMPTION = 1 / 600
"""% of the tank per second of running."""


class Engine:
    """A diesel generating set. `wanted` is the start command, `blocked` an engine that never fires.

    `failed`: it gave up after its attempts, and waits for somebody to reset it. `test_left`: seconds that it still runs
    by itself for a test.
    """

    def __init__(self) -> None:
        self.wanted = self.blocked = False
        self.running = self.cranking = self.failed = False
        self.rpm = 0.0
        self.seconds, self.starts = 312.0 * 3600, 58
        self.fuel, self.battery, self.coolant = 86.0, 26.0, 42.0
        self.test_left = 0.0
        self._tried = self._steady = self._cool = 0.0

    @property
    def volts(self) -> float:
        """V to neutral."""
        return NOMINAL * limited((self.rpm - EXCITED) / (RATED_SPEED - EXCITED), 0.0, 1.0)

    @property
    def commanded(self) -> bool:
        """Whether it is told to run."""
        return self.wanted or self.test_left > 0.0

    @property
    def ready(self) -> bool:
        """Whether its voltage is good for long enough to take the load."""
        return self._steady >= STEADY

    def reset(self) -> None:
        """Somebody has looked after it: it may try again."""
        self.failed, self._tried = False, 0.0

    def step(self, dt: float) -> None:
        """One short step: starting, stopping and running up, then what drifts."""
        self._start(dt)
        if self.running:
            self._cool = 0.0 if self.commanded else self._cool + dt
            self.running = self._cool < COOL_DOWN
        target = RATED_SPEED if self.running else CRANK_SPEED if self.cranking else 0.0
        self.rpm = lag(self.rpm, target, dt, 2.0)
        self._steady = self._steady + dt if self.volts > 0.9 * NOMINAL else 0.0
        self.drift(dt)

    def drift(self, dt: float) -> None:
        """One step of any length: hours, fuel, battery and coolant; it stops when the tank is empty."""
        if self.running:
            runs = dt if self.wanted else min(dt, self.test_left + COOL_DOWN)
            ran = min(runs, self.fuel / CONSUMPTION)
            self.seconds += ran
            self.fuel = max(0.0, self.fuel - ran * CONSUMPTION)
            self.running = self.fuel > 0.0 and runs >= dt
        self.test_left = max(0.0, self.test_left - dt)
        self.battery = lag(self.battery, 19.0 if self.cranking else 27.6 if self.running else 26.0, dt, 0.6)
        self.coolant = lag(self.coolant, 78.0 if self.running else 42.0, dt, 240.0)

    def _start(self, dt: float) -> None:
        """The starter: so many seconds on and off, until the engine fires or the attempts are used up."""
        self.cranking = False
        if self.running or not self.commanded:
            self._tried = 0.0
            return
        if self.failed:
            return
        attempt, place = divmod(self._tried, CRANK + REST)
        self._tried += dt
        self.failed = attempt >= ATTEMPTS - 1 and place >= CRANK
        self.cranking = place < CRANK and not self.failed
        if self.cranking and place >= FIRES_AFTER and not self.blocked and self.fuel > 0.0:
            self.running, self.cranking = True, False
            self.starts += 1
