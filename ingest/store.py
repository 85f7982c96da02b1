"""ReadingStore: what every readings store gives; one contract suite (tests/contracts/test_reading_store.py) holds them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from facility.readings import Reading, Sample
from facility.wire import AlarmNotice, Batch


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch together with the gateway that sent it; `classes` is the asset class of each asset in it."""

    gateway: str
    batch: Batch
    classes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A piece of a delivery that the store will never take: what it was (as text) and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What one write did. `readings` counts those now durable, `replayed` those of batches that were there already."""

    readings: int
    replayed: int = 0
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a down-sampled history: `at` is its start in ms; the numbers are None when nothing good lies in it."""

    at: int
    count: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """`readings` counts distinct (asset, point, instant), good or not; `duplicated` what is stored beyond that."""

    readings: int
    duplicated: int = 0
    detail: dict[str, int] = field(default_factory=dict)


class ReadingStore(Protocol):
    """Readings by asset, point and instant. Every instant is ms since 1970 UTC; ranges are [start, end)."""

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """Make the deliveries durable; idempotent. StoreError when the store is not there (nothing is confirmed then)."""
        ...

    async def write_alarm(self, notice: AlarmNotice) -> None:
        """Keep an alarm transition, so that dashboards draw it over the readings."""
        ...

    async def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point of these assets (of all, if empty)."""
        ...

    async def between(
        self, asset: str, points: Sequence[str], start: int, end: int, *, limit: int = 10_000
    ) -> list[Reading]:
        """Readings of some points (of all, if empty) of one asset, oldest first; the newest `limit` of them."""
        ...

    async def buckets(self, asset: str, point: str, start: int, end: int, *, count: int = 300) -> list[Bucket]:
        """The history of a numeric point in `count` equal steps (fewer where a step would be under 1 s)."""
        ...

    def samples(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """All samples, oldest first, so that rules can warm their windows and fill a gap."""
        ...

    async def totals(self) -> Totals:
        """How much is stored, for loss accounting."""
        ...

    async def expire(self, before: int) -> int:
        """Forget readings older than `before`; returns how many where the store can tell, else 0."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
