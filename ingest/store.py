"""ReadingStore: what every readings store gives; tests/contracts/test_reading_store.py holds them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from facility.assets import Asset
from facility.catalog import Catalog
from facility.points import Kind
from facility.readings import Quality, Reading, Sample, Value
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
    """One step of a down-sampled history: `at` is its start in ms; the numbers are None when nothing good lies in it.

    `count` is how many good readings lie in it.
    """

    at: int
    count: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """`readings` counts distinct (asset, point, instant), good or not; `duplicated` what is stored beyond that.

    `detail` is `readings` by asset class. A store that overwrites in place can't hold duplicates and says 0.
    """

    readings: int
    duplicated: int = 0
    detail: dict[str, int] = field(default_factory=dict)


class ReadingStore(Protocol):
    """Readings by asset, point and instant. Every instant is ms since 1970 UTC; ranges are [start, end).

    Writing the same (asset, point, instant) again overwrites. Values come back in the type of the point's kind
    (analog and counter: float; discrete: bool; enum: int; text: str), and None wherever the quality is not good.
    """

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """Make the deliveries durable; idempotent. StoreError when the store is not there: confirm nothing."""
        ...

    async def write_alarm(self, notice: AlarmNotice) -> None:
        """Keep an alarm transition, so that dashboards draw it over the readings."""
        ...

    async def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        """Keep several alarm transitions in one write."""
        ...

    async def alarms(self, start: int, end: int, *, limit: int = 1000) -> list[AlarmNotice]:
        """The alarm transitions of a time range, oldest first; the newest `limit` of them."""
        ...

    async def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point of these assets (of all, if empty).

        A reading marked CLOCK lies at an instant that nobody trusts, so it never stands for the present.
        """
        ...

    async def between(
        self, asset: str, points: Sequence[str], start: int, end: int, *, limit: int = 10_000
    ) -> list[Reading]:
        """Readings of some points (of all, if empty) of one asset, oldest first; the newest `limit` of them."""
        ...

    async def buckets(self, asset: str, point: str, start: int, end: int, *, count: int = 300) -> list[Bucket]:
        """The history of a numeric point in `count` equal steps (fewer where a step would be under 1 s).

        Every step is there, empty ones too. An unknown point and a text point have no steps.
        """
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

    def adopt(self, assets: Mapping[str, Asset], catalog: Catalog) -> None:
        """The site has these assets and this catalog from now on; what is stored stays as it is."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...


NUMERIC = frozenset({Kind.ANALOG, Kind.COUNTER, Kind.DISCRETE, Kind.ENUM})
"""The kinds whose values stores keep as numbers; text is kept apart."""


def settle(value: Value, quality: Quality) -> tuple[Value, Quality]:
    """A value and quality that agree: a bad value is never a number, and no value is never good."""
    if quality is not Quality.GOOD:
        return None, quality
    return (None, Quality.SENSOR) if value is None else (value, quality)


def coerce(kind: Kind, value: Value) -> Value:
    """A value in the type that its kind gives everywhere; None stays None."""
    if value is None:
        return None
    if kind is Kind.DISCRETE:
        return bool(value)
    if kind is Kind.TEXT:
        return str(value)
    return int(value) if kind is Kind.ENUM else float(value)


def steps(start: int, end: int, count: int) -> tuple[int, int]:
    """(step in ms, how many) for a history of [start, end) in at most `count` equal steps of at least 1 s."""
    span = max(0, end - start)
    step = max(1000, -(-span // max(1, count)))
    return step, -(-span // step)


def fill(start: int, step: int, number: int, found: dict[int, Bucket]) -> list[Bucket]:
    """`number` buckets from `start` on; those that are not in `found` (by step index) are empty."""
    return [found.get(index) or Bucket(start + index * step, 0, None, None, None) for index in range(number)]
