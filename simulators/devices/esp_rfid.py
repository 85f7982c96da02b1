"""An esp-rfid board at one door: heartbeats, who wanted in, and what the door did, all on `<topic>/send`."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from facility.bus import Message
from facility.readings import Value
from simulators.devices.native import message_of
from simulators.models.passage.access_control import (
    CLOSED,
    FORCED,
    NO_RIGHTS,
    OPENED,
    OUTSIDE_TIME,
    SWIPE,
    TOO_LONG,
    Event,
)

EVERY = 180.0
"""Seconds between heartbeats."""
DOOR = 1
"""The door of the controller that the board stands for."""

ACCESS = {SWIPE: ("true", "Always"), NO_RIGHTS: ("false", "Denied"), OUTSIDE_TIME: ("true", "Expired")}
"""Event reason -> is the card known (a string, as the board says it), and what it may."""
LOG = {
    OPENED: ("INFO", "door", "Door Open"),
    CLOSED: ("INFO", "door", "Door Closed"),
    FORCED: ("WARN", "tamper", "Door was tampered!"),
    TOO_LONG: ("WARN", "tamper", "Door wasn't closed within max open time!"),
}
"""Event reason -> type, source and words of the log message."""


class EspRfid:
    """One board. `events` is the controller's own log (newest last); it obeys nothing, so it listens to nothing."""

    topics: tuple[str, ...] = ()

    def __init__(self, topic: str, hostname: str, events: deque[Event]) -> None:
        self._topic, self._hostname, self._events = f"{topic}/send", hostname, events
        self._sent = events[-1].index if events else 0
        self._booted = self._beaten = 0.0

    def hello(self, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Boot, which tells nothing of the door."""
        self._booted = self._beaten = seconds
        return [self._alive("boot", seconds)]

    def update(self, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Every event of the door since the last call, and a heartbeat when it is due."""
        messages: list[Message] = []
        for event in self._events:
            if event.index > self._sent and event.door == DOOR:
                messages += self._told(event)
        if self._events:
            self._sent = self._events[-1].index
        if seconds - self._beaten >= EVERY:
            self._beaten = seconds
            messages.append(self._alive("heartbeat", seconds))
        return messages

    def asked(self, request: Message, values: Mapping[str, Value], seconds: float) -> list[Message]:  # noqa: ARG002
        """Nothing."""
        return []

    def bye(self) -> list[Message]:
        """Nothing: it has no last will."""
        return []

    def _alive(self, kind: str, seconds: float) -> Message:
        frame = {"type": kind, "time": int(seconds), "uptime": int(seconds - self._booted)}
        return message_of(self._topic, {**frame, "ip": "192.168.1.77", "hostname": self._hostname})

    def _told(self, event: Event) -> list[Message]:
        time = int(event.epoch)
        if event.reason in ACCESS:
            known, access = ACCESS[event.reason]
            name = f"card {event.card}" if known == "true" else "Unknown"
            frame: dict[str, object] = {"type": "access", "time": time, "isKnown": known, "access": access}
            frame.update({"username": name, "uid": f"{event.card:08x}", "hostname": self._hostname})
            return [message_of(self._topic, frame)]
        if event.reason in LOG:
            kind, source, words = LOG[event.reason]
            frame = {"type": kind, "src": source, "desc": words, "data": "", "time": time, "cmd": "event"}
            return [message_of(self._topic, {**frame, "hostname": self._hostname})]
        return []
