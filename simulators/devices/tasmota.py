"""A Tasmota relay with a power meter: LWT, `tele` every five minutes, `stat` when it switches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from facility.bus import Message
from facility.readings import Value
from simulators.devices.native import message_of, rounded

PERIOD = 300.0
"""TelePeriod, seconds."""


class TasmotaSwitch:
    """One relay. `rename`: the device's key -> the asset's, as devices.yaml has it; it obeys nothing."""

    topics: tuple[str, ...] = ()

    def __init__(self, topic: str, rename: Mapping[str, str], zone: str) -> None:
        self._topic, self._rename, self._zone = topic, rename, ZoneInfo(zone)
        self._booted = self._told = 0.0
        self._on = False

    def hello(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """Online, retained, and the first telemetry."""
        self._booted, self._told, self._on = seconds, seconds, bool(self._of(values, "on"))
        return [Message(f"tele/{self._topic}/LWT", b"Online", retain=True), *self._telemetry(values, seconds)]

    def update(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """The result of a switch at once, telemetry when its period is over."""
        messages: list[Message] = []
        on = bool(self._of(values, "on"))
        if on is not self._on:
            self._on = on
            messages.append(message_of(f"stat/{self._topic}/RESULT", {"POWER": _word(on)}))
            messages.append(Message(f"stat/{self._topic}/POWER", _word(on).encode()))
        if seconds - self._told >= PERIOD:
            self._told = seconds
            messages += self._telemetry(values, seconds)
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Nothing."""
        return []

    def bye(self) -> list[Message]:
        """The last will."""
        return [Message(f"tele/{self._topic}/LWT", b"Offline", retain=True)]

    def _of(self, values: Mapping[str, Value], name: str) -> Value:
        key = f"circuit[1].{name}"
        return values.get(self._rename.get(key, key))

    def _telemetry(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """STATE, and SENSOR in kWh, W, V, A. `Time` is local and has no offset, as the default setting has it."""
        time = datetime.fromtimestamp(seconds, UTC).astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S")
        up = int(seconds - self._booted)
        state = {"Time": time, "UptimeSec": up, "POWER": _word(bool(self._of(values, "on")))}
        energy = {
            "Total": rounded(self._of(values, "energy"), 3),
            "Power": rounded(self._of(values, "power"), 0, scale=1000),
            "Voltage": rounded(self._of(values, "voltage"), 0),
            "Current": rounded(self._of(values, "current"), 3),
        }
        return [
            message_of(f"tele/{self._topic}/STATE", state),
            message_of(f"tele/{self._topic}/SENSOR", {"Time": time, "ENERGY": energy}),
        ]


def _word(on: bool) -> str:
    return "ON" if on else "OFF"
