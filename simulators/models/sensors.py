"""What can happen to one measured point on its way to the wire: the sensor fails, the thing it measures goes on; pure.

A fault of a point lies over the value that the model has, and is gone without a trace when it ends. Several may lie
over one point; each makes its own of what the one before shows. What comes out always fits the point's register.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from random import Random

from facility.points import Point, Register
from facility.readings import Value
from simulators.models.physics import limited

Params = Mapping[str, float]
Place = tuple[str, str]
"""(asset, point)"""

APART = 5
"""Polls of a point that lie between two spikes at least, so that each is a single sample."""
SPAN = 100.0
"""Units of a range that has no bounds."""
SIX_DIGITS = 1e6
"""Where a counter rolls over whose register has room for more: the display of a meter."""
NEAR = 10.0
"""Units before its end from which a counter runs up to its roll-over."""
UNDER, OVER = 2.5, 6.25
"""Per cent of the span below and above a 4-20 mA loop at which it counts as open: 3.6 and 21 mA (NAMUR NE 43)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a point can show.

    `low`..`high` is physically possible, `least`..`most` fits its register; `interval` is s between polls. `blank`:
    whether it can say that there is no value. `step` is the smallest difference that its register shows.
    """

    low: float = -inf
    high: float = inf
    least: float = -inf
    most: float = inf
    interval: float = 1.0
    blank: bool = True
    step: float = 0.0

    @property
    def span(self) -> float:
        """The width of the range."""
        return self.high - self.low if -inf < self.low and self.high < inf else SPAN

    def share(self, percent: float) -> float:
        """So many per cent of the span."""
        return percent / 100 * self.span

    @property
    def beyond(self) -> float | None:
        """What an open loop reads where that can't be said otherwise; None when only possible values can be shown."""
        under, over = self.low - max(self.share(UNDER), self.step), self.high + max(self.share(OVER), self.step)
        return under if under >= self.least else over if over <= self.most else None

    @property
    def can_be_open(self) -> bool:
        """Whether an open loop can be told from a value."""
        return self.blank or self.beyond is not None


def scale_of(point: Point, registers: Iterable[Register] = ()) -> Scale:
    """The scale of a number that is kept in these registers; in none, where it goes out as text."""
    low = -inf if point.low is None else point.low
    high = inf if point.high is None else point.high
    least, most, blank, step = -inf, inf, True, 0.0
    for register in registers:
        first, last = fitting(register)
        least, most = max(least, first), min(most, last)
        blank = blank and (bool(register.sentinels) or register.type.startswith("float"))
        step = max(step, 0.0 if register.type.startswith("float") else abs(register.scale))
    return Scale(low, high, least, most, point.interval, blank, step)


def fitting(register: Register) -> tuple[float, float]:
    """The smallest and the largest value that a register of a number can show, its sentinels left out."""
    first, last, bits = _raw_range(register)
    missing = {raw - (1 << bits) if first < 0 and raw > last else raw for raw in register.sentinels}
    while last in missing:
        last -= 1
    while first in missing:
        first += 1
    ends = sorted(end * register.scale + register.offset for end in (first, last))
    return ends[0], ends[1]


def _raw_range(register: Register) -> tuple[float, float, int]:
    """The first and the last raw number, and how many bits it has."""
    kind, bits = register.type, register.words * 16
    if kind == "float16":
        return -65_504.0, 65_504.0, bits
    if kind.startswith("float"):
        return -inf, inf, bits
    if kind.startswith("bcd"):
        return 0, 10 ** (bits // 4) - 1, bits
    if kind in ("bit", "bits"):
        bits = register.bits[1] - register.bits[0] + 1
    elif kind.endswith("int8"):
        bits = 8
    if kind.startswith("int"):
        return -(1 << bits - 1), (1 << bits - 1) - 1, bits
    return 0, (1 << bits) - 1, bits


class Disturbance:
    """One fault of one point. `first` is what was shown when it began, `params` are complete, `age` is in s."""

    def __init__(self, first: Value, params: Params, scale: Scale, random: Random) -> None:
        self.first, self.params, self.scale, self.random = first, params, scale, random
        self.age = 0.0

    def step(self, dt: float) -> None:
        """Grow older by `dt` seconds."""
        self.age += dt

    def show(self, value: float) -> Value:
        """What is shown instead of a value that there is."""
        raise NotImplementedError


class Stuck(Disturbance):
    """X01: the value of the first moment, for ever."""

    def show(self, value: float) -> Value:  # noqa: ARG002
        """The first value."""
        return self.first


class Flatline(Disturbance):
    """X01: a dead signal: `level` per cent of the span, plausible and without a trace of noise."""

    def show(self, value: float) -> Value:
        """The same level always."""
        bottom = self.scale.low if self.scale.low > -inf else value
        return bottom + self.scale.share(self.params["level"])


class Spike(Disturbance):
    """X05: every `every` s the value jumps by `size` per cent of the span for one poll, towards the farther end.

    So a spike of up to 50 per cent stays inside the range, and one of more than 100 leaves it.
    """

    def show(self, value: float) -> Value:
        """The jump while it lasts."""
        every = max(self.params["every"], APART * self.scale.interval)
        if self.age % every >= self.scale.interval:
            return value
        size = self.scale.share(self.params["size"])
        return value - size if value > self.scale.low + self.scale.span / 2 else value + size


class Chatter(Disturbance):
    """X04: a contact that opens and closes once in `period` s."""

    def show(self, value: float) -> Value:
        """The contrary for half of each period."""
        return bool(value) is not (self.age % self.params["period"] < self.params["period"] / 2)


class CounterReset(Disturbance):
    """X06: the counter began anew at 0."""

    def show(self, value: float) -> Value:
        """What was counted since."""
        return value - _number(self.first)


class CounterRollover(Disturbance):
    """X06: the counter stands just before its end, rolls over within `seconds` and counts on from 0.

    Its end is that of its register or of its range; where those leave more room, that of a meter's display.
    """

    def show(self, value: float) -> Value:
        """The last units before the end, then what was counted since."""
        top = min(self.scale.high, self.scale.most)
        display = SIX_DIGITS
        while display <= _number(self.first):
            display *= 10
        if top == inf:
            top = display - 1
        near = min(NEAR, top / 2)
        run = near * min(1.0, self.age / self.params["seconds"])
        shown = (top - near + 1 + run + value - _number(self.first)) % (top + 1)
        return int(shown) if isinstance(value, int) else shown


class Drift(Disturbance):
    """The sensor moves away in a straight line, by `offset` per cent of the span in `seconds`, and stays there."""

    def show(self, value: float) -> Value:
        """The value and how far it has moved."""
        offset = self.scale.share(self.params["offset"]) * min(1.0, self.age / self.params["seconds"])
        return limited(value + offset, self.scale.low, self.scale.high)


class Noise(Disturbance):
    """White noise of `sigma` per cent of the span."""

    def __init__(self, first: Value, params: Params, scale: Scale, random: Random) -> None:
        super().__init__(first, params, scale, random)
        self.step(0.0)

    def step(self, dt: float) -> None:
        """The next error."""
        super().step(dt)
        self._error = self.random.gauss(0.0, self.scale.share(self.params["sigma"]))

    def show(self, value: float) -> Value:
        """The value with the error of this moment."""
        return limited(value + self._error, self.scale.low, self.scale.high)


class OpenLoop(Disturbance):
    """X09: the loop is open: no value, which is not 0. A register without a sentinel reads under or over its range."""

    def show(self, value: float) -> Value:  # noqa: ARG002
        """Nothing, or nothing that can be."""
        return None if self.scale.blank else self.scale.beyond


DISTURBANCES: Mapping[str, type[Disturbance]] = {
    "stuck": Stuck,
    "stuck_contact": Stuck,
    "flatline": Flatline,
    "spike": Spike,
    "chatter": Chatter,
    "counter_reset": CounterReset,
    "counter_rollover": CounterRollover,
    "drift": Drift,
    "noise": Noise,
    "open_loop": OpenLoop,
}
"""The faults of points by name, as in `simulators/faults/point.yaml`."""


class Sensors:
    """The faults that lie over the points of a building. `scales`: what each point can show, where that is bounded."""

    def __init__(self, scales: Mapping[Place, Scale]) -> None:
        self._scales = scales
        self._on: dict[Place, dict[str, Disturbance]] = {}

    def begin(self, place: Place, fault: str, params: Params, *, shown: Value, random: Random) -> None:
        """A fault begins, or its course begins anew. `shown`: the value now, under the faults that are on already."""
        scale = self._scales.get(place, Scale())
        on = self._on.setdefault(place, {})
        on.pop(fault, None)
        on[fault] = DISTURBANCES[fault](shown, params, scale, random)

    def end(self, place: Place, fault: str) -> None:
        """A fault ends; nothing if it is not on."""
        on = self._on.get(place, {})
        on.pop(fault, None)
        if not on:
            self._on.pop(place, None)

    def step(self, dt: float) -> None:
        """Go on by `dt` seconds."""
        for on in self._on.values():
            for disturbance in on.values():
                disturbance.step(dt)

    def show(self, asset: str, values: dict[str, Value]) -> dict[str, Value]:
        """An asset's values with the faults laid over them; what has no value keeps none."""
        for (whose, point), on in self._on.items():
            if whose == asset:
                values = {**values, point: self._shown((asset, point), on, values.get(point))}
        return values

    def _shown(self, place: Place, on: Mapping[str, Disturbance], value: Value) -> Value:
        for disturbance in on.values():
            if isinstance(value, int | float):
                value = disturbance.show(value)
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            scale = self._scales.get(place, Scale())
            value = limited(value, scale.least, scale.most)
        return value


def _number(value: Value) -> float:
    return value if isinstance(value, int | float) else 0.0
