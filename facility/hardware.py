"""Simulated hardware: what can go wrong with it, what people do to it, and the hands that make it happen; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from facility.points import Kind, Label

SELF, BELOW, GATEWAY = "self", "below", "gateway"
"""Who raises an expected alarm: the asset itself; what hangs on it, directly or through others (with a fault of one
branch, what hangs on that branch); the gateway that reads it."""


class On(StrEnum):
    """What a fault or an act befalls: the equipment, one measured point, a device's wire, a gateway, the broker, or
    the alarms and tickets of an asset, which the people on duty attend to."""

    ASSET = "asset"
    POINT = "point"
    DEVICE = "device"
    GATEWAY = "gateway"
    BROKER = "broker"
    PEOPLE = "people"


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

    `of` is self, below, gateway, or an asset class (every asset of it on which the rule runs). `planned`: no shipped
    rule has this id yet.
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


BROKER = "broker"
"""The id of the one broker as a subject."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that a scenario can act upon: an asset, a device, a gateway, or the broker.

    `points` are the keys and kinds of an asset's points that can be disturbed one by one. `unseen`: fault of a point ->
    the points on which nobody could see it.
    """

    on: On
    id: str
    faults: Mapping[str, Fault]
    acts: Mapping[str, Act] = field(default_factory=dict)
    points: Mapping[str, Kind] = field(default_factory=dict)
    unseen: Mapping[str, frozenset[str]] = field(default_factory=dict)


Subjects = Mapping[tuple[On, str], Subject]
"""(asset, device, gateway or broker; id) -> what can be done to it."""


@dataclass(frozen=True, slots=True)
class Running:
    """A fault that is on. `age` and `left` in seconds of the hardware's time; `left` None until somebody ends it."""

    on: On
    subject: str
    name: str
    point: str = ""
    params: Mapping[str, float] = field(default_factory=dict)
    age: float = 0.0
    left: float | None = None
    by_hand: bool = True
    """False for what a scenario has begun and will end itself."""


class Control(Protocol):
    """The hardware in somebody's hands. Refusals are ValueErrors that say what is possible."""

    @property
    def speed(self) -> float:
        """How fast the hardware's time runs."""
        ...

    @property
    def subjects(self) -> Subjects:
        """What there is, and what can be done to it."""
        ...

    @property
    def crashed(self) -> Mapping[str, str]:
        """Device id -> why its simulation broke down; it answers no more, the others go on."""
        ...

    def running(self) -> Sequence[Running]:
        """Every fault that is on, the oldest first."""
        ...

    def begin(
        self, on: On, subject: str, name: str, *, point: str, params: Mapping[str, float], lasts: float | None
    ) -> None:
        """Begin a fault; it ends by itself after `lasts` seconds of the hardware's time, by `end` if that is None."""
        ...

    def end(self, on: On, subject: str, name: str, *, point: str) -> None:
        """End a fault that was begun by hand."""
        ...

    def act(self, on: On, subject: str, name: str, *, params: Mapping[str, float]) -> None:
        """Do what a person does to the equipment."""
        ...
