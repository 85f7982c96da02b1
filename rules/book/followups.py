"""What a rule file says of the telling of its alarms: causes, effects, steps of escalation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pydantic import Field

from facility.yamlfile import Path_, Strict
from rules.life.escalation import wrong
from rules.rule import Escalation, Raises, Severity

CAUSES = frozenset({"supply", "comms"})
"""The words of the shipped rules for what an alarm is the cause of; rules of a site may have others."""
WORD = r"^([a-z][a-z0-9_]*)?$"

Told = Callable[[Path_, str], None]
"""(place, what is wrong there): note a problem."""


class Step(Strict):
    """One step of `escalate`: after this span the alarm has this severity."""

    after: str | float
    severity: int = Field(ge=1, le=4)
    until: Literal["cleared", "acknowledged"] = "cleared"


def steps_of(
    place: Path_,
    steps: Sequence[Step],
    severity: int | None,
    seconds: Callable[[Path_, str | float], float],
    tell: Told,
) -> tuple[Escalation, ...]:
    """The steps of a rule of this severity; `seconds` reads a span. What is wrong with them is told."""
    found = tuple(
        Escalation(
            seconds((*place, number, "after"), step.after),
            Severity(step.severity),
            until_acknowledged=step.until == "acknowledged",
        )
        for number, step in enumerate(steps)
    )
    if severity and (problem := wrong(found, severity)):
        tell(place, problem)
    return found


def check_effects(
    place: Path_, effect_of: Sequence[str], severity: int | None, raises: Raises | None, tell: Told
) -> None:
    """An emergency may not be an effect."""
    if effect_of and (severity == Severity.EMERGENCY or raises is Raises.EMERGENCY):
        tell(place, "an emergency is nobody's consequence: it is always told on its own")


def check_words(effects: Iterable[tuple[Told, Path_, Sequence[str]]], causes: Iterable[str]) -> None:
    """A rule may be the effect only of what some rule is the cause of. `effects`: of each rule its place and words."""
    known = {*causes, *CAUSES} - {""}
    for tell, place, words in effects:
        for number, word in enumerate(words):
            if word not in known:
                names = ", ".join(sorted(known))
                tell((*place, number), f"no rule says that it is the cause of {word!r}; known: {names}")
