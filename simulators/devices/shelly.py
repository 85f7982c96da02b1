"""A Shelly Pro 3EM: whole status on `status/em:0`, deltas on `events/rpc`, answers to GetStatus."""

from __future__ import annotations

from collections.abc import Mapping

from facility.bus import Message
from facility.readings import Value
from simulators.devices.native import message_of, object_of, rounded

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
            Message(f"{self.prefix}/online", b"true", retain=True),
            message_of(f"{self.prefix}/status/em:0", {"id": 0, **self._last}),
            message_of(f"{self.prefix}/status/emdata:0", {"id": 0, **_emdata(values)}),
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
            messages.append(self._notify("em:0", changed, seconds))
            messages.append(message_of(f"{self.prefix}/status/em:0", {"id": 0, **now}))
        if seconds - self._counted >= self.EVERY:
            self._counted = seconds
            counters = _emdata(values)
            messages.append(self._notify("emdata:0", counters, seconds))
            messages.append(message_of(f"{self.prefix}/status/emdata:0", {"id": 0, **counters}))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """EM.GetStatus and EMData.GetStatus; anything else is refused, as nothing here may be commanded."""
        asked = object_of(request.payload)
        source, method = asked.get("src"), asked.get("method")
        if not isinstance(source, str) or not source:
            return []
        frame: dict[str, object] = {"id": asked.get("id"), "src": self.prefix, "dst": source}
        if method == "EM.GetStatus":
            frame["result"] = {"id": 0, **_em(values)}
        elif method == "EMData.GetStatus":
            frame["result"] = {"id": 0, **_emdata(values)}
        else:
            frame["error"] = {"code": 404, "message": f"No handler for {method}"}
        return [message_of(f"{source}/rpc", frame)]

    def bye(self) -> list[Message]:
        """The last will."""
        return [Message(f"{self.prefix}/online", b"false", retain=True)]

    def _notify(self, component: str, changed: Mapping[str, float | None], seconds: float) -> Message:
        params = {"ts": round(seconds, 2), component: {"id": 0, **changed}}
        frame = {"src": self.prefix, "dst": f"{self.prefix}/events", "method": "NotifyStatus", "params": params}
        return message_of(f"{self.prefix}/events/rpc", frame)

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
