"""Points that a site works out itself: `derived.yaml`. Here it is only read; what an expression says is for the rules.

A derived point belongs to a class, like any point, so that everything that knows the catalog knows it: the store lets
it in, the API and the console show it, rules and other derived points look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import Field

from facility.classfile import AssetClass, Labels
from facility.errors import Problem
from facility.points import KEY, Kind, Point
from facility.units import is_unit
from facility.yamlfile import Document, Strict

FILE = "derived.yaml"
MAX_DERIVED = 500


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived point of a class. `value` is the text of its expression.

    `assets`: only these, if any are named. `file`, `line` and `path` say where it is written, for people.
    """

    asset_class: str
    point: Point
    value: str
    assets: frozenset[str] = frozenset()
    file: str = ""
    line: int = 0
    path: str = ""

    def problem(self, message: str) -> Problem:
        """Something that is wrong with its value."""
        return Problem(self.file, self.line, self.path, message)


class _Derived(Strict):
    class_: str = Field(alias="class")
    assets: list[str] = []
    key: str
    labels: Labels
    kind: Kind | None = None
    unit: str = ""
    range: tuple[float, float] | None = None
    deadband: float = Field(default=0.0, ge=0)
    value: str = Field(min_length=1)


class DerivedFile(Strict):
    """The file as a whole."""

    derived: list[_Derived] = Field(default=[], max_length=MAX_DERIVED)


def read_derived(document: Document, classes: Mapping[str, AssetClass], problems: list[Problem]) -> tuple[Derived, ...]:
    """The derived points of a file, without those that are wrong; `problems` gets what is wrong with them."""
    file, wrong = document.read(DerivedFile)
    problems += wrong
    found: dict[tuple[str, str], Derived] = {}
    for number, item in enumerate(file.derived if file else []):
        place = ("derived", number)
        here = [document.problem((*place, field), text) for field, text in _check(item, classes, found)]
        problems += here
        if not here:
            where = Problem(document.file, document.line((*place, "value")), f"derived[{number}].value", "")
            found[item.class_, item.key] = Derived(
                item.class_, _point(item), item.value, frozenset(item.assets), where.file, where.line, where.path
            )
    return tuple(found.values())


def with_derived(classes: Mapping[str, AssetClass], derived: Iterable[Derived]) -> dict[str, AssetClass]:
    """The classes with the derived points among their own."""
    found = dict(classes)
    for item in derived:
        before = found[item.asset_class]
        found[item.asset_class] = replace(before, points={**before.points, item.point.key: item.point})
    return found


def _check(
    item: _Derived, classes: Mapping[str, AssetClass], found: Mapping[tuple[str, str], Derived]
) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it)."""
    if item.class_ not in classes:
        yield "class", f"there is no asset class {item.class_!r}; known: {', '.join(sorted(classes))}"
    elif classes[item.class_].point(item.key):
        yield "key", f"the class {item.class_} has a point {item.key!r} already"
    if not KEY.fullmatch(item.key) or "[n]" in item.key:
        yield "key", f"{item.key!r} is not a point key such as load.share"
    if (item.class_, item.key) in found:
        yield "key", f"{item.key!r} is already derived on line {found[item.class_, item.key].line}"
    if item.kind not in (None, Kind.ANALOG, Kind.DISCRETE):
        yield "kind", "a derived point is analog (a number) or discrete (a condition)"
    if item.unit and (item.kind is Kind.DISCRETE or not is_unit(item.unit)):
        yield "unit", f"{item.unit!r} is not one of the known UCUM units, or the point is no number"
    if item.range is not None and item.range[0] >= item.range[1]:
        yield "range", "the lower end is not below the upper end"


def _point(item: _Derived) -> Point:
    low, high = item.range or (None, None)
    return Point(
        key=item.key,
        kind=item.kind or Kind.ANALOG,
        label=item.labels.label(),
        unit=item.unit,
        low=low,
        high=high,
        deadband=item.deadband,
        interval=5.0,
        derived=True,
        template=item.key,
    )
