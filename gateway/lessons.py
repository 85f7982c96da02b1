"""Pure: what a device was found to refuse, and for how long that is believed.

Two kinds of lesson follow from a read that is answered with an illegal-address exception. The read is divided until
each part is answered or a single register is left that the device lacks:

* a cut: a place that no read may reach across. Most divisions were only the way to find out, so every cut is put to the
  proof, one after the other: it is left away once, and comes back for good if the read across it is refused. A device
  that takes fewer registers than its profile says ends with cuts as well. Those on both sides of a refused point need
  no proof;
* a refused point: it is told as bad (COMM), left out, and asked for again after 1 min, 2, 4, ... up to `retry_ms`: a
  device that was still starting gives its values soon, one that lacks them costs next to nothing.

A cut is forgotten after `age_ms`, as the device may have changed. Everything is forgotten when the firmware is another
one, where the profile says how to read it, and when the profile or the address is (`fingerprint`). A device that was
gone is asked for its refused points again at once.

Instants are ms since 1970 UTC, because lessons outlive the process. A lesson from the future (the clock was put back)
counts as old.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from facility.assets import Device
from facility.points import Profile, Register, Table
from gateway.planner import Cuts, wanted

FIRST_WAIT_MS = 60_000
RETRY_MS = 600_000
AGE_MS = 86_400_000
"""The longest wait, and how long a cut is believed, where the site says nothing else."""
_DOUBLINGS = 30


@dataclass(slots=True)
class Refusal:
    """A point that the device would not give: when it said so last, how often in a row, and in which words."""

    at: int
    times: int
    error: str

    def due(self, retry_ms: int) -> int:
        """When it is asked for again."""
        return self.at + min(retry_ms, FIRST_WAIT_MS << min(self.times - 1, _DOUBLINGS))


@dataclass(slots=True)
class Lessons:
    """What is known of one device. `changed` is set by every change and taken back by whoever writes them down."""

    fingerprint: str = ""
    firmware: str = ""
    cuts: dict[tuple[Table, int], int] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    unproven: list[tuple[Table, int]] = field(default_factory=list)
    """Cuts that nothing speaks for yet."""
    trial: tuple[Table, int] | None = None
    """The cut that is left away now, to see whether it is needed."""
    retry_ms: int = RETRY_MS
    age_ms: int = AGE_MS
    changed: bool = False

    def __bool__(self) -> bool:
        """Whether anything was learnt."""
        return bool(self.cuts or self.refused)

    @property
    def all_cuts(self) -> Cuts:
        """As the planner takes them."""
        return frozenset(self.cuts)

    def cut(self, place: tuple[Table, int], now: int) -> None:
        """A read was refused and divided here."""
        self.cuts[place] = now
        self.unproven.append(place)
        self.changed = True

    def try_without(self) -> bool:
        """Leave the next unproven cut away; whether there was one."""
        self.trial = None
        while self.unproven and self.trial is None:
            place = self.unproven.pop()
            if self.cuts.pop(place, None) is not None:
                self.trial, self.changed = place, True
        return self.trial is not None

    def needs_trial(self, now: int) -> None:
        """A read across the cut on trial was refused: it is needed."""
        if self.trial:
            self.cuts[self.trial], self.trial, self.changed = now, None, True

    def refuse(self, register: Register, error: str, now: int) -> None:
        """A single register was refused: it is left out, and read across by nobody."""
        before = self.refused.get(register.point)
        self.refused[register.point] = Refusal(now, before.times + 1 if before else 1, error)
        for place in _around(register):
            self.cuts[place] = now
            if place in self.unproven:
                self.unproven.remove(place)
        self.changed = True

    def accept(self, point: str) -> None:
        """A refused point was given after all."""
        if self.refused.pop(point, None):
            self.changed = True

    def is_left_out(self, point: str, now: int) -> bool:
        """Whether a point is not to be asked for now."""
        refusal = self.refused.get(point)
        return refusal is not None and refusal.at <= now < refusal.due(self.retry_ms)

    def came_back(self) -> None:
        """The device was gone: it may have grown."""
        for refusal in self.refused.values():
            refusal.at, refusal.times, self.changed = 0, 1, True

    def found_firmware(self, firmware: str) -> bool:
        """Take note of the firmware; whether it is another one, and everything was forgotten."""
        if firmware == self.firmware:
            return False
        other = bool(self.firmware)
        self.firmware, self.changed = firmware, True
        if other:
            self.forget()
        return other

    def forget(self) -> None:
        """As if nothing had been learnt."""
        self.cuts.clear()
        self.refused.clear()
        self.unproven.clear()
        self.trial = None
        self.changed = True

    def expire(self, now: int) -> bool:
        """Forget the cuts that are too old, or from the future; whether there were any."""
        old = [place for place, at in self.cuts.items() if not now - self.age_ms < at <= now]
        for place in old:
            del self.cuts[place]
        self.changed = self.changed or bool(old)
        return bool(old)


def fingerprint(device: Device, profile: Profile) -> str:
    """What lessons hold for: the address and the map, in short."""
    registers = wanted(profile, device)
    text = repr((device.line, device.unit, profile.id, profile.limits)) + repr(
        [(item.point, item.table.value, item.address, item.words) for item in registers]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _around(register: Register) -> tuple[tuple[Table, int], tuple[Table, int]]:
    return (register.table, register.address), (register.table, register.address + register.words)
