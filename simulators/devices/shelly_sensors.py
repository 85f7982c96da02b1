"""Small Shellies: a relay with a meter (1PM), a leak sensor (Flood), a smoke detector (Plus Smoke).

Each is a few components with a status; it speaks when one of them changes by more than its threshold, and says then
the change as a delta and the whole status of that component. One on a battery also wakes once a day to say all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facility.bus import Message
from facility.readings import Value
from simulators.devices.gen2 import answer, delta, full, online, whole
from simulators.devices.native import rounded

Values = Mapping[str, Value]
Rename = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Component:
    """`name` such as `switch:0`, the `method` that asks for it, and what it shows of an asset's values.

    `steps`: member -> by how much it must change to be told; any other member is told at every change.
    """

    name: str
    method: str
    status: Callable[[Values, Rename], dict[str, object]]
    steps: Mapping[str, float]


def _of(values: Values, rename: Rename, key: str) -> Value:
    """The value that the asset keeps under the device's `key`, or under the name that devices.yaml gives it."""
    return values.get(rename.get(key, key))


def _switch(values: Values, rename: Rename) -> dict[str, object]:
    """W, V, A, Wh, Cel and Fahrenheit."""
    warm = rounded(_of(values, rename, "circuit[1].relay_temp"), 1)
    return {
        "source": "init",
        "output": bool(_of(values, rename, "circuit[1].on")),
        "apower": rounded(_of(values, rename, "circuit[1].power"), 1, scale=1000),
        "voltage": rounded(_of(values, rename, "circuit[1].voltage"), 1),
        "current": rounded(_of(values, rename, "circuit[1].current"), 3),
        "aenergy": {"total": rounded(_of(values, rename, "circuit[1].energy"), 1, scale=1000)},
        "temperature": {"tC": warm, "tF": None if warm is None else round(warm * 1.8 + 32, 1)},
    }


def _alarm(key: str) -> Callable[[Values, Rename], dict[str, object]]:
    def status(values: Values, rename: Rename) -> dict[str, object]:
        return {"alarm": bool(_of(values, rename, key)), "mute": False}

    return status


def _battery(values: Values, rename: Rename) -> dict[str, object]:
    volts = rounded(_of(values, rename, "sensor[1].voltage"), 2, scale=0.001)
    percent = rounded(_of(values, rename, "sensor[1].battery"), 0)
    return {"battery": {"V": volts, "percent": percent}, "external": {"present": False}}


RELAY_STEPS = {"apower": 10.0, "voltage": 3.0, "current": 0.2, "aenergy": 50.0, "temperature": 1.0}
"""W, V, A, Wh, K."""
RELAY = (Component("switch:0", "Switch.GetStatus", _switch, RELAY_STEPS),)
BATTERY = Component("devicepower:0", "DevicePower.GetStatus", _battery, {"battery": 1.0})
FLOOD = (Component("flood:0", "Flood.GetStatus", _alarm("leak[1].water"), {}), BATTERY)
SMOKE = (Component("smoke:0", "Smoke.GetStatus", _alarm("smoke[1].alarm"), {}), BATTERY)


class ShellySensor:
    """A Shelly of some components. `rename`: the device's key -> the asset's, as devices.yaml has it."""

    def __init__(self, prefix: str, components: tuple[Component, ...], rename: Rename) -> None:
        self.prefix = prefix
        self.topics: tuple[str, ...] = (f"{prefix}/rpc",)
        self._components, self._rename = components, rename
        self._last: dict[str, dict[str, object]] = {}
        self._woke = 0.0
        self._up = True

    WAKES = 86_400.0
    """Seconds between two words of a device on a battery at most."""

    def hello(self, values: Values, seconds: float) -> list[Message]:
        """Online, and the whole of every component; the last will of one that is lost."""
        self._up, self._woke = self._there(values), seconds
        if not self._up:
            return self.bye()
        self._last = {item.name: item.status(values, self._rename) for item in self._components}
        return [
            online(self.prefix, True),
            *(whole(self.prefix, component, status) for component, status in self._last.items()),
        ]

    def update(self, values: Values, seconds: float) -> list[Message]:
        """The delta and the whole of each component that changed enough; of one that is lost, the last will."""
        if self._there(values) is not self._up:
            return self.hello(values, seconds)
        if not self._up:
            return []
        messages: list[Message] = []
        for item in self._components:
            now, last = item.status(values, self._rename), self._last.setdefault(item.name, {})
            changed = {key: value for key, value in now.items() if _differs(last.get(key), value, item.steps.get(key))}
            if changed:
                last.update(changed)
                messages.append(delta(self.prefix, item.name, changed, seconds))
                messages.append(whole(self.prefix, item.name, now))
        if BATTERY in self._components and seconds - self._woke >= self.WAKES:
            self._woke = seconds
            messages.append(full(self.prefix, self._last, seconds))
        return messages

    def asked(self, request: Message, values: Values, seconds: float) -> list[Message]:  # noqa: ARG002
        """GetStatus of its components; anything else is refused, as nothing here may be commanded."""
        if not self._there(values):
            return []
        known = {item.method: item.status(values, self._rename) for item in self._components}
        return answer(self.prefix, request, known)

    def bye(self) -> list[Message]:
        """The last will."""
        return [online(self.prefix, False)]

    def _there(self, values: Values) -> bool:
        """A battery device that is lost has no battery to tell of."""
        return BATTERY not in self._components or _of(values, self._rename, "sensor[1].battery") is not None


def _differs(before: object, now: object, step: float | None) -> bool:
    """Whether a member has changed by its step; of an object, whether any of its members has."""
    if isinstance(now, dict):
        known: Mapping[str, object] = before if isinstance(before, dict) else {}
        return any(_differs(known.get(key), value, step) for key, value in now.items())
    number = isinstance(now, int | float) and not isinstance(now, bool)
    if step is None or not number or not isinstance(before, int | float):
        return before != now
    return abs(float(now) - float(before)) >= step if isinstance(now, int | float) else True
