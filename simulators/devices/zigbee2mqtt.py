"""Battery sensors behind Zigbee2MQTT: the state as JSON when something happens and about once an hour, and otherwise
silence; availability and the bridge's own state are retained.
"""

from __future__ import annotations

from collections.abc import Mapping

from facility.bus import Message
from facility.readings import Value
from simulators.devices.native import message_of, rounded

HOUR = 3600.0
"""Seconds until a sensor speaks though nothing has changed."""
GIVEN_UP = 25 * 3600.0
"""Seconds of silence after which Zigbee2MQTT calls a battery device offline."""

EXPOSES: Mapping[str, Mapping[str, str]] = {
    "contact": {
        "battery": "sensor[1].battery", "contact": "door[1].contact", "voltage": "sensor[1].voltage",
        "temperature": "sensor[1].temp", "linkquality": "sensor[1].link_quality",
    },
    "leak": {
        "battery": "sensor[1].battery", "battery_low": "sensor[1].battery_low", "water_leak": "leak[1].water",
        "voltage": "sensor[1].voltage", "temperature": "sensor[1].temp", "linkquality": "sensor[1].link_quality",
    },
    "smoke": {
        "battery": "sensor[1].battery", "smoke": "smoke[1].alarm", "linkquality": "sensor[1].link_quality",
    },
    "climate": {
        "temperature": "air.temp", "humidity": "air.humidity", "battery": "sensor[1].battery",
        "voltage": "sensor[1].voltage", "linkquality": "sensor[1].link_quality",
    },
}  # fmt: skip
"""Kind of sensor -> member of its payload -> the point that it shows, in the order of the payload."""

AT_ONCE = frozenset({"contact", "water_leak", "smoke"})
"""Members that are told as soon as they change."""
STEPS = {"humidity": 5.0}
"""By how much a measurement must change to be told before the hour is over."""
CLIMATE_TEMPERATURE_STEP = 0.5


class ZigbeeSensor:
    """One battery sensor of a `kind` in EXPOSES. `rename`: the device's key -> the asset's, as devices.yaml has it."""

    topics: tuple[str, ...] = ()
    """It sleeps and hears nothing."""

    def __init__(self, base: str, name: str, kind: str, rename: Mapping[str, str]) -> None:
        self._bridge, self._topic = f"{base}/bridge/state", f"{base}/{name}"
        self._keys = {member: rename.get(key, key) for member, key in EXPOSES[kind].items()}
        self._bridge_key = rename.get("sensor[1].bridge", "sensor[1].bridge")
        self._steps = {**STEPS, "temperature": CLIMATE_TEMPERATURE_STEP} if kind == "climate" else STEPS
        self._last: dict[str, object] = {}
        self._heard = 0.0
        self._up = self._known = True

    def hello(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """Bridge and availability, retained, and the state that the bridge remembers."""
        self._up, self._known = bool(values.get(self._bridge_key, True)), True
        messages = [_state(self._bridge, self._up)]
        if self._up and self._alive(values):
            messages += [_state(f"{self._topic}/availability", True), self._speak(values, seconds)]
        return messages

    def update(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """The bridge's state when it changes; the sensor's when something happened or an hour is over."""
        messages: list[Message] = []
        up = bool(values.get(self._bridge_key, True))
        if up is not self._up:
            self._up = up
            messages.append(_state(self._bridge, up))
        if not up:
            return messages
        if not self._alive(values):
            if self._known and seconds - self._heard >= GIVEN_UP:
                self._known = False
                messages.append(_state(f"{self._topic}/availability", False))
            return messages
        if not self._known:
            self._known = True
            messages.append(_state(f"{self._topic}/availability", True))
        if seconds - self._heard >= HOUR or self._happened(self._payload(values)):
            messages.append(self._speak(values, seconds))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Nothing: it sleeps."""
        return []

    def bye(self) -> list[Message]:
        """The bridge's last will; its devices' availability stays as it was."""
        return [_state(self._bridge, False)]

    def _alive(self, values: Mapping[str, Value]) -> bool:
        """A sensor that is lost has no battery to tell of."""
        return values.get(self._keys["battery"]) is not None

    def _speak(self, values: Mapping[str, Value], seconds: float) -> Message:
        self._last, self._heard = self._payload(values), seconds
        return message_of(self._topic, self._last)

    def _happened(self, now: Mapping[str, object]) -> bool:
        for member, value in now.items():
            before = self._last.get(member)
            if member in AT_ONCE and value is not before:
                return True
            step = self._steps.get(member)
            if step and isinstance(value, int | float) and abs(value - _number(before)) >= step:
                return True
        return False

    def _payload(self, values: Mapping[str, Value]) -> dict[str, object]:
        return {member: _shown(member, values.get(key)) for member, key in self._keys.items()}


def _number(shown: object) -> float:
    return float(shown) if isinstance(shown, int | float) else 0.0


def _state(topic: str, up: bool) -> Message:
    return message_of(topic, {"state": "online" if up else "offline"}, retain=True)


def _shown(member: str, value: Value) -> object:
    """A point as the payload has it; `contact` is true when the door is closed."""
    if member == "contact":
        return not value
    if isinstance(value, bool):
        return value
    return rounded(value, 2 if member in ("temperature", "humidity") else 0)
