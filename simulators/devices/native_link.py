"""What lies between a device on the broker and the broker: a connection that can be lost, be deaf, garble and repeat.

Time is an argument, in seconds of the models' time. Nothing is sent here: messages go in, and come out as they arrive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from facility.bus import Message

FAULTS = frozenset({"link_lost", "silent", "garbled", "repeats", "late"})
"""The faults of a link, named as in `simulators/faults/mqtt_device.yaml`."""


class NativeLink:
    """The link of one device. Without a fault what goes in comes out."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._on: dict[str, Mapping[str, float]] = {}
        self._held: deque[tuple[float, Message]] = deque()

    @property
    def is_up(self) -> bool:
        """Whether the broker has the device."""
        return "link_lost" not in self._on

    @property
    def speaks(self) -> bool:
        """Whether the device is there and says something."""
        return self.is_up and "silent" not in self._on

    def begin(self, fault: str, params: Mapping[str, float]) -> None:
        """A fault begins; `params` are complete."""
        self._on[fault] = params
        if not self.speaks:
            self._held.clear()

    def end(self, fault: str) -> None:
        """A fault ends; nothing if it is not on."""
        self._on.pop(fault, None)

    def step(self, dt: float) -> list[Message]:
        """Go on by `dt` seconds; the messages whose delay is over."""
        self._seconds += dt
        delay = self._on.get("late", {}).get("seconds", 0.0)
        arrived = []
        while self._held and self._held[0][0] + delay <= self._seconds + 1e-9:
            arrived.append(self._held.popleft()[1])
        return arrived

    def carry(self, messages: Iterable[Message]) -> list[Message]:
        """What comes out now of what the device says now."""
        if not self.speaks:
            return []
        found = [_garbled(message) if "garbled" in self._on else message for message in messages]
        if "repeats" in self._on:
            found = [message for message in found for _ in range(2)]
        if "late" in self._on:
            self._held.extend((self._seconds, message) for message in found)
            return []
        return found


def _garbled(message: Message) -> Message:
    """A payload that breaks off in the middle with a byte that no text has: neither JSON nor anything else."""
    return Message(message.topic, message.payload[: len(message.payload) // 2] + b"\xff", message.retain)
