"""What the pure engine asks the shell to do; frozen values, carried out by rules/service.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from facility.readings import Value
from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule's condition changed for an asset: raise after its whole `for`, clear after its whole `clear_for`.

    `at` is the instant of the transition (ms); `since` the instant of the reading that made the condition turn
    (so `at - since` is the delay). `facts` are the values that the rule looked at, by point key.
    `historical` is true when the readings were replayed and are too old to page anybody.
    """

    rule: Rule
    asset: str
    event: Literal["raise", "clear"]
    at: int
    since: int
    facts: dict[str, Value] = field(default_factory=dict)
    historical: bool = False
