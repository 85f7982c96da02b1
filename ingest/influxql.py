"""InfluxQL statements and their answers; pure. Only what InfluxDB 1.x, 2.x and 3 all know, one statement a query.

Names and texts are quoted here and nowhere else, so that no id can add to a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from facility.points import Kind
from facility.readings import Quality, Sample, Value
from facility.wire import AlarmNotice
from ingest.lineprotocol import ALARM, BAD
from ingest.store import Bucket, coerce

_TEXTS = ("id", "rule", "asset", "state", "suppression", "event", "zh", "en")
KindOf = Callable[[str, str], Kind | None]


class Series(msgspec.Struct):
    """One table of an answer."""

    name: str = ""
    columns: list[str] = []
    values: list[list[Any]] = []
    tags: dict[str, str] = {}


class _Result(msgspec.Struct):
    series: list[Series] = []
    error: str = ""


class Answer(msgspec.Struct):
    """The body of `GET /query`."""

    results: list[_Result] = []
    error: str = ""

    def failure(self) -> str:
        """What the server complains of; empty when it does not."""
        return self.error or next((result.error for result in self.results if result.error), "")

    def series(self) -> list[Series]:
        """Every table."""
        return [series for result in self.results for series in result.series]


def name(text: str) -> str:
    """An identifier in its quotes."""
    return '"' + _escape(text).replace('"', '\\"') + '"'


def text(value: str) -> str:
    """A string literal in its quotes."""
    return "'" + _escape(value).replace("'", "\\'") + "'"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def where(site: str, start: int | None, end: int | None, assets: Sequence[str] = ()) -> str:
    """The condition for a site, a time range in ms and some assets."""
    parts = [f'"site" = {text(site)}']
    if start is not None:
        parts.append(f"time >= {int(start)}ms")
    if end is not None:
        parts.append(f"time < {int(end)}ms")
    if assets:
        parts.append("(" + " OR ".join(f'"asset" = {text(asset)}' for asset in assets) + ")")
    return " AND ".join(parts)


def select_rows(asset_class: str, condition: str, *, points: Sequence[str] = (), newest: int | None = None) -> str:
    """Raw rows of some points (of all, if empty); oldest first, or the `newest` of them, newest first."""
    fields = ", ".join(f"{name(point)}, {name(BAD + point)}" for point in points) or "*"
    order = "ORDER BY time" if newest is None else f"ORDER BY time DESC LIMIT {int(newest)}"
    return f"SELECT {fields} FROM {name(asset_class)} WHERE {condition} {order}"  # noqa: S608


def select_buckets(asset_class: str, point: str, condition: str, *, step: int, start: int) -> str:
    """Count, mean, lowest and highest of a point by steps of `step` ms that begin at `start`."""
    field = name(point)
    return (
        f"SELECT count({field}) AS n, mean({field}) AS mean, min({field}) AS low, max({field}) AS high "  # noqa: S608
        f"FROM {name(asset_class)} WHERE {condition} GROUP BY time({int(step)}ms, {start % step}ms) fill(none)"
    )


def select_last(asset_class: str, field: str, condition: str) -> str:
    """The last value of one field, by asset."""
    return f'SELECT last({name(field)}) AS value FROM {name(asset_class)} WHERE {condition} GROUP BY "asset"'  # noqa: S608


def select_counts(asset_class: str, condition: str) -> str:
    """How many values each field has."""
    return f"SELECT count(*) FROM {name(asset_class)} WHERE {condition}"  # noqa: S608


def select_alarms(condition: str, limit: int) -> str:
    """Alarm transitions, the newest first."""
    return f"SELECT * FROM {name(ALARM)} WHERE {condition} ORDER BY time DESC LIMIT {int(limit)}"  # noqa: S608


def show_fields(asset_class: str) -> str:
    """The names of a measurement's fields."""
    return f"SHOW FIELD KEYS FROM {name(asset_class)}"


def samples(series: Iterable[Series], kind_of: KindOf, *, asset: str = "") -> Iterator[Sample]:
    """Rows as samples, in the order of the rows. `asset` is for rows that don't name theirs."""
    for table in series:
        columns = [(index, column) for index, column in enumerate(table.columns) if column not in ("site", "asset")]
        at_column, asset_column = _index(table, "time"), _index(table, "asset")
        fields = [(index, column.removeprefix(BAD), column.startswith(BAD)) for index, column in columns]
        kinds = {point: kind_of(table.name, point) for index, point, _ in fields if index != at_column}
        for row in table.values:
            values: dict[str, Value] = {}
            bad: dict[str, Quality] = {}
            for index, point, is_quality in fields:
                given = row[index]
                if given is None or index == at_column:
                    continue
                if is_quality:
                    bad[point] = quality_of(given)
                else:
                    values[point] = coerce(kinds[point] or Kind.ANALOG, given)
            if values or bad:
                # where both stand, the batch came twice and was trusted only once
                values |= dict.fromkeys(bad)
                yield Sample(asset if asset_column < 0 else row[asset_column], row[at_column], values, bad)


def quality_of(given: object) -> Quality:
    """A stored quality; one that this version does not know counts as a sensor fault."""
    try:
        return Quality(str(given))
    except ValueError:
        return Quality.SENSOR


def buckets(series: Iterable[Series], start: int, step: int) -> dict[int, Bucket]:
    """Rows of `select_buckets` by step index."""
    found = {}
    for table in series:
        for at, count, mean, low, high in table.values:
            if count:
                found[(at - start) // step] = Bucket(at, count, float(mean), float(low), float(high))
    return found


def alarms(series: Iterable[Series]) -> Iterator[AlarmNotice]:
    """Rows of `select_alarms`, in their order."""
    for table in series:
        for row in table.values:
            held = dict(zip(table.columns, row, strict=True))
            yield AlarmNotice(
                **{key: held.get(key) or "" for key in _TEXTS},
                asset_class=held.get("class") or "",
                severity=int(held.get("severity") or 0),
                version=int(held.get("version") or 0),
                at=int(held["time"]),
            )


def _index(table: Series, column: str) -> int:
    return table.columns.index(column) if column in table.columns else -1
