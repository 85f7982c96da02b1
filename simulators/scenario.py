"""A scenario: faults at instants, read from strict YAML, every problem at once; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from facility.errors import ConfigError, Problem
from facility.yamlfile import Document, Strict, load


@dataclass(frozen=True, slots=True)
class Action:
    """One fault: from `at` for `lasts` seconds of scenario time."""

    at: float
    asset: str
    fault: str
    lasts: float
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def until(self) -> float:
        """When it ends."""
        return self.at + self.lasts


@dataclass(frozen=True, slots=True)
class Scenario:
    """Actions in the order of their beginning. `duration` in seconds; `seed` for the models' noise."""

    name: str
    duration: float
    seed: int
    actions: tuple[Action, ...]

    def timeline(self) -> list[tuple[float, bool, Action]]:
        """(instant, True to begin or False to end, action) in order of time; ends come before beginnings."""
        marks = [(action.at, True, action) for action in self.actions]
        marks += [(action.until, False, action) for action in self.actions]
        return sorted(marks, key=lambda mark: (mark[0], mark[1]))


class _Step(Strict):
    at: float
    fault: str
    asset: str
    for_: float = Field(alias="for")
    params: dict[str, float] = {}


class _File(Strict):
    duration: float
    seed: int = 1
    steps: list[_Step] = []


def load_scenario(path: Path, known: Mapping[str, Set[str]]) -> Scenario:
    """The scenario of a file; ConfigError with every problem, file and line.

    `known`: asset -> the names of its faults.
    """
    document = load(path)
    spec = document.parse(_File)
    problems = list(_check(document, spec, known))
    if problems:
        raise ConfigError(problems)
    steps = sorted(spec.steps, key=lambda step: step.at)
    actions = tuple(Action(step.at, step.asset, step.fault, step.for_, dict(step.params)) for step in steps)
    return Scenario(path.stem, spec.duration, spec.seed, actions)


def _check(document: Document, spec: _File, known: Mapping[str, Set[str]]) -> Iterator[Problem]:
    if spec.duration <= 0:
        yield document.problem(("duration",), f"{spec.duration:g} is not more than 0 seconds")
    for number, step in enumerate(spec.steps):
        yield from _check_step(document, number, step, known)
        if step.at + step.for_ > spec.duration > 0:
            place = ("steps", number, "for")
            yield document.problem(place, f"ends at {step.at + step.for_:g} s, after the duration of {spec.duration:g}")
        for other in range(number):
            before = spec.steps[other]
            same = (before.asset, before.fault) == (step.asset, step.fault)
            if same and before.at < step.at + step.for_ and step.at < before.at + before.for_:
                line = document.line(("steps", other))
                yield document.problem(
                    ("steps", number, "at"), f"{step.fault} of {step.asset} overlaps the one on line {line}"
                )


def _check_step(document: Document, number: int, step: _Step, known: Mapping[str, Set[str]]) -> Iterator[Problem]:
    place = ("steps", number)
    if step.at < 0:
        yield document.problem((*place, "at"), f"{step.at:g} is before the beginning")
    if step.for_ <= 0:
        yield document.problem((*place, "for"), f"{step.for_:g} is not more than 0 seconds")
    faults = known.get(step.asset)
    if faults is None:
        assets = ", ".join(sorted(known))
        yield document.problem((*place, "asset"), f"there is no simulated asset {step.asset!r}; known: {assets}")
    elif step.fault not in faults:
        names = ", ".join(sorted(faults))
        yield document.problem((*place, "fault"), f"{step.asset} has no fault {step.fault!r}; known: {names}")
