"""What gateways say about themselves, as readings of their own assets, so that rules judge them like any equipment.

Pure; `now` is ms UTC by our own clock. Nothing of it is stored: a status is retained by the broker, and what follows
from it (an alarm) is in the records. When a gateway counts as offline is said in facility/presence.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from facility.presence import Presence
from facility.readings import Quality, Sample, Value
from facility.wire import Status, decode, parse_topic

SHEDDING_MS = 600_000
"""How long after the last reading was given up a gateway counts as shedding."""
MAX_TEXT = 200
"""Characters of the trouble, of the failed commands, and of the list of devices that are down."""
RELIABLE = 80
"""Per cent of its requests that a device answers at least; one that answers fewer is trouble, though it is there."""
MAX_NUMBER = 2**53

ONLINE = "gw.online"
POINTS = (
    ONLINE, "gw.storage_ok", "gw.shedding", "gw.problem", "gw.spool_used", "gw.spool_batches", "gw.shed", "gw.sent",
    "gw.devices_up", "gw.devices_failing", "gw.devices_down", "gw.down", "gw.devices_unreliable", "gw.unreliable",
    "gw.clock_offset", "gw.command_ok", "gw.command_problem",
)  # fmt: skip
"""The points of the class gateway that a status gives."""


class GatewayHealth:
    """Those gateways of a site that are assets of it. `presence` says of each whether it is there."""

    def __init__(self, site: str, presence: Mapping[str, Presence]) -> None:
        self._site = site
        self._gateways = {name: _Gateway(name, heard) for name, heard in presence.items()}

    @property
    def offline(self) -> int:
        """How many are offline now."""
        return sum(gateway.is_offline for gateway in self._gateways.values())

    def hear(self, topic: str, payload: bytes, now: int, *, retained: bool = False) -> Sample | None:
        """A status message as a sample, stamped now; None when its gateway is not of this site. DecodeError.

        A retained one was said some time ago: it counts from the instant that it names.
        """
        site, name, _ = parse_topic(topic)
        status = decode(Status, payload)
        gateway = self._gateways.get(name) if site == self._site else None
        return gateway.hear(status, now, retained=retained) if gateway else None

    def tick(self, now: int) -> list[Sample]:
        """A sample for each gateway that has just been silent for too long."""
        return [sample for gateway in self._gateways.values() if (sample := gateway.tick(now))]


class _Gateway:
    def __init__(self, name: str, presence: Presence) -> None:
        self.is_offline = False
        self._name = name
        self._presence = presence
        self._told = 0
        self._boot = ""
        self._shed = 0
        self._shed_at: int | None = None

    def hear(self, status: Status, now: int, *, retained: bool) -> Sample:
        if not self._presence.hear(status, now, retained=retained):
            return Sample(self._name, self._stamp(now), {})
        if not self._presence.is_there(now):
            return self._gone(now)
        self.is_offline = False
        self._count_shed(status, now)
        return Sample(self._name, self._stamp(now), self._values(status, now, retained=retained))

    def tick(self, now: int) -> Sample | None:
        if self.is_offline or self._presence.is_there(now):
            return None
        return self._gone(now)

    def _gone(self, now: int) -> Sample:
        """Offline; all else is unknown, so that it neither raises nor clears anything."""
        self.is_offline = True
        rest = [key for key in POINTS if key != ONLINE]
        return Sample(
            self._name, self._stamp(now), {ONLINE: False, **dict.fromkeys(rest)}, dict.fromkeys(rest, Quality.COMM)
        )

    def _stamp(self, now: int) -> int:
        """Now, or a little later: of two readings of one instant only the first would count."""
        self._told = max(now, self._told + 1)
        return self._told

    def _count_shed(self, status: Status, now: int) -> None:
        """Note when readings were given up. What a boot lost before it was heard counts when it is first heard."""
        before = self._shed if status.boot == self._boot else 0
        if status.shed > before:
            self._shed_at = now
        self._boot, self._shed = status.boot, status.shed

    def _values(self, status: Status, now: int, *, retained: bool) -> dict[str, Value]:
        states = [device.state for device in status.devices.values()]
        weak = [f"{name} {one.answered} %" for name, one in status.devices.items() if one.answered < RELIABLE]
        values: dict[str, Value] = {
            ONLINE: True,
            "gw.storage_ok": status.storage_ok,
            "gw.shedding": self._shed_at is not None and now - self._shed_at < SHEDDING_MS,
            "gw.problem": _short(status.problem),
            "gw.command_ok": not status.command_problem,
            "gw.command_problem": _short(status.command_problem),
            "gw.spool_batches": _bounded(status.spool_batches),
            "gw.shed": _bounded(status.shed),
            "gw.sent": _bounded(status.sent),
            "gw.devices_up": states.count("up"),
            "gw.devices_failing": states.count("failing"),
            "gw.devices_down": states.count("down"),
            "gw.down": _short(", ".join(name for name, device in status.devices.items() if device.state == "down")),
            "gw.devices_unreliable": len(weak),
            "gw.unreliable": _short(", ".join(weak)),
        }
        if status.spool_limit > 0:
            used = max(0, min(status.spool_bytes, 2 * status.spool_limit))
            values["gw.spool_used"] = 1000 * used // status.spool_limit / 10
        if status.clock_offset_ms is not None:
            values["gw.clock_offset"] = status.clock_offset_ms
        elif status.at and not retained:
            values["gw.clock_offset"] = _bounded(status.at - now)
        return values


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _bounded(number: int) -> int:
    """A number that any record can hold, whatever the payload said."""
    return max(-MAX_NUMBER, min(number, MAX_NUMBER))
