"""Asset classes as data: read `classes/*.yaml` into the canonical points of a class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from facility.errors import ConfigError, Problem
from facility.points import KEY, Kind, Label, Point, State
from facility.units import is_unit
from facility.yamlfile import Document, Strict


@dataclass(frozen=True, slots=True)
class AssetClass:
    """A kind of equipment. `points` has every concrete key, indexed points expanded, in the file's order.

    `life_safety`: it is observed, and never commanded, whatever a profile says.
    """

    id: str
    label: Label
    points: Mapping[str, Point]
    life_safety: bool = False

    def point(self, key: str) -> Point | None:
        """The point with this concrete key, or None."""
        return self.points.get(key)


class Labels(Strict):
    """A text in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def label(self) -> Label:
        """As the domain value."""
        return Label(self.zh, self.en)


class _State(Strict):
    code: str = Field(pattern=r"^[a-z0-9_]+$")
    zh: str
    en: str


class _Point(Strict):
    kind: Kind
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    unit: str = ""
    range: tuple[float, float] | None = None
    deadband: float = Field(default=0.0, ge=0)
    interval: float = Field(default=1.0, gt=0)
    critical: bool = False
    derived: bool = False
    states: dict[int, _State] = {}


class _Class(Strict):
    class_: str = Field(alias="class", pattern=r"^[a-z][a-z0-9_]*$")
    labels: Labels
    life_safety: bool = False
    indices: dict[str, int] = {}
    points: dict[str, _Point] = Field(min_length=1)


def read_class(document: Document) -> AssetClass:
    """One class file as an AssetClass; ConfigError with every problem."""
    spec = document.parse(_Class)
    problems: list[Problem] = []
    points: dict[str, Point] = {}
    for key, item in spec.points.items():
        problems += _check(document, key, item)
        for index, concrete in _expand(key, spec.indices):
            if index < 0:
                problems.append(document.problem(("points", key), "has [n], but `indices` has no limit for it"))
                continue
            points[concrete] = _point(concrete, key, index, item)
    if problems:
        raise ConfigError(problems)
    return AssetClass(spec.class_, spec.labels.label(), points, spec.life_safety)


def _expand(key: str, indices: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """(index, concrete key) of each point that a template stands for; index -1 when its limit is missing."""
    if "[n]" not in key:
        yield 0, key
        return
    limit = indices.get(key[: key.index("[n]")])
    if limit is None:
        yield -1, key
        return
    for index in range(1, limit + 1):
        yield index, key.replace("[n]", f"[{index}]")


def _check(document: Document, key: str, item: _Point) -> Iterator[Problem]:
    place = ("points", key)
    if not KEY.fullmatch(key) or key.count("[n]") > 1:
        yield document.problem(place, "is not a point key such as car.floor or pump[n].freq")
    numeric = item.kind in (Kind.ANALOG, Kind.COUNTER)
    if numeric and not is_unit(item.unit):
        yield document.problem((*place, "unit"), f"{item.unit!r} is not one of the known UCUM units")
    if not numeric and item.unit:
        yield document.problem((*place, "unit"), f"a point of kind {item.kind} has no unit")
    if item.kind is Kind.ANALOG and item.range is None:
        yield document.problem(place, "an analog point needs a range")
    if item.range is not None and item.range[0] >= item.range[1]:
        yield document.problem((*place, "range"), "the lower end is not below the upper end")
    if item.kind is Kind.ENUM and not item.states:
        yield document.problem(place, "an enum needs its states")
    if item.kind is Kind.DISCRETE and set(item.states) - {0, 1}:
        yield document.problem((*place, "states"), "a discrete point has the states 0 and 1")


def _point(key: str, template: str, index: int, item: _Point) -> Point:
    low, high = item.range if item.range else (None, None)
    return Point(
        key=key,
        kind=item.kind,
        label=Label(item.zh, item.en).fill(index),
        unit=item.unit,
        low=low,
        high=high,
        deadband=item.deadband,
        interval=item.interval,
        critical=item.critical,
        derived=item.derived,
        states={number: State(number, state.code, Label(state.zh, state.en)) for number, state in item.states.items()},
        template=template,
        index=index,
    )
