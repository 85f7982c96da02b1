"""A Shelly Pro 3EM: whole status on `status/em:0`, deltas on `events/rpc`, answers to GetStatus."""

from __future__ import annotations

from collections.abc import Mapping

from facility.bus import Message
from facility.readings import Value
from simulators.devices.gen2 import answer, delta, online, whole
from simulators.devices.native import rounded

PHASES = ("l1", "l2", "l3")


class Shelly3em:
    """A Shelly Pro 3EM: whole status on `status/em:0`, deltas on `events/rpc`, answers to GetStatus."""

    VOLTS, WATTS, AMPERES, SHARE = 2.0, 10.0, 0.3, 0.05
    """What must change before the meter speaks: V, W, A, and the share of the last power."""

    EVERY = 60.0
    """Seconds between reports of the energy counters."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.topics: tuple[str, ...] = (f"{prefix}/rpc",)
        self._last: dict[str, float | None] = {}
        self._counted = 0.0
        self._spoken = 0.0

    def hello(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """Online, and the whole of both components."""
        self._last, self._counted, self._spoken = _em(values), seconds, seconds
        return [
            online(self.prefix, True),
            whole(self.prefix, "em:0", self._last),
            whole(self.prefix, "emdata:0", _emdata(values)),
        ]

    def update(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """A delta and the whole status when something changed by more than its threshold; counters once a minute."""
        now = _em(values)
        changed = {key: value for key, value in now.items() if self._differs(key, value)}
        messages: list[Message] = []
        sudden = any(key.endswith("_voltage") for key in changed)
        if changed and (sudden or seconds - self._spoken >= 1.0):
            self._last.update(changed)
            self._spoken = seconds
            messages.append(delta(self.prefix, "em:0", changed, seconds))
            messages.append(whole(self.prefix, "em:0", now))
        if seconds - self._counted >= self.EVERY:
            self._counted = seconds
            counters = _emdata(values)
            messages.append(delta(self.prefix, "emdata:0", counters, seconds))
            messages.append(whole(self.prefix, "emdata:0", counters))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """EM.GetStatus and EMData.GetStatus; anything else is refused, as nothing here may be commanded."""
        return answer(self.prefix, request, {"EM.GetStatus": _em(values), "EMData.GetStatus": _emdata(values)})

    def bye(self) -> list[Message]:
        """The last will."""
        return [online(self.prefix, False)]

    def _differs(self, key: str, value: float | None) -> bool:
        before = self._last.get(key)
        if value is None or before is None:
            return value != before
        if key.endswith("_voltage"):
            return abs(value - before) >= self.VOLTS
        if key.endswith("_current"):
            return abs(value - before) >= self.AMPERES
        if key.endswith("_power"):
            return abs(value - before) >= max(self.WATTS, self.SHARE * abs(before))
        return abs(value - before) >= 0.05


def _em(values: Mapping[str, Value]) -> dict[str, float | None]:
    """The component em:0 in V, A, W, V.A. The neutral has no sensor on this meter."""
    found: dict[str, float | None] = {}
    for letter, phase in zip("abc", PHASES, strict=True):
        found[f"{letter}_current"] = rounded(values[f"i.{phase}"], 3)
        found[f"{letter}_voltage"] = rounded(values[f"u.{phase}n"], 1)
        found[f"{letter}_act_power"] = rounded(values[f"p.{phase}"], 1, scale=1000)
        found[f"{letter}_aprt_power"] = rounded(values[f"s.{phase}"], 1, scale=1000)
        found[f"{letter}_pf"] = rounded(values[f"pf.{phase}"], 2)
        found[f"{letter}_freq"] = rounded(values["f"], 1)
    currents = [number for phase in PHASES if (number := rounded(values[f"i.{phase}"], 6)) is not None]
    found["n_current"] = None
    found["total_current"] = rounded(sum(currents), 3) if len(currents) == len(PHASES) else None
    found["total_act_power"] = rounded(values["p.total"], 3, scale=1000)
    found["total_aprt_power"] = rounded(values["s.total"], 3, scale=1000)
    return found


def _emdata(values: Mapping[str, Value]) -> dict[str, float | None]:
    """The component emdata:0 in Wh."""
    found: dict[str, float | None] = {}
    for letter, phase in zip("abc", PHASES, strict=True):
        found[f"{letter}_total_act_energy"] = rounded(values[f"e.import.{phase}"], 2, scale=1000)
        found[f"{letter}_total_act_ret_energy"] = rounded(values[f"e.export.{phase}"], 2, scale=1000)
    found["total_act"] = rounded(values["e.import"], 2, scale=1000)
    found["total_act_ret"] = rounded(values["e.export"], 2, scale=1000)
    return found
