"""What a rule is, once it is read, checked and compiled: data that the engine evaluates and people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from facility.points import Label
from rules.schedule import Hours


class Severity(IntEnum):
    """1 emergency (life safety, fast loss), 2 urgent (service lost), 3 maintenance, 4 advisory."""

    EMERGENCY = 1
    URGENT = 2
    MAINTENANCE = 3
    ADVISORY = 4


class Raises(StrEnum):
    """What follows from the alarm."""

    EMERGENCY = "emergency"
    TICKET = "ticket"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Escalation:
    """After `after` seconds the alarm has this severity; `until_acknowledged`: unless somebody has acknowledged it."""

    after: float
    severity: Severity
    until_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a class. `when`/`clear`/`enable`/`suppress` are expression texts; durations in seconds.

    While `suppress` is true the plant itself keeps the alarm quiet: it is judged, listed, and told when that ends.
    `index` is n of a rule written over `[n]` points, else 0: the rulebook expands such a rule per index.
    `clear` empty: the alarm clears when `when` is false. `schedule`: the local hours in which it holds,
    always if empty.
    `origin` is file:line, for people; `text` and `version` as rules/versions.py gives them.
    `shadow`: what it raises reaches nobody; `shadow_of` is the live rule that it is to replace, if there is one.
    `cause`: what the alarm may be the cause of downstream, such as `supply`; `effect_of`: what may be its cause.
    `escalate`: steps of time, each to a worse severity.
    """

    id: str
    asset_class: str
    label: Label
    guidance: Label
    severity: Severity
    raises: Raises
    when: str
    clear: str = ""
    enable: str = ""
    suppress: str = ""
    delay: float = 0.0
    clear_delay: float = 0.0
    latch: bool = False
    shelvable: bool = True
    index: int = 0
    schedule: tuple[Hours, ...] = ()
    assets: frozenset[str] = frozenset()
    shadow: bool = False
    shadow_of: str = ""
    origin: str = ""
    text: str = ""
    version: str = ""
    cause: str = ""
    effect_of: frozenset[str] = frozenset()
    escalate: tuple[Escalation, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
