"""The cause-and-effect matrix of one fire panel, read and bound to the assets of a site: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from facility.points import Label
from rules.language.expression import Compiled

SETTLE_MS = 600_000
"""How long a run goes on after its last effect was decided, when its matrix says nothing else."""


@dataclass(frozen=True, slots=True)
class Term:
    """A condition at one asset. `index` is what `[n]` stands for, 0 where there is none; `limit` in ms from T0."""

    asset: str
    condition: Compiled
    limit: int
    index: int = 0

    @property
    def key(self) -> str:
        """What it is known by within its effect; the text is concrete."""
        return f"{self.asset}: {self.text}"

    @property
    def text(self) -> str:
        """The condition, its index filled in."""
        return self.condition.text.replace("[n]", f"[{self.index}]") if self.index else self.condition.text


@dataclass(frozen=True, slots=True)
class Proof:
    """It holds when `count` of its terms do. Proofs of one `part` support each other: one of several is weak."""

    terms: tuple[Term, ...]
    count: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of the matrix. `number` is that of the row (L1 is 1), `id` makes the alarm's id.

    `command` says that the panel has started it; an effect without proofs rests on it and is weak at best.
    `unexpected` is what must not be while nothing is burning. `continuous`: it has to stand from T0 to the end.
    `fallback`: the number of the effect in whose place it comes, 0 for none. `zones` empty: for every zone.
    `excused`: why it is not judged here. `limit` is the longest of its terms, ms.
    """

    number: int
    id: str
    label: Label
    missing: Label
    action: Label
    basis: str
    limit: int
    proofs: tuple[Proof, ...] = ()
    command: Compiled | None = None
    unexpected: Compiled | None = None
    continuous: bool = False
    fallback: int = 0
    zones: frozenset[int] = frozenset()
    excused: Label | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """How a fire in a zone is known to be confirmed: a condition, or two of these `devices` in alarm."""

    number: int
    label: Label
    confirmed: Compiled | None = None
    devices: tuple[Compiled, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """All of one panel. `alarm`: zone -> the condition that it is in alarm, to name the zone of a start signal."""

    panel: str
    fire: Compiled
    started: Compiled | None
    zones: tuple[Zone, ...]
    effects: tuple[Effect, ...]
    alarm: dict[int, Compiled] = field(default_factory=dict)
    settle: int = SETTLE_MS
    origin: str = ""

    def label(self, zone: int) -> Label:
        """The name of a zone."""
        found = next((item.label for item in self.zones if item.number == zone), None)
        return found or (Label(f"{zone}区", f"Zone {zone}") if zone else Label("未知防区", "Zone unknown"))
