"""What the pure engine asks the shell to do; frozen values, carried out by rules/role/service.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from facility.readings import Quality, Value
from rules.conditions import State
from rules.rule import Rule

Kind = Literal["raise", "clear", "suppress", "release"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading as it was known at an instant: its value (None unless good), quality and its own instant (ms).

    Quality None and instant 0: none has come yet.
    """

    value: Value
    quality: Quality | None
    at: int


Look = Callable[[str, Iterable[str]], Mapping[str, Seen]]
"""(asset, points) -> what is known of these points now; those that nobody knows are left out."""


def blind(_asset: str, _points: Iterable[str]) -> Mapping[str, Seen]:
    """The Look of somebody who sees no readings."""
    return {}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule's condition changed for an asset: raise after its whole `for`, clear after its whole `clear_for`.

    `suppress` and `release` say that the plant's own logic (the rule's `suppress`) keeps the alarm quiet from now on,
    and no longer. A `suppress` comes before the raise that it keeps quiet, a `release` after whatever it kept quiet.

    `at` is the instant of the transition (ms); `since` the instant of the reading that made the condition turn
    (so `at - since` is the delay). `facts` are the values that the rule looked at, by point key.
    `seen` are the same readings with quality and age. `historical` is true when the readings were replayed and are too
    old to page anybody. `late`: newer readings had been judged before.
    """

    rule: Rule
    asset: str
    event: Kind
    at: int
    since: int
    facts: dict[str, Value] = field(default_factory=dict)
    historical: bool = False
    seen: dict[str, Seen] = field(default_factory=dict)
    late: bool = False

    @property
    def key(self) -> tuple[str, int, str]:
        """(rule, index, asset): the alarm that it is about."""
        return self.rule.id, self.rule.index, self.asset


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one condition that is not normal, as `snapshot` gives it and `restore` takes it."""

    key: tuple[str, int, str]
    state: State
