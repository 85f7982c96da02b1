"""Samples -> InfluxDB line protocol, one line a sample; pure.

Measurement = asset class; tags `asset`, `site`; one field a point, its type fixed by the point's kind (analog and
counter: float; discrete and enum: integer; text: string), so that a type conflict can't arise. A point that is not
good has no value field but a string field `q.<point>` with its quality. Timestamps are in ms. Alarm transitions are
lines of the measurement `alarm`, with the tags `asset`, `class`, `event`, `rule`, `site`.
"""

from __future__ import annotations

from collections.abc import Mapping

from facility.catalog import Catalog
from facility.points import Kind
from facility.readings import Quality, Sample, Value
from facility.wire import AlarmNotice
from ingest.store import Delivery, Refused, settle

ALARM = "alarm"
"""Measurement of alarm transitions."""
BAD = "q."
"""Prefix of the field that holds the quality of a point that is not good."""

_NAME = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": " ", "\r": " "})
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ ", "\n": " ", "\r": " "})
_TEXT = str.maketrans({'"': r"\"", "\\": r"\\"})
_FORMS = {Kind.ANALOG: "%s", Kind.COUNTER: "%s", Kind.DISCRETE: "%di", Kind.ENUM: "%di"}
MAX_SHAPES = 20_000
"""Templates kept; with report by exception an asset's samples come in many shapes."""


def escape_name(name: str) -> str:
    """A tag key, tag value or field key."""
    return name.translate(_NAME)


def escape_text(text: str) -> str:
    """A string field value, in its quotes."""
    return f'"{text.translate(_TEXT)}"'


class Lines:
    """Builds lines for one site. `texts` and `counts` run in step: a line, and how many readings it holds."""

    def __init__(self, site: str, catalog: Catalog) -> None:
        self._site = site
        self._kinds: Mapping[str, Mapping[str, Kind]] = {
            name: {key: point.kind for key, point in found.points.items()} for name, found in catalog.classes.items()
        }
        self._heads: dict[tuple[str, str], str] = {}
        self._shapes: dict[tuple[str, ...], str] = {}

    def build(self, delivery: Delivery, refused: list[Refused]) -> tuple[list[str], list[int]]:
        """The lines of a delivery and their counts; what has no place in the schema goes to `refused`."""
        texts: list[str] = []
        counts: list[int] = []
        classes = delivery.classes
        for sample in delivery.batch.samples:
            line, count = self._line(sample, classes[sample.asset], refused)
            if count:
                texts.append(line)
                counts.append(count)
        return texts, counts

    def _line(self, sample: Sample, asset_class: str, refused: list[Refused]) -> tuple[str, int]:
        values = sample.values
        if not sample.quality:
            key = (asset_class, sample.asset, *values)
            shape = self._shapes.get(key) or self._new_shape(key)
            if shape:
                try:
                    line = shape % (*values.values(), sample.at)
                except TypeError:
                    line = "None"
                # a missing value would read None; an id that contains it only costs the slow way
                if "None" not in line:
                    return line, len(values)
        return self._slow(sample, asset_class, refused)

    def _new_shape(self, key: tuple[str, ...]) -> str:
        """The template for samples with exactly these points; empty when some are text or unknown."""
        asset_class, asset, *points = key
        kinds = self._kinds.get(asset_class, {})
        forms = [_FORMS.get(kinds[point]) if point in kinds else None for point in points]
        if not points or None in forms:
            return ""
        fields = ",".join(f"{_percent(escape_name(point))}={form}" for point, form in zip(points, forms, strict=True))
        if len(self._shapes) >= MAX_SHAPES:
            self._shapes.clear()
        shape = self._shapes[key] = f"{_percent(self._head(asset_class, asset))} {fields} %d"
        return shape

    def _head(self, asset_class: str, asset: str) -> str:
        head = self._heads.get((asset_class, asset))
        if head is None:
            measurement = asset_class.translate(_MEASUREMENT)
            head = f"{measurement},asset={escape_name(asset)},site={escape_name(self._site)}"
            self._heads[asset_class, asset] = head
        return head

    def _slow(self, sample: Sample, asset_class: str, refused: list[Refused]) -> tuple[str, int]:
        kinds = self._kinds.get(asset_class, {})
        fields: list[str] = []
        for point, given in sample.values.items():
            kind = kinds.get(point)
            if kind is None:
                what = f"{sample.asset} {point} @{sample.at} = {given!r}"
                refused.append(Refused(what, f"the class {asset_class} has no such point"))
                continue
            value, quality = settle(given, sample.quality_of(point))
            if quality is Quality.GOOD:
                fields.append(f"{escape_name(point)}={_value(kind, value)}")
            else:
                fields.append(f'{BAD}{escape_name(point)}="{quality}"')
        return f"{self._head(asset_class, sample.asset)} {','.join(fields)} {sample.at}", len(fields)

    def alarm(self, notice: AlarmNotice) -> str:
        """An alarm transition as a line."""
        tags = {
            "asset": notice.asset,
            "class": notice.asset_class,
            "event": notice.event,
            "rule": notice.rule,
            "site": self._site,
        }
        fields = [f"{name}={escape_text(str(getattr(notice, name)))}" for name in ALARM_TEXTS]
        fields += [f"{name}={getattr(notice, name)}i" for name in ALARM_NUMBERS]
        marks = "".join(f",{name}={escape_name(value)}" for name, value in tags.items() if value)
        return f"{ALARM}{marks} {','.join(fields)} {notice.at}"


ALARM_TEXTS = ("id", "state", "suppression", "zh", "en")
ALARM_NUMBERS = ("severity", "version")


def _value(kind: Kind, value: Value) -> str:
    if kind is Kind.TEXT:
        return escape_text(str(value))
    if kind is Kind.DISCRETE or kind is Kind.ENUM:
        return f"{int(value or 0)}i"
    return str(value)


def _percent(text: str) -> str:
    return text.replace("%", "%%")
