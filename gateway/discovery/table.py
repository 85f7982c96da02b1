"""The importer's data table, `points.yaml`: entities of Home Assistant -> canonical points, units -> UCUM codes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from facility.catalog import Catalog
from facility.errors import ConfigError, Problem
from facility.points import Point
from facility.units import convert, is_unit
from facility.yamlfile import Document, Strict, load

TABLE = Path(__file__).parent / "points.yaml"


class Unit(Strict):
    """A unit as discovery writes it: value in `unit` = value * scale + offset."""

    unit: str
    scale: float = 1.0
    offset: float = 0.0


class Unsure(Strict):
    """A device that gives the point `beside` and not `without` leaves open what this entity is."""

    beside: str
    without: str


class Entry(Strict):
    """Which entities it is for, and the point of each class, or why they have none."""

    component: str
    device_class: str = ""
    units: list[str] = []
    category: str = ""
    name: str = ""
    points: dict[str, str] = {}
    unsure: Unsure | None = None
    why: str = ""

    def fits(self, component: str, device_class: str, unit: str, category: str, names: Iterable[str]) -> bool:
        """Whether an entity is one of those."""
        return (
            (component, device_class) == (self.component, self.device_class)
            and (not self.units or unit in self.units)
            and (not self.category or category == self.category)
            and (not self.name or any(re.search(self.name, name, re.IGNORECASE) for name in names))
        )


class Table(Strict):
    """The whole table."""

    classes: list[str] = Field(min_length=1)
    units: dict[str, Unit]
    entities: list[Entry] = Field(min_length=1)

    def entry(self, component: str, device_class: str, unit: str, category: str, names: Sequence[str]) -> Entry | None:
        """The first entry that fits."""
        return next(
            (entry for entry in self.entities if entry.fits(component, device_class, unit, category, names)), None
        )

    def factors(self, unit: str, point: Point) -> tuple[float, float]:
        """(scale, offset) from a unit of discovery to that of a point; ValueError when it has none or another kind."""
        if not unit:
            if point.unit in ("1", "{count}"):
                return 1.0, 0.0
            raise ValueError(f"has no unit; {point.template or point.key} is in {point.unit}")
        known = self.units.get(unit)
        if known is None:
            raise ValueError(f"the unit {unit!r} is not known")
        offset = convert(known.offset, known.unit, point.unit)
        scale = convert(known.scale + known.offset, known.unit, point.unit) - offset
        return _clean(scale), _clean(offset)


def _clean(number: float) -> float:
    """Without the noise of the last binary digits: 0.001, not 0.0010000000000000009."""
    return float(f"{number:.12g}")


@lru_cache(maxsize=1)
def shipped_table() -> Table:
    """The table that comes with the program."""
    return load(TABLE).parse(Table)


def check_table(document: Document, catalog: Catalog) -> Table:
    """A table whose classes, points and units are all known; ConfigError with every problem."""
    table = document.parse(Table)
    problems = list(_problems(document, table, catalog))
    if problems:
        raise ConfigError(problems)
    return table


def _problems(document: Document, table: Table, catalog: Catalog) -> Iterable[Problem]:
    for name in table.classes:
        if name not in catalog.classes:
            yield document.problem(("classes",), f"there is no asset class {name!r}")
    for text, unit in table.units.items():
        if not is_unit(unit.unit):
            yield document.problem(("units", text), f"{unit.unit!r} is not one of the known UCUM units")
    for number, entry in enumerate(table.entities):
        place = ("entities", number)
        if bool(entry.points) is bool(entry.why):
            yield document.problem(place, "needs either points or why")
        for asset_class, key in entry.points.items():
            if asset_class not in table.classes:
                yield document.problem((*place, "points"), f"{asset_class!r} is not among classes")
            elif catalog.point(asset_class, key.replace("[n]", "[1]")) is None:
                yield document.problem((*place, "points"), f"the class {asset_class} has no point {key!r}")
