"""Which readings of a batch may enter the store, and why the others may not. Pure; `now` is ms UTC.

A reading for an unknown asset or point, with a value of the wrong type, or without value and reason is refused: it
goes to quarantine, and the rest of its batch is stored. A reading from too far in the future is let in without its
value, marked CLOCK: the instant is not trusted, but that something came is a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import msgspec

from facility.assets import ID, Asset
from facility.catalog import Catalog
from facility.points import Kind
from facility.readings import Quality, Sample, Value
from facility.wire import Batch
from ingest.store import Delivery, Refused

MAX_AT = 9_000_000_000_000
"""ms; the year 2255. Later instants do not fit a store that counts nanoseconds."""
MAX_INT = 2**63
MAX_TEXT = 1024
"""Characters of a text value."""
MAX_REFUSED = 1000
"""Refused readings kept one by one for each batch; more are kept as a single entry that counts them."""

_TYPES: Mapping[Kind, frozenset[type]] = {
    Kind.ANALOG: frozenset({float, int}),
    Kind.COUNTER: frozenset({float, int}),
    Kind.DISCRETE: frozenset({bool}),
    Kind.ENUM: frozenset({int}),
    Kind.TEXT: frozenset({str}),
}
_NO_TYPES: frozenset[type] = frozenset()


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a batch. `delivery` holds the rest that may be stored; `future` counts readings marked CLOCK."""

    delivery: Delivery
    refused: tuple[Refused, ...] = ()
    future: int = 0


class _Shape:
    """An asset as admission needs it: its class and the allowed types by point."""

    __slots__ = ("asset_class", "points", "types")

    def __init__(self, asset_class: str, points: Mapping[str, Kind]) -> None:
        self.asset_class = asset_class
        self.points = points
        self.types = {point: _TYPES[kind] for point, kind in points.items()}


class Admission:
    """The door of the store for one site. `future_limit`: seconds that a reading may lie ahead of the clock."""

    def __init__(self, assets: Mapping[str, Asset], catalog: Catalog, *, future_limit: float = 60.0) -> None:
        self._ahead = int(future_limit * 1000)
        classes = {
            name: _Shape(name, {point.key: point.kind for point in found.points.values()})
            for name, found in catalog.classes.items()
        }
        self._shapes = {asset.id: classes[asset.asset_class] for asset in assets.values()}
        self._classes = {asset.id: asset.asset_class for asset in assets.values()}

    def admit(self, gateway: str, batch: Batch, now: int) -> Admitted:
        """Look at every reading of a batch; the batch itself comes back when all are fine."""
        limit = min(now + self._ahead, MAX_AT)
        if all(self._is_plain(sample, limit) for sample in batch.samples):
            return Admitted(Delivery(gateway, batch, self._classes))
        refused: list[Refused] = []
        future = 0
        kept: list[Sample] = []
        for sample in batch.samples:
            checked = sample if self._is_plain(sample, limit) else self._check(sample, refused)
            if checked is not None and checked.at > limit:
                checked = _untimely(checked)
                future += len(checked.values)
            if checked is not None:
                kept.append(checked)
        rest = msgspec.structs.replace(batch, samples=kept)
        return Admitted(Delivery(gateway, rest, self._classes), _bounded(refused), future)

    def _is_plain(self, sample: Sample, limit: int) -> bool:
        """Whether nothing needs a second look: known points, right types, all good, a believable instant."""
        shape = self._shapes.get(sample.asset)
        if shape is None or sample.quality or not 0 <= sample.at <= limit:
            return False
        types = shape.types
        for point, value in sample.values.items():
            kind = type(value)
            if kind not in types.get(point, _NO_TYPES):
                return False
            # a float on the wire is finite, and short text and booleans can't surprise
            if kind is not float and kind is not bool and not _is_fit(value):
                return False
        return True

    def _check(self, sample: Sample, refused: list[Refused]) -> Sample | None:
        """The sample without what may not enter; None when nothing is left."""
        shape = self._shapes.get(sample.asset)
        if shape is None or not 0 <= sample.at <= MAX_AT:
            why = (
                "there is no such asset in this site"
                if shape is None
                else f"{_plain(sample.at)} ms is no believable instant"
            )
            refused += [Refused(_show(sample, point, value), why) for point, value in sample.values.items()]
            return None
        values: dict[str, Value] = {}
        quality: dict[str, Quality] = {}
        for point, value in sample.values.items():
            reason = sample.quality_of(point)
            why = _wrong(shape, point, value, reason)
            if why:
                refused.append(Refused(_show(sample, point, value), why))
                continue
            values[point] = value if reason.is_good else None
            if not reason.is_good:
                quality[point] = reason
        for point in sample.quality:
            if point not in sample.values:
                refused.append(Refused(_show(sample, point, None), "a quality, but no value at all"))
        return Sample(sample.asset, sample.at, values, quality) if values else None


def _untimely(sample: Sample) -> Sample:
    """The sample without its values, every point marked CLOCK."""
    points = sample.values
    return Sample(sample.asset, sample.at, dict.fromkeys(points), dict.fromkeys(points, Quality.CLOCK))


def _wrong(shape: _Shape, point: str, value: Value, quality: Quality) -> str:
    """Why a reading may not enter; empty when it may."""
    if point not in shape.points:
        return f"the class {shape.asset_class} has no such point"
    if value is None:
        return "no value, and no quality that says why" if quality.is_good else ""
    if type(value) not in shape.types[point]:
        return f"a {shape.points[point]} point can't hold a value of type {type(value).__name__}"
    return "" if _is_fit(value) else "the value is not finite, or too large"


def _is_fit(value: Value) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT
    if isinstance(value, float):
        return isfinite(value)
    return value is None or -MAX_INT <= value < MAX_INT


def _show(sample: Sample, point: str, value: Value) -> str:
    shown = _plain(value) if isinstance(value, int) else msgspec.json.encode(value).decode()
    return f"{sample.asset[:80]} {point[:80]} @{_plain(sample.at)} = {shown[:200]}"


def _plain(number: int) -> str:
    """A whole number as text; Python itself refuses to print the longest ones."""
    if number is True or number is False:
        return str(number).lower()
    return str(number) if _is_fit(number) else f"a number of {number.bit_length()} bits"


def _bounded(refused: list[Refused]) -> tuple[Refused, ...]:
    if len(refused) > MAX_REFUSED:
        more = len(refused) - MAX_REFUSED
        return (*refused[:MAX_REFUSED], Refused(f"and {more} readings more", "too many refused in one batch"))
    return tuple(refused)


def wrong_envelope(batch: Batch) -> str:
    """Why a decoded batch can't be numbered and confirmed; empty when it can."""
    if not ID.fullmatch(batch.boot):
        return "boot is no id: letters, digits, _ and -, at most 64"
    if not 1 <= batch.seq < MAX_INT:
        return f"seq starts at 1 and fits 63 bits; it is {_plain(batch.seq)}"
    return ""
