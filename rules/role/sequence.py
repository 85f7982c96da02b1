"""How far the rules are with each gateway: which batches they have seen, which are missing, what a restart needs.

Pure. A gateway numbers its batches per boot without holes, so a jump is a gap: batches that were lost on their way to
us (ingest may have them) or that will follow as history. A number seen before is a copy and is passed over. Numbers
that only the process before this one has seen count as late: what it learned from them may not have been stored yet
when this one warmed itself, and the engine passes over every reading that it knows already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from facility.wire import Batch
from rules.life.rows import Cursor

BOOTS = 8
"""Boots of one gateway that are remembered; a restarted one still sends what its spool holds of older boots."""
MISSING = 100_000
"""Missing batch numbers that are remembered per boot; beyond that a late one may be judged as a copy."""
AHEAD_MS = 60_000
"""A sample further ahead of the clock than this does not move a cursor: it would hide what comes after a restart."""


class Arrival(Enum):
    """What a batch number says about a batch."""

    NEXT = "next"
    AFTER_GAP = "after_gap"
    LATE = "late"
    COPY = "copy"


@dataclass(slots=True)
class _Boot:
    seq: int = 0
    missing: set[int] = field(default_factory=set)
    inherited: int = 0
    again: set[int] = field(default_factory=set)

    def is_new_to_us(self, seq: int) -> bool:
        """Whether a number up to `seq` was never taken by this process; takes it."""
        if seq in self.missing:
            self.missing.discard(seq)
            return True
        if seq > self.inherited or seq in self.again or len(self.again) >= MISSING:
            return False
        self.again.add(seq)
        return True


class Progress:
    """The state of one gateway. `at` and `assets` are the newest instants taken, in all and per asset."""

    def __init__(self, gateway: str, cursor: Cursor | None = None) -> None:
        self.gateway = gateway
        self.boot = cursor.boot if cursor else ""
        self.at = cursor.at if cursor else 0
        self.assets = dict(cursor.assets) if cursor else {}
        self._boots: dict[str, _Boot] = (
            {cursor.boot: _Boot(cursor.seq, inherited=cursor.seq)} if cursor and cursor.boot else {}
        )

    @property
    def missing(self) -> int:
        """How many batches were jumped over and have not come."""
        return sum(len(boot.missing) for boot in self._boots.values())

    def arrive(self, batch: Batch) -> Arrival:
        """Take note of a batch number."""
        boot = self._boots.get(batch.boot)
        if boot is None:
            # the first batch ever may have any number; after a known boot, a new one starts from 1
            boot = self._boots[batch.boot] = _Boot(0 if self._boots and not batch.hist else batch.seq - 1)
            while len(self._boots) > BOOTS:
                del self._boots[next(iter(self._boots))]
        if not batch.hist or not self.boot:
            self.boot = batch.boot
        if batch.seq <= boot.seq:
            return Arrival.LATE if boot.is_new_to_us(batch.seq) else Arrival.COPY
        first, boot.seq = boot.seq + 1, batch.seq
        if batch.seq == first:
            return Arrival.NEXT
        boot.missing.update(range(max(first, batch.seq - MISSING), batch.seq))
        while len(boot.missing) > MISSING:
            boot.missing.discard(min(boot.missing))
        return Arrival.AFTER_GAP

    def take(self, asset: str, at: int, now: int) -> None:
        """Take note of a sample that the engine has judged."""
        if at > now + AHEAD_MS:
            return
        if at > self.at:
            self.at = at
        if at > self.assets.get(asset, 0):
            self.assets[asset] = at

    def cursor(self, floor: int | None = None) -> Cursor:
        """What a restart needs; nothing after `floor` is said to be judged."""
        boot = self._boots.get(self.boot)
        at, assets = self.at, dict(self.assets)
        if floor is not None:
            at, assets = min(at, floor), {name: min(instant, floor) for name, instant in assets.items()}
        return Cursor(gateway=self.gateway, boot=self.boot, seq=boot.seq if boot else 0, at=at, assets=assets)


def seen_until(cursors: Mapping[str, Cursor]) -> dict[str, int]:
    """The newest instant judged, by asset, over all gateways."""
    found: dict[str, int] = {}
    for cursor in cursors.values():
        for asset, at in cursor.assets.items():
            found[asset] = max(at, found.get(asset, 0))
    return found
