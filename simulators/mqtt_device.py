"""Devices that speak MQTT themselves: what they publish and what they answer; the sending is the service's."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from facility.bus import Message
from facility.readings import Value
from simulators.access_control import Event

MAX_REQUEST = 16_384
"""Bytes of a request that are looked at."""


class NativeDevice(Protocol):
    """A device on the broker. Every method returns messages to be published, in order.

    `topics` are what it listens to; `seconds` is wall-clock time since 1970.
    """

    topics: tuple[str, ...]

    def hello(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """What it says when it connects."""
        ...

    def update(self, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """What it says because something changed."""
        ...

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """What it answers to a request."""
        ...

    def bye(self) -> list[Message]:
        """What it, or the broker for it, says when it goes."""
        ...


def _message(topic: str, payload: object, *, retain: bool = False) -> Message:
    return Message(topic, json.dumps(payload, separators=(",", ":")).encode(), retain)


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


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
            _message(f"{self.prefix}/status/em:0", {"id": 0, **self._last}),
            _message(f"{self.prefix}/status/emdata:0", {"id": 0, **_emdata(values)}),
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
            messages.append(_message(f"{self.prefix}/status/em:0", {"id": 0, **now}))
        if seconds - self._counted >= self.EVERY:
            self._counted = seconds
            counters = _emdata(values)
            messages.append(self._notify("emdata:0", counters, seconds))
            messages.append(_message(f"{self.prefix}/status/emdata:0", {"id": 0, **counters}))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """EM.GetStatus and EMData.GetStatus; anything else is refused, as nothing here may be commanded."""
        asked = _object(request.payload)
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
        return [_message(f"{source}/rpc", frame)]

    def bye(self) -> list[Message]:
        """The last will."""
        return [Message(f"{self.prefix}/online", b"false", retain=True)]

    def _notify(self, component: str, changed: Mapping[str, float | None], seconds: float) -> Message:
        params = {"ts": round(seconds, 2), component: {"id": 0, **changed}}
        frame = {"src": self.prefix, "dst": f"{self.prefix}/events", "method": "NotifyStatus", "params": params}
        return _message(f"{self.prefix}/events/rpc", frame)

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
    for letter, phase in zip("abc", ("l1", "l2", "l3"), strict=True):
        found[f"{letter}_current"] = round(_number(values[f"i.{phase}"]), 3)
        found[f"{letter}_voltage"] = round(_number(values[f"u.{phase}n"]), 1)
        found[f"{letter}_act_power"] = round(_number(values[f"p.{phase}"]) * 1000, 1)
        found[f"{letter}_aprt_power"] = round(_number(values[f"s.{phase}"]) * 1000, 1)
        found[f"{letter}_pf"] = round(_number(values[f"pf.{phase}"]), 2)
        found[f"{letter}_freq"] = round(_number(values["f"]), 1)
    found["n_current"] = None
    found["total_current"] = round(sum(_number(values[f"i.{phase}"]) for phase in ("l1", "l2", "l3")), 3)
    found["total_act_power"] = round(_number(values["p.total"]) * 1000, 3)
    found["total_aprt_power"] = round(_number(values["s.total"]) * 1000, 3)
    return found


def _emdata(values: Mapping[str, Value]) -> dict[str, float | None]:
    """The component emdata:0 in Wh."""
    found: dict[str, float | None] = {}
    for letter, phase in zip("abc", ("l1", "l2", "l3"), strict=True):
        found[f"{letter}_total_act_energy"] = round(_number(values[f"e.import.{phase}"]) * 1000, 2)
        found[f"{letter}_total_act_ret_energy"] = round(_number(values[f"e.export.{phase}"]) * 1000, 2)
    found["total_act"] = round(_number(values["e.import"]) * 1000, 2)
    found["total_act_ret"] = round(_number(values["e.export"]) * 1000, 2)
    return found


def _object(payload: bytes) -> dict[str, object]:
    """A JSON object, or an empty one for anything else: a device does not answer what it can't read."""
    if len(payload) > MAX_REQUEST:
        return {}
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


REASONS = {
    1: "swipe", 6: "no access rights", 13: "not in allowed time period", 20: "push button ok", 23: "door opened",
    24: "door closed", 37: "door open too long", 38: "forced open", 39: "fire",
}  # fmt: skip


class Uhppoted:
    """The MQTT gateway of one UHPPOTE controller: events as they come, get-status when it is asked.

    `events` is the controller's own log (newest last); `zone` gives its timestamps their abbreviation.
    """

    REQUEST = "uhppoted/gateway/requests/device/status:get"

    def __init__(self, device: int, events: deque[Event], zone: str = "Asia/Shanghai") -> None:
        self.device = device
        self.topics: tuple[str, ...] = (self.REQUEST,)
        self._events = events
        self._zone = ZoneInfo(zone)
        self._sent = events[-1].index if events else 0

    def hello(self, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Nothing: the gateway waits to be asked."""
        return []

    def update(self, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Every event since the last call, on both feeds."""
        fresh = [event for event in self._events if event.index > self._sent]
        messages: list[Message] = []
        for event in fresh:
            self._sent = event.index
            frame = {"message": {"event": {"device-id": self.device, **self._event(event)}}}
            messages.append(_message("uhppoted/gateway/events", frame))
            messages.append(_message("uhppoted/gateway/events/live", frame))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """get-status of this controller to the topic that the request names."""
        envelope = _object(request.payload).get("message")
        asked = envelope.get("request") if isinstance(envelope, dict) else None
        if not isinstance(asked, dict) or asked.get("device-id") != self.device:
            return []
        reply_to = asked.get("reply-to")
        if not isinstance(reply_to, str) or not reply_to:
            return []
        reply: dict[str, object] = {
            "server-id": "uhppoted",
            "method": "get-status",
            "response": {"device-id": self.device, "status": self._status(values, seconds)},
        }
        for key in ("request-id", "client-id"):
            if key in asked:
                reply[key] = asked[key]
        return [_message(reply_to, {"message": {"reply": reply}})]

    def bye(self) -> list[Message]:
        """Nothing: it has no last will."""
        return []

    def _status(self, values: Mapping[str, Value], seconds: float) -> dict[str, object]:
        doors = [number for number in range(1, 5) if f"door[{number}].contact" in values]
        relays = sum(1 << number - 1 for number in doors if values[f"door[{number}].lock"])
        last = self._events[-1] if self._events else None
        status: dict[str, object] = {
            "door-states": _states(doors, values, "contact"),
            "door-buttons": _states(doors, values, "rex"),
            "input-state": 1 if values.get("ctl.fire_input") else 0,
            "relay-state": relays,
            "sequence-id": 0,
            "special-info": 0,
            "system-datetime": self._time(seconds),
            "system-error": values.get("ctl.error", 0),
        }
        if last:
            status["event"] = self._event(last)
        return status

    def _event(self, event: Event) -> dict[str, object]:
        kind, text = (1, "swipe") if event.card else (2, "door")
        if event.reason in (37, 38, 39):
            kind, text = 3, "alarm"
        return {
            "access-granted": event.granted,
            "card-number": event.card,
            "direction": 1,
            "direction-text": "in",
            "door-id": event.door,
            "event-id": event.index,
            "event-reason": event.reason,
            "event-reason-text": REASONS.get(event.reason, ""),
            "event-type": kind,
            "event-type-text": text,
            "timestamp": self._time(event.epoch),
        }

    def _time(self, seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _states(doors: Iterable[int], values: Mapping[str, Value], name: str) -> dict[str, bool]:
    return {str(number): bool(values[f"door[{number}].{name}"]) for number in doors}
