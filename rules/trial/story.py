"""A rule test once it is read: what is told when, and what is expected of the rules. Instants are ms from its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from facility.assets import Asset
from rules.effects import Kind
from rules.engine import Key
from rules.trial.notation import Told, written


class Shown(StrEnum):
    """How an alarm of one rule stands at an instant.

    none: not raised up to then (a delay may be running); pending: its `for` is running; active: raised, also while its
    `clear_for` is running; clearing: that delay is running; latched: over, but held until somebody resets it; cleared:
    over.
    """

    NONE = "none"
    PENDING = "pending"
    ACTIVE = "active"
    CLEARING = "clearing"
    LATCHED = "latched"
    CLEARED = "cleared"

    def meets(self, expected: Shown) -> bool:
        """Whether this is what was expected: pending is also none, clearing is also active."""
        return self is expected or (self, expected) in _ALSO


_ALSO = {(Shown.PENDING, Shown.NONE), (Shown.CLEARING, Shown.ACTIVE)}


@dataclass(frozen=True, slots=True)
class Telling:
    """What the points of one asset tell at one instant."""

    at: int
    asset: str
    told: Mapping[str, Told]


@dataclass(frozen=True, slots=True)
class Expected:
    """The state that the alarm of a rule has at an instant; `severity` None: any. `line` is where it is written."""

    at: int
    key: Key
    shown: Shown
    severity: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Transition:
    """One judgement. `since` and `severity` None in a test: any."""

    at: int
    event: Kind
    key: Key
    since: int | None = None
    severity: int | None = None

    def meets(self, expected: Transition) -> bool:
        """Whether this, which happened, is what was expected."""
        return (
            (self.at, self.event, self.key) == (expected.at, expected.event, expected.key)
            and expected.since in (None, self.since)
            and expected.severity in (None, self.severity)
        )

    def line(self, main: str) -> str:
        """As a test has it: `24 raise elevator.entrapment since 14`; `main` is the asset that needs no name."""
        text = f"{self.at / 1000:g} {self.event} {named(self.key, main)}"
        text += f" since {self.since / 1000:g}" if self.since is not None else ""
        return text + (f" severity {self.severity}" if self.severity is not None else "")


def named(key: Key, main: str) -> str:
    """A rule as a test has it: `id`, `id[2]`, `B/id`."""
    rule, index, asset = key
    return (f"{asset}/" if asset != main else "") + rule + (f"[{index}]" if index else "")


@dataclass(frozen=True, slots=True)
class Story:
    """One test. `asset` is the one that needs no name; `points`: asset -> the points that the test speaks of.

    `start` is its first instant (ms UTC). `transitions` None: nothing is said of them; else they are all there are.
    """

    name: str
    file: str
    line: int
    shipped: bool
    asset: str
    assets: Mapping[str, Asset]
    points: Mapping[str, frozenset[str]]
    start: int
    until: int
    tellings: tuple[Telling, ...]
    expected: tuple[Expected, ...] = ()
    transitions: tuple[Transition, ...] | None = None

    @property
    def title(self) -> str:
        """file:line and the name, for lists."""
        return f"{self.file}:{self.line}: {self.name}"

    def when(self, ms: int) -> str:
        """An instant of it, for people."""
        return written(ms)
