"""The repertoire as data: every fault and every act by name, with its params, its length, and the alarms it must raise.

`faults/*.yaml` hold them, one file per asset class and one for each other thing that can fail. What a fault does to the
points is the model's; what must come of it is the oracle's: the alarms that are raised when the fault is played with
its default params for its whole length, each with severity and the seconds after the beginning in which it comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from facility.classfile import Labels
from facility.errors import ConfigError, Problem
from facility.points import Kind, Label
from facility.units import is_unit
from facility.yamlfile import Document, Strict, files, load

FOLDER = Path(__file__).parent / "faults"
SELF, BELOW, GATEWAY = "self", "below", "gateway"
"""Who raises an expected alarm: the asset itself, every asset that it feeds, the gateway that reads it."""


class On(StrEnum):
    """What a fault or an act befalls: the equipment, one measured point, a device's wire, a gateway, the broker."""

    ASSET = "asset"
    POINT = "point"
    DEVICE = "device"
    GATEWAY = "gateway"
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Param:
    """A number that shapes a fault or an act, in `unit` (UCUM), between `low` and `high`."""

    default: float
    unit: str
    low: float
    high: float
    label: Label


@dataclass(frozen=True, slots=True)
class Expected:
    """An alarm that must be raised: by the rule `rule`, on `of`, `first`..`last` seconds after the fault began.

    `of` is self, below, gateway, or an asset class (every asset of it). `planned`: no shipped rule has this id yet.
    """

    rule: str
    severity: int
    first: float
    last: float
    of: str = SELF
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure by name. `id` is that of its signature, `lasts` the seconds of its whole time course.

    `points`: the kinds of points that a fault of one point can befall.
    """

    name: str
    id: str
    on: On
    label: Label
    lasts: float
    asset_class: str = ""
    params: Mapping[str, Param] = field(default_factory=dict)
    points: frozenset[Kind] = frozenset()
    expect: tuple[Expected, ...] = ()

    def filled(self, params: Mapping[str, float]) -> dict[str, float]:
        """Every param: as given, else its default."""
        return {name: param.default for name, param in self.params.items()} | dict(params)


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person does to the equipment, in a moment."""

    name: str
    on: On
    label: Label
    asset_class: str = ""
    params: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repertoire:
    """All faults and acts, by (asset class, or what they befall where that is no asset; name)."""

    faults: Mapping[tuple[str, str], Fault]
    acts: Mapping[tuple[str, str], Act]

    def faults_of(self, owner: str) -> dict[str, Fault]:
        """The faults of an asset class, or of point, device, gateway, broker: by name."""
        return {name: fault for (whose, name), fault in self.faults.items() if whose == owner}

    def acts_of(self, owner: str) -> dict[str, Act]:
        """The acts of an asset class by name."""
        return {name: act for (whose, name), act in self.acts.items() if whose == owner}


class _Param(Strict):
    default: float
    unit: str = "1"
    range: tuple[float, float]
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class _Expected(Strict):
    rule: str = Field(pattern=r"^[a-z_]+\.[a-z0-9_]+$")
    severity: int = Field(ge=1, le=4)
    within: tuple[float, float]
    of: str = SELF
    planned: bool = False


class _Fault(Strict):
    id: str = Field(pattern=r"^[A-Z]{1,2}[0-9]{2}$")
    labels: Labels
    lasts: float = Field(gt=0)
    params: dict[str, _Param] = {}
    points: list[Kind] = []
    expect: list[_Expected] = []
    because: str = Field(default="", description="why nothing is expected, where nothing is")


class _Act(Strict):
    labels: Labels
    params: dict[str, _Param] = {}


class _File(Strict):
    on: On = On.ASSET
    class_: str = Field(default="", alias="class")
    faults: dict[str, _Fault] = {}
    acts: dict[str, _Act] = {}


@lru_cache(maxsize=1)
def repertoire() -> Repertoire:
    """The shipped repertoire; ConfigError with every problem of every file."""
    return load_repertoire(FOLDER)


def load_repertoire(folder: Path) -> Repertoire:
    """The faults and acts of a folder's YAML files; ConfigError with every problem."""
    faults: dict[tuple[str, str], Fault] = {}
    acts: dict[tuple[str, str], Act] = {}
    problems: list[Problem] = []
    for path in files(folder):
        document = load(path)
        try:
            spec = document.parse(_File)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += _check(document, spec)
        owner = spec.class_ or spec.on
        for name, item in spec.faults.items():
            if (owner, name) in faults:
                problems.append(document.problem(("faults", name), f"{owner} has a fault {name!r} already"))
            faults[owner, name] = _fault(name, item, spec)
        for name, item_ in spec.acts.items():
            if (owner, name) in acts:
                problems.append(document.problem(("acts", name), f"{owner} has an act {name!r} already"))
            acts[owner, name] = Act(name, spec.on, item_.labels.label(), spec.class_, _params(item_.params))
    if problems:
        raise ConfigError(problems)
    return Repertoire(faults, acts)


def _fault(name: str, item: _Fault, spec: _File) -> Fault:
    expect = tuple(
        Expected(one.rule, one.severity, one.within[0], one.within[1], one.of, one.planned) for one in item.expect
    )
    label, points = item.labels.label(), frozenset(item.points)
    return Fault(name, item.id, spec.on, label, item.lasts, spec.class_, _params(item.params), points, expect)


def _params(params: Mapping[str, _Param]) -> dict[str, Param]:
    return {
        name: Param(item.default, item.unit, item.range[0], item.range[1], Label(item.zh, item.en))
        for name, item in params.items()
    }


def _check(document: Document, spec: _File) -> Iterator[Problem]:
    if (spec.on is On.ASSET) != bool(spec.class_):
        yield document.problem((), "name the asset class of faults on an asset, and of no others")
    for name, item in spec.faults.items():
        place = ("faults", name)
        yield from _check_params(document, place, item.params)
        if bool(item.expect) == bool(item.because):
            yield document.problem(place, "say what is expected, or because of what nothing is")
        if (spec.on is On.POINT) != bool(item.points):
            yield document.problem(place, "faults of a point say which kinds of points, others do not")
        for number, one in enumerate(item.expect):
            if not 0 <= one.within[0] <= one.within[1]:
                yield document.problem((*place, "expect", number, "within"), "is not [first, last] second")
    for name, act in spec.acts.items():
        yield from _check_params(document, ("acts", name), act.params)


def _check_params(document: Document, place: tuple[str, ...], params: Mapping[str, _Param]) -> Iterator[Problem]:
    for name, item in params.items():
        if not is_unit(item.unit):
            yield document.problem(
                (*place, "params", name, "unit"), f"{item.unit!r} is not one of the known UCUM units"
            )
        if not item.range[0] <= item.default <= item.range[1]:
            yield document.problem((*place, "params", name), "the default is outside the range")
