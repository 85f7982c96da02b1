"""A scenario: faults, wire faults and acts at instants, read from strict YAML, every problem at once; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from facility.errors import ConfigError, Problem
from facility.hardware import BROKER, Act, Fault, On, Param, Subject, Subjects
from facility.yamlfile import Document, Strict, load


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that happens: a fault from `at` for `lasts` seconds of scenario time, or an act (`lasts` None) at once.

    `on` says whose fault it is; a fault of a point befalls `point` of the asset `subject`.
    """

    at: float
    on: On
    subject: str
    name: str
    lasts: float | None = None
    point: str = ""
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def until(self) -> float:
        """When it ends."""
        return self.at + (self.lasts or 0.0)

    @property
    def key(self) -> tuple[On, str, str, str]:
        """What can be on only once at a time."""
        return self.on, self.subject, self.point, self.name


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
        marks += [(action.until, False, action) for action in self.actions if action.lasts is not None]
        return sorted(marks, key=lambda mark: (mark[0], mark[1]))


class _Step(Strict):
    at: float
    fault: str = ""
    act: str = ""
    asset: str = ""
    device: str = ""
    gateway: str = ""
    point: str = ""
    for_: float | None = Field(default=None, alias="for")
    params: dict[str, float] = {}


class _File(Strict):
    duration: float
    seed: int = 1
    steps: list[_Step] = []


def load_scenario(path: Path, subjects: Subjects) -> Scenario:
    """The scenario of a file; ConfigError with every problem, file and line. `subjects`: what can be acted upon."""
    document = load(path)
    spec = document.parse(_File)
    problems: list[Problem] = []
    found: list[tuple[int, Action]] = []
    if spec.duration <= 0:
        problems.append(document.problem(("duration",), f"{spec.duration:g} is not more than 0 seconds"))
    for number, step in enumerate(spec.steps):
        action = _action(document, number, step, subjects, problems)
        lasts = action.lasts if action else step.for_
        problems += _check_time(document, number, step.at, lasts, duration=spec.duration)
        if action:
            problems += _check_overlap(document, number, action, found)
            found.append((number, action))
    if problems:
        raise ConfigError(problems)
    actions = sorted((action for _, action in found), key=lambda action: action.at)
    return Scenario(path.stem, spec.duration, spec.seed, tuple(actions))


def scenario_seed(path: Path) -> int:
    """The seed of a scenario's file, whatever else it says; ConfigError when it is none."""
    return load(path).parse(_File).seed


def _action(document: Document, number: int, step: _Step, subjects: Subjects, problems: list[Problem]) -> Action | None:
    """The step as an action, or None with the reasons in `problems`."""
    place = ("steps", number)
    if bool(step.fault) == bool(step.act):
        problems.append(document.problem(place, "needs either a fault or an act"))
        return None
    named = {On.ASSET: step.asset, On.DEVICE: step.device, On.GATEWAY: step.gateway}
    given = [(on, name) for on, name in named.items() if name]
    if len(given) > 1:
        problems.append(document.problem(place, "names more than one of asset, device and gateway"))
        return None
    on, name = given[0] if given else (On.BROKER, BROKER)
    subject = subjects.get((on, name))
    if subject is None:
        known = ", ".join(sorted(id_ for kind, id_ in subjects if kind is on)) or "none here"
        what = f"no simulated {on} {name!r}" if given else "no broker that can be disturbed here; name an asset"
        problems.append(document.problem((*place, str(on)), f"there is {what}; known: {known}"))
        return None
    found = len(problems)
    deed = _deed(document, number, step, subject, problems)
    if deed is None or len(problems) > found:
        return None
    lasts = None if isinstance(deed, Act) else deed.lasts if step.for_ is None else step.for_
    return Action(step.at, deed.on, name, deed.name, lasts, step.point, dict(step.params))


def _deed(
    document: Document, number: int, step: _Step, subject: Subject, problems: list[Problem]
) -> Fault | Act | None:
    """The fault or the act that the step names, its point and params checked."""
    place = ("steps", number)
    kind, wanted = ("fault", step.fault) if step.fault else ("act", step.act)
    known: Mapping[str, Fault | Act] = subject.faults if step.fault else subject.acts
    deed = known.get(wanted)
    if deed is None:
        names = ", ".join(sorted(known)) or "none"
        problems.append(document.problem((*place, kind), f"{subject.id} has no {kind} {wanted!r}; known: {names}"))
        return None
    if isinstance(deed, Act) and step.for_ is not None:
        problems.append(document.problem((*place, "for"), "an act is done in a moment"))
    problems += (document.problem((*place, "point"), text) for text in check_point(deed, step.point, subject))
    problems += (document.problem((*place, "params", name), text) for name, text in check_params(deed, step.params))
    return deed


def check_point(deed: Fault | Act, point: str, subject: Subject) -> Iterator[str]:
    """What is wrong with the point that a fault of a point names."""
    if deed.on is not On.POINT or isinstance(deed, Act):
        if point:
            yield f"{deed.name} is no fault of one point"
    elif not point:
        yield f"{deed.name} needs the point that it befalls"
    elif point not in subject.points:
        yield f"{subject.id} has no point {point!r}"
    elif subject.points[point] not in deed.points:
        kinds = ", ".join(sorted(deed.points))
        yield f"{deed.name} befalls points of kind {kinds}; {point} is {subject.points[point]}"
    elif point in subject.unseen.get(deed.name, ()):
        yield f"{deed.name} can't be shown by {point}: every number of its register is a value that can be"


def check_params(deed: Fault | Act, params: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """(name, what is wrong) of params that the deed does not have or that are out of range."""
    for name, value in params.items():
        param: Param | None = deed.params.get(name)
        if param is None:
            yield name, f"{deed.name} has no param {name!r}; known: {', '.join(sorted(deed.params)) or 'none'}"
        elif not param.low <= value <= param.high:
            yield name, f"{value:g} is outside {param.low:g} .. {param.high:g} {param.unit}"


def _check_time(
    document: Document, number: int, at: float, lasts: float | None, *, duration: float
) -> Iterator[Problem]:
    place = ("steps", number)
    if at < 0:
        yield document.problem((*place, "at"), f"{at:g} is before the beginning")
    if lasts is not None and lasts <= 0:
        yield document.problem((*place, "for"), f"{lasts:g} is not more than 0 seconds")
    if at + (lasts or 0.0) > duration > 0:
        where = (*place, "for") if (*place, "for") in document.lines else (*place, "at")
        yield document.problem(where, f"ends at {at + (lasts or 0.0):g} s, after the duration of {duration:g}")


def _check_overlap(
    document: Document, number: int, action: Action, before: list[tuple[int, Action]]
) -> Iterator[Problem]:
    for other, earlier in before:
        if earlier.key == action.key and earlier.at < action.until and action.at < earlier.until:
            line = document.line(("steps", other))
            message = f"{action.name} of {action.point or action.subject} overlaps the one on line {line}"
            yield document.problem(("steps", number, "at"), message)
