"""What every device that speaks MQTT itself can do: say what it publishes and answers; the sending is the service's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from facility.bus import Message
from facility.readings import Value

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


def message_of(topic: str, payload: object, *, retain: bool = False) -> Message:
    """A message whose payload is JSON."""
    return Message(topic, json.dumps(payload, separators=(",", ":")).encode(), retain)


def rounded(value: Value, digits: int, *, scale: float = 1) -> float | None:
    """A value times `scale` with so many digits (a whole number for none); None for a text or no value.

    A device tells that as null, never as 0.
    """
    return round(float(value) * scale, digits or None) if isinstance(value, int | float) else None


def object_of(payload: bytes) -> dict[str, object]:
    """A JSON object, or an empty one for anything else: a device does not answer what it can't read."""
    if len(payload) > MAX_REQUEST:
        return {}
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
