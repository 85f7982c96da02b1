"""The MQTT gateway of one UHPPOTE controller, as uhppoted-mqtt speaks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from facility.bus import Message
from facility.readings import Value
from simulators.devices.native import message_of, object_of
from simulators.models.passage.access_control import Event

REASONS = {
    1: "swipe", 6: "no access rights", 13: "not in allowed time period", 18: "access denied",
    20: "push button ok", 23: "door opened", 24: "door closed", 37: "door open too long", 38: "forced open", 39: "fire",
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
            messages.append(message_of("uhppoted/gateway/events", frame))
            messages.append(message_of("uhppoted/gateway/events/live", frame))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:
        """get-status of this controller to the topic that the request names."""
        envelope = object_of(request.payload).get("message")
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
        return [message_of(reply_to, {"message": {"reply": reply}})]

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
