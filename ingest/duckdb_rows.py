"""Samples -> columns for one DuckDB insert, without a Python object per reading where it can be helped.

Columns: sid (series number), ms, num (NaN where there is no number), txt, q (quality code), late. A row is late when
its instant is not past every earlier one of its asset: only such rows can collide with rows that are there already,
so that reads of a series without late rows need not look for duplicates.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import cast

import pyarrow as pa

from facility.readings import Quality, Sample
from ingest.store import settle

CODES: dict[Quality, int] = {
    Quality.GOOD: 0,
    Quality.COMM: 1,
    Quality.SENTINEL: 2,
    Quality.RANGE: 3,
    Quality.ENUM: 4,
    Quality.SENSOR: 5,
    Quality.CLOCK: 6,
    Quality.STALE: 7,
}
"""Quality as it stands in the file; never renumber."""
QUALITIES = {code: quality for quality, code in CODES.items()}

NewSeries = Callable[[str, str, str], int | None]
"""(asset, asset class, point) -> number of the series, made if need be; None when the class has no such point."""


class Rows:
    """Rows of one insert. `series` is asset -> point -> number; `newest` is the newest instant by asset, kept up."""

    def __init__(self, series: dict[str, dict[str, int]], newest: dict[str, int], new_series: NewSeries) -> None:
        self._series = series
        self._newest = newest
        self._new_series = new_series
        self._sids = array("i")
        self._instants = array("q")
        self._numbers = array("d")
        self._qualities = bytearray()
        self._late = bytearray()
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._sids)

    def add(self, sample: Sample, asset_class: str) -> list[str]:
        """Take a sample in; returns the points that have no series."""
        at, values = sample.at, sample.values
        late = at <= self._newest.get(sample.asset, -1)
        if sample.quality:
            return self._each(sample, asset_class, late=late)
        try:
            ids = self._series[sample.asset]
            sids = array("i", [ids[point] for point in values])
            numbers = array("d", cast("Iterable[float]", values.values()))
        except (KeyError, TypeError):
            # a series that is new, a text, a value that is missing
            return self._each(sample, asset_class, late=late)
        count = len(sids)
        self._sids += sids
        self._numbers += numbers
        self._instants += array("q", (at,)) * count
        self._qualities += bytes(count)
        self._late += b"\1" * count if late else bytes(count)
        if not late:
            self._newest[sample.asset] = at
        return []

    def _each(self, sample: Sample, asset_class: str, *, late: bool) -> list[str]:
        unknown: list[str] = []
        ids = self._series.get(sample.asset, {})
        for point, given in sample.values.items():
            sid = ids.get(point)
            if sid is None:
                sid = self._new_series(sample.asset, asset_class, point)
            if sid is None:
                unknown.append(point)
                continue
            value, quality = settle(given, sample.quality_of(point))
            if isinstance(value, str):
                self._texts[len(self._sids)] = value
                value = None
            timeless = quality is Quality.CLOCK
            self._sids.append(sid)
            self._instants.append(sample.at)
            self._numbers.append(float("nan") if value is None else float(value))
            self._qualities.append(CODES[quality])
            self._late.append(late or timeless)
            if not timeless and not late:
                self._newest[sample.asset] = sample.at
        return unknown

    def table(self) -> pa.Table:
        """The rows as an Arrow table; the numbers are not copied."""
        count = len(self)
        texts = (
            pa.array([self._texts.get(row) for row in range(count)], pa.string())
            if self._texts
            else pa.nulls(count, pa.string())
        )
        columns = {
            "sid": _column(pa.int32(), count, self._sids),
            "ms": _column(pa.int64(), count, self._instants),
            "num": _column(pa.float64(), count, self._numbers),
            "txt": texts,
            "q": _column(pa.uint8(), count, self._qualities),
            "late": _column(pa.uint8(), count, self._late),
        }
        return pa.table(columns)


def _column(kind: pa.DataType, count: int, values: array[int] | array[float] | bytearray) -> pa.Array:
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(values)])
