"""Derived points told to everybody: batches on the bus, as a gateway sends them, under the name DERIVED.

Ingest stores and confirms them like any gateway's, so that what is lost on the way is missed in the same books. What is
not confirmed is sent again. It is kept in memory only: what a killed process has not told is worked out again by the
next one, from the same readings and with the same instants, and what the store has is not told twice.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from dataclasses import dataclass

from facility.bus import Bus, Subscription
from facility.clock import Clock
from facility.errors import BusError, DecodeError
from facility.wire import ANYBODY, DERIVED, Batch, Stored, decode, encode, readings_topic
from rules.engine import Engine

log = logging.getLogger(__name__)

EVERY = 0.25
"""Seconds between looks at what there is to tell."""
AGAIN = 10.0
"""Seconds after which a batch that nobody has confirmed is sent again."""
MAX_SAMPLES = 400
MAX_KEPT = 2_000
"""Batches that wait for ingest; beyond that the oldest are given up, and counted."""


@dataclass(slots=True)
class _Sent:
    payload: bytes
    due: float = 0.0


class Telling:
    """Made and run by the rules role; `counts` is its own: derived_told, derived_given_up."""

    def __init__(self, site: str, engine: Engine, *, bus: Bus, clock: Clock, counts: Counter[str]) -> None:
        self._topic = readings_topic(site, DERIVED)
        self._engine, self._bus, self._clock, self._counts = engine, bus, clock, counts
        self._boot = f"{clock.ms():x}-{secrets.token_hex(4)}"
        self._seq = 0
        self._kept: dict[int, _Sent] = {}

    @property
    def unconfirmed(self) -> int:
        """Batches that ingest has not confirmed yet."""
        return len(self._kept)

    async def run(self) -> None:
        """Tell, for ever."""
        while True:
            self._gather()
            await self._send()
            await self._clock.sleep(EVERY)

    async def listen(self, confirmations: Subscription) -> None:
        """Take note of what ingest has stored, for ever."""
        async for message in confirmations:
            try:
                self._confirmed(decode(Stored, message.payload))
            except DecodeError:
                self._counts["undecodable"] += 1

    def _gather(self) -> None:
        samples = self._engine.take_told()
        for start in range(0, len(samples), MAX_SAMPLES):
            self._seq += 1
            batch = Batch(self._boot, self._seq, samples[start : start + MAX_SAMPLES])
            self._kept[self._seq] = _Sent(encode(batch))
            self._counts["derived_told"] += batch.count
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
            self._counts["derived_given_up"] += 1

    async def _send(self) -> None:
        now = self._clock.monotonic()
        for sent in [sent for sent in self._kept.values() if sent.due <= now]:
            try:
                await self._bus.publish(self._topic, sent.payload)
            except BusError as error:
                log.info("derived points wait for the broker: %s", error)
                return
            sent.due = now + AGAIN

    def _confirmed(self, stored: Stored) -> None:
        if stored.boot == ANYBODY:
            for sent in self._kept.values():
                sent.due = 0.0
        elif stored.boot == self._boot:
            for first, last in stored.ranges:
                for seq in [seq for seq in self._kept if first <= seq <= last]:
                    del self._kept[seq]
