"""Which points are held against which checks, as data: the shipped `checks.yaml` and a site's own `rules/data.yaml`.

A file has layers, `every` class, then `classes`, then `assets`; in each a point is found by its kind (analog, counter,
discrete), by its template (`pump[n].current`) or by its key, and what comes later counts. A site's file goes over the
shipped one. `false` takes a check away.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from facility.assets import Asset
from facility.catalog import Catalog
from facility.classfile import AssetClass, Labels
from facility.errors import ConfigError, Problem
from facility.points import Kind, Point
from facility.yamlfile import Document, Path_, Strict, load
from rules.language.expression import INDEXED, compile_expression
from rules.language.grammar import ExpressionError, milliseconds
from rules.rule import Raises

FILE = "data.yaml"
"""The name of a site's own file, among its rules."""
SHIPPED = Path(__file__).parent / "checks.yaml"
NUMBERS = (Kind.ANALOG, Kind.COUNTER)
FITS = {
    "no_value": NUMBERS, "noisy": (Kind.ANALOG,), "counter_reset": (Kind.COUNTER,), "chattering": (Kind.DISCRETE,),
    "stuck_value": NUMBERS, "despike": (Kind.ANALOG,),
}  # fmt: skip
"""Check -> the kinds of points that it makes sense for."""
MAX_SPAN_MS = 24 * 3_600_000


class Often(Strict):
    """`times` events within a span; `step` (per cent of the point's range) is what counts as one, of a number."""

    times: int = Field(ge=2, le=1000)
    within: str = "60s"
    step: float = Field(default=0.0, ge=0, le=100)


class StuckSpec(Strict):
    """The same value for `for`, while one of the conditions of `while` held: those whose points the asset has."""

    for_: str = Field(default="10m", alias="for")
    while_: list[str] = Field(alias="while", min_length=1, max_length=5)


class Entry(Strict):
    """What is held against some points; None: as said before."""

    no_value: bool | None = None
    noisy: Often | Literal[False] | None = None
    counter_reset: bool | None = None
    chattering: Often | Literal[False] | None = None
    stuck_value: StuckSpec | Literal[False] | None = None
    despike: bool | None = None


class AlarmSpec(Strict):
    """The alarm behind a check. A site's file may say a part of it only."""

    labels: Labels | None = None
    guidance: Labels | None = None
    severity: int | None = Field(default=None, ge=1, le=4)
    raises: Raises | None = None
    for_: str | None = Field(default=None, alias="for")
    clear_for: str | None = None


class _File(Strict):
    alarms: dict[Literal["no_value", "noisy", "counter_reset", "chattering", "stuck_value"], AlarmSpec] = {}
    every: dict[str, Entry] = {}
    classes: dict[str, dict[str, Entry]] = {}
    assets: dict[str, dict[str, Entry]] = {}


@dataclass(frozen=True, slots=True)
class Checks:
    """Everything that is said about checks, in the order in which it counts. `origin`: file:line of an alarm."""

    files: tuple[_File, ...] = ()
    alarms: Mapping[str, AlarmSpec] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)

    def of(self, point: Point, asset: Asset) -> Entry:
        """What is held against a point of an asset."""
        entry = Entry()
        for file in self.files:
            for layer in (file.every, file.classes.get(asset.asset_class, {}), file.assets.get(asset.id, {})):
                for name in dict.fromkeys((point.kind.value, point.template, point.key)):
                    if name in layer:
                        entry = entry.model_copy(update=_said(layer[name]))
        fitting = {name: None for name, kinds in FITS.items() if point.kind not in kinds}
        return entry.model_copy(update=fitting)


def read_checks(
    folders: Iterable[Path], catalog: Catalog, *, assets: Mapping[str, Asset] | None
) -> tuple[Checks, list[Problem]]:
    """The shipped checks with those of the folders over them, and every problem. `assets` None: they are not known."""
    checks, problems = Checks(), list[Problem]()
    for path in (SHIPPED, *(folder / FILE for folder in folders)):
        if not path.exists():
            continue
        try:
            document = load(path)
        except ConfigError as error:
            problems += error.problems
            continue
        found, wrong = document.read(_File)
        problems += wrong
        if found is not None:
            problems += _wrong(document, found, catalog, assets)
            checks = _over(checks, document, found)
    return checks, problems


def _said(item: Strict) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.model_fields_set if getattr(item, name) is not None}


def _over(checks: Checks, document: Document, found: _File) -> Checks:
    alarms, origin = dict(checks.alarms), dict(checks.origin)
    for name, alarm in found.alarms.items():
        alarms[name] = alarms[name].model_copy(update=_said(alarm)) if name in alarms else alarm
        origin[name] = f"{document.file}:{document.line(('alarms', name))}"
    return replace(checks, files=(*checks.files, found), alarms=alarms, origin=origin)


def _wrong(document: Document, found: _File, catalog: Catalog, assets: Mapping[str, Asset] | None) -> Iterator[Problem]:
    for name, alarm in found.alarms.items():
        for key, text in (("for", alarm.for_), ("clear_for", alarm.clear_for)):
            yield from _span(document, ("alarms", name, key), text)
    for key, entry in found.every.items():
        yield from _of_kind(document, ("every", key), entry)
    for section, owners in (("classes", found.classes), ("assets", found.assets)):
        for owner, layer in owners.items():
            asset_class = owner if section == "classes" else _class_of(owner, assets)
            if asset_class in catalog.classes:
                yield from _of_layer(document, (section, owner), layer, catalog.classes[asset_class])
            elif section == "classes":
                yield document.problem((section, owner), f"there is no asset class {owner!r}")
            elif assets is not None:
                yield document.problem((section, owner), f"there is no asset {owner!r}")


def _class_of(asset: str, assets: Mapping[str, Asset] | None) -> str:
    return assets[asset].asset_class if assets and asset in assets else ""


def _of_kind(document: Document, place: Path_, entry: Entry) -> Iterator[Problem]:
    if place[-1] in set(Kind):
        yield from _of_entry(document, place, entry, Kind(str(place[-1])))
    else:
        yield document.problem(place, "here a point is named by its kind: analog, counter, discrete")


def _of_layer(
    document: Document, place: Path_, layer: Mapping[str, Entry], asset_class: AssetClass
) -> Iterator[Problem]:
    templates = {point.template for point in asset_class.points.values()}
    for key, entry in layer.items():
        here = (*place, key)
        if key in set(Kind):
            yield from _of_entry(document, here, entry, Kind(key))
            continue
        if key not in templates and key not in asset_class.points:
            near = difflib.get_close_matches(key, templates | set(asset_class.points), n=3, cutoff=0.6)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            yield document.problem(here, f"the class {asset_class.id} has no point {key!r}{hint}")
            continue
        point = asset_class.points.get(key) or asset_class.points[key.replace("[n]", "[1]")]
        yield from _of_entry(document, here, entry, point.kind)
        if isinstance(entry.stuck_value, StuckSpec):
            yield from _of_conditions(document, (*here, "stuck_value"), entry.stuck_value, point, asset_class)


def _of_entry(document: Document, place: Path_, entry: Entry, kind: Kind) -> Iterator[Problem]:
    if place[-1] in set(Kind) and isinstance(entry.stuck_value, StuckSpec):
        yield document.problem((*place, "stuck_value"), "has witnesses of its own, so it is said of one point")
    for name in _said(entry):
        here = (*place, name)
        if getattr(entry, name) is not False and kind not in FITS[name]:
            yield document.problem(here, f"a point of kind {kind} can't be {name}")
    for often in (entry.noisy, entry.chattering):
        if isinstance(often, Often):
            yield from _span(document, place, often.within)
    if isinstance(entry.noisy, Often) and not entry.noisy.step:
        yield document.problem((*place, "noisy"), "needs a step above 0, in per cent of the point's range")


def _of_conditions(
    document: Document, place: Path_, spec: StuckSpec, point: Point, asset_class: AssetClass
) -> Iterator[Problem]:
    yield from _span(document, (*place, "for"), spec.for_)
    for number, text in enumerate(spec.while_):
        try:
            compiled = compile_expression(text, asset_class, index=1 if INDEXED.search(text) else 0)
        except ExpressionError as error:
            yield document.problem((*place, "while", number), str(error))
            continue
        if point.key in compiled.points:
            yield document.problem((*place, "while", number), f"{point.key} can't bear witness against itself")


def seconds(text: str) -> float:
    """A checked span in seconds."""
    return (milliseconds(text) or 0) / 1000


def _span(document: Document, place: Path_, text: str | None) -> Iterator[Problem]:
    if text is not None and not 1000 <= (milliseconds(text) or 0) <= MAX_SPAN_MS:
        yield document.problem(place, f"{text!r} is no span of 1 s to 24 h, such as 60s or 10m")
