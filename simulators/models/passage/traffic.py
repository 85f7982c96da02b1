"""When people come, over the hours of a working day; pure. Lifts and doors share it."""

from __future__ import annotations

import math
from itertools import accumulate
from random import Random

from simulators.models.physics import limited

SHARES = (
    0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.3, 1.4, 2.9, 1.6, 1.1, 1.5,
    2.6, 1.6, 1.1, 0.9, 1.1, 2.0, 2.6, 1.3, 0.8, 0.5, 0.3, 0.1,
)  # fmt: skip
"""The traffic of each hour against the mean of the day: people come at eight, eat at twelve, and go at six."""

_UNTIL = tuple(accumulate(SHARES, initial=0.0))
BULK = 50
"""Up to so many things each is drawn by itself, above it they are drawn together."""


def passed(hour: float, seconds: float) -> float:
    """The traffic of the last `seconds` before `hour`, as the seconds that it takes at the mean of the day."""
    return (_until(hour) - _until(hour - seconds / 3600)) * 3600


def some(random: Random, count: int, chance: float) -> int:
    """How many of `count` things come true that each have this chance."""
    if count <= BULK:
        return sum(random.random() < chance for _ in range(count))
    spread = math.sqrt(count * chance * (1.0 - chance))
    return int(limited(round(random.gauss(count * chance, spread)), 0, count))


class Arrivals:
    """Who comes next: one every `mean` seconds on average over a day, each independent of the last."""

    def __init__(self, random: Random, mean: float) -> None:
        self._random = random
        self._mean = mean
        self._left = random.expovariate(1 / mean)

    @property
    def due(self) -> bool:
        """Whether somebody is here and waits."""
        return self._left <= 0.0

    def go(self, hour: float, seconds: float) -> None:
        """Let the `seconds` before `hour` go by; exact for any length."""
        self._left -= passed(hour, seconds)

    def take(self) -> None:
        """Serve the one who waits; the next one is on the way, or waits already."""
        self._left += self._random.expovariate(1 / self._mean)

    def take_all(self) -> int:
        """Serve all who wait; how many there were."""
        served = 0
        if -self._left > BULK * self._mean:
            served = int(-self._left / self._mean)
            self._left += served * self._mean
        while self.due:
            self.take()
            served += 1
        return served


def _until(hour: float) -> float:
    """The integral of SHARES from hour 0 on, in hours."""
    days, rest = divmod(hour, 24.0)
    whole = min(int(rest), 23)
    return days * 24.0 + _UNTIL[whole] + (rest - whole) * SHARES[whole]
