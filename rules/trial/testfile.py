"""Read rule tests: YAML files beside the packs and in the site's `rules/tests`, every problem at once.

    class: elevator                    # of the asset that the keys below belong to
    tests:
      - name: stuck between floors
        series: {car.moving: runningx10 stoppedx70, car.in_door_zone: outsidex80}
        step: 1s                       # of `series`
        at: {14: {alarm.car_button: pressed}, 15: {alarm.car_button: normal}}
        until: 80
        expect: {20: {elevator.entrapment: pending}, 30s: {elevator.entrapment: active 1}}
        transitions: [24 raise elevator.entrapment since 14]

What is told holds until something else is told, or until it is too old to believe, as with a real device; `repeat: 60s`
tells it again so often. `transitions` is every one there is; `expect` speaks only of the rules that it names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from pydantic import Field

from facility.assets import Asset
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.errors import ConfigError, Problem
from facility.points import Label, Point
from facility.yamlfile import Document, Path_, Strict, files, load
from rules.effects import Kind
from rules.engine import Key
from rules.trial.notation import MAX_STEPS, NotationError, Told, instant, reading, series
from rules.trial.story import Expected, Shown, Story, Telling, Transition

SHIPPED = Path(__file__).parent.parent / "packs" / "tests"
START = 1_700_000_000_000
"""When a test begins that does not say so: 2023-11-14 22:13:20 UTC."""
MAIN = "A"
MAX_SPAN = 31 * 86_400_000
MAX_TELLINGS = 200_000
"""Readings of one test, those that are repeated among them."""
_START = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
_RULE = r"(?:([A-Za-z0-9_-]{1,64})/)?([a-z][a-z0-9_.]{0,99})(?:\[(\d{1,3})\])?"
_TRANSITION = re.compile(rf"(\S+) (raise|clear|suppress|release) {_RULE}(?: since (\S+))?(?: severity ([1-4]))?")
_STATE = re.compile(r"([a-z]+)(?: (?:severity )?([1-4]))?")

_Given = str | bool | int | float | None


class _Asset(Strict):
    class_: str = Field(alias="class")
    parents: list[str] = Field(default=[], max_length=50)
    location: str = ""
    rated: dict[str, float] = {}


class _Test(Strict):
    name: str = Field(min_length=1, max_length=200)
    asset: str = Field(default=MAIN, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    rated: dict[str, float] = {}
    parents: list[str] = Field(default=[], max_length=50)
    location: str = ""
    assets: dict[str, _Asset] = Field(default={}, max_length=200)
    start: str = ""
    at: dict[str, dict[str, _Given]] = Field(default={}, max_length=20_000)
    series: dict[str, _Given] = Field(default={}, max_length=500)
    step: str | float = 1.0
    repeat: str | float | None = None
    until: str | float
    expect: dict[str, dict[str, str]] = Field(default={}, max_length=5000)
    transitions: list[str] | None = Field(default=None, max_length=5000)


class _File(Strict):
    class_: str = Field(alias="class")
    tests: list[_Test] = Field(min_length=1, max_length=1000)


@dataclass(frozen=True, slots=True)
class Ground:
    """What tests stand on. `assets` are the site's, `rules` the class of each rule id that there is or was."""

    catalog: Catalog
    rules: Mapping[str, str]
    assets: Mapping[str, Asset] = field(default_factory=dict)
    time_zone: str = "UTC"


def read_tests(folders: Iterable[tuple[Path, bool]], ground: Ground) -> list[Story]:
    """The tests of the folders' files, each folder with whether it is a shipped one; ConfigError with every problem."""
    problems: list[Problem] = []
    found: list[Story] = []
    for folder, shipped in folders:
        for path in files(folder):
            found += read_file(path, ground, problems, shipped=shipped)
    if problems:
        raise ConfigError(problems)
    return found


def read_file(path: Path, ground: Ground, problems: list[Problem], *, shipped: bool) -> list[Story]:
    """The tests of one file that have no problem; the problems go where they are gathered."""
    try:
        document = load(path)
    except ConfigError as error:
        problems += error.problems
        return []
    data, wrong = document.read(_File)
    problems += wrong
    if data is None:
        return []
    if data.class_ not in ground.catalog.classes:
        known = ", ".join(sorted(ground.catalog.classes))
        problems.append(document.problem(("class",), f"there is no asset class {data.class_!r}; known: {known}"))
        return []
    found = []
    for number, test in enumerate(data.tests):
        before = len(problems)
        story = _Reader(document, ("tests", number), ground, problems).story(test, data.class_, shipped=shipped)
        if len(problems) == before:
            found.append(story)
    return found


class _Reader:
    """Turns one test into a story; what is wrong goes to `problems`."""

    def __init__(self, document: Document, place: Path_, ground: Ground, problems: list[Problem]) -> None:
        self.document = document
        self.place = place
        self.ground = ground
        self.problems = problems
        self.asset = MAIN
        self.classes: dict[str, AssetClass] = {}

    def wrong(self, place: Path_, message: str) -> None:
        """Note a problem of this test; keys that are numbers in YAML are found as such."""
        self.problems.append(self.document.problem(self._known(place), message))

    def _known(self, place: Path_) -> Path_:
        found = self.place
        for part in place:
            number = int(part) if isinstance(part, str) and part.isdigit() else part
            found = (*found, number if (*found, number) in self.document.lines else part)
        return found

    def line(self, place: Path_) -> int:
        """Where a place of this test is written."""
        return self.document.line(self._known(place))

    def story(self, test: _Test, asset_class: str, *, shipped: bool) -> Story:
        """The test; worth something only when it has no problem."""
        self.asset = test.asset
        assets = self._assets(test, asset_class)
        until = self.span(("until",), test.until, at_most=MAX_SPAN)
        told: dict[tuple[int, str], dict[str, Told | None]] = {}
        self._at(test, told)
        self._series(test, told)
        points: dict[str, set[str]] = {asset: set() for asset in assets}
        for (_, asset), values in told.items():
            points[asset] |= set(values)
        late = max((at for at, _ in told), default=0)
        if late > until:
            self.wrong(("until",), f"ends before the last reading, at {late / 1000:g} s")
        if not test.at and not test.series:
            self.wrong((), "nothing is told: give `at` or `series`")
        if test.transitions is None and not test.expect:
            self.wrong((), "nothing is expected: give `expect` or `transitions`")
        every = self.span(("repeat",), test.repeat, at_most=MAX_SPAN) if test.repeat is not None else 0
        return Story(
            name=test.name,
            file=self.document.file,
            line=self.line(("name",)),
            shipped=shipped,
            asset=test.asset,
            assets=assets,
            points={asset: frozenset(keys) for asset, keys in points.items()},
            start=self._start(test.start),
            until=until,
            tellings=tuple(self._tellings(told, every, until)),
            expected=tuple(self._expected(test, until)),
            transitions=tuple(self._transitions(test.transitions, until)) if test.transitions is not None else None,
        )

    def span(self, place: Path_, given: str | float, *, at_most: int) -> int:
        """A span in ms, longer than nothing."""
        try:
            found = instant(f"{given:.3f}") if isinstance(given, float) else instant(str(given))
        except NotationError as error:
            self.wrong(place, str(error))
            return at_most
        if not 0 < found <= at_most:
            self.wrong(place, f"is longer than nothing and at most {at_most / 86_400_000:g} d")
            return at_most
        return found

    def _assets(self, test: _Test, asset_class: str) -> dict[str, Asset]:
        own = {"class": asset_class, "parents": test.parents, "location": test.location, "rated": test.rated}
        given = {test.asset: _Asset.model_validate(own)}
        for name, item in test.assets.items():
            if name == test.asset:
                self.wrong(("assets", name), "is the asset of the test itself; its values stand beside `name`")
            elif item.class_ not in self.ground.catalog.classes:
                self.wrong(("assets", name, "class"), f"there is no asset class {item.class_!r}")
            else:
                given[name] = item
        found = {}
        for name, item in given.items():
            for parent in item.parents:
                if parent not in given:
                    self.wrong(("assets", name, "parents"), f"there is no asset {parent!r} in this test")
            self.classes[name] = self.ground.catalog.classes[item.class_]
            real = self.ground.assets.get(name)
            rated = dict(real.rated) if real and real.asset_class == item.class_ else {}
            found[name] = Asset(
                name,
                item.class_,
                Label(name, name),
                location=item.location,
                rated=rated | item.rated,
                parents=tuple(item.parents),
            )
        return found

    def _start(self, text: str) -> int:
        if not text:
            return START
        if not _START.fullmatch(text):
            self.wrong(("start",), f"{text!r} is no local time such as 2026-03-02 01:00")
            return START
        try:
            local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(self.ground.time_zone))
        except ValueError as error:
            self.wrong(("start",), str(error))
            return START
        return round(local.timestamp() * 1000)

    def _point(self, place: Path_, text: str) -> tuple[str, Point] | None:
        """The asset and the point of a key such as `car.moving` or `B/car.moving`."""
        asset, slash, key = text.partition("/")
        if not slash:
            asset, key = self.asset, text
        if asset not in self.classes:
            self.wrong(place, f"there is no asset {asset!r} in this test")
            return None
        point = self.classes[asset].point(key)
        if point is None:
            near = difflib.get_close_matches(key, self.classes[asset].points, n=3, cutoff=0.6)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            self.wrong(place, f"the class {self.classes[asset].id} has no point {key!r}{hint}")
            return None
        return asset, point

    def _at(self, test: _Test, told: dict[tuple[int, str], dict[str, Told | None]]) -> None:
        for text, values in test.at.items():
            at = self._instant(("at", text), text)
            for key, given in values.items():
                place: Path_ = ("at", text, key)
                if found := self._point(place, key):
                    asset, point = found
                    try:
                        told.setdefault((at, asset), {})[point.key] = reading(point, given)
                    except NotationError as error:
                        self.wrong(place, str(error))

    def _series(self, test: _Test, told: dict[tuple[int, str], dict[str, Told | None]]) -> None:
        step = self.span(("step",), test.step, at_most=MAX_SPAN)
        total = 0
        for key, given in test.series.items():
            place: Path_ = ("series", key)
            found = self._point(place, key)
            if found is None:
                continue
            asset, point = found
            text = str(given).lower() if isinstance(given, bool) else str(given)
            try:
                values = series(point, text)
            except NotationError as error:
                self.wrong(place, str(error))
                continue
            total += len(values)
            if total > MAX_TELLINGS:
                self.wrong(place, f"more than {MAX_TELLINGS} readings in one test")
                return
            for number, value in enumerate(values):
                told.setdefault((number * step, asset), {}).setdefault(point.key, value)

    def _tellings(
        self, told: Mapping[tuple[int, str], Mapping[str, Told | None]], every: int, until: int
    ) -> Iterator[Telling]:
        """What is told in order; with `every` also what is told again."""
        instants: dict[int, dict[str, Mapping[str, Told | None]]] = {}
        for (at, asset), values in told.items():
            instants.setdefault(at, {})[asset] = values
        if every and until // every > MAX_STEPS:
            self.wrong(("repeat",), f"tells more than {MAX_STEPS} times")
            return
        for at in range(0, until + 1, every) if every else ():
            instants.setdefault(at, {})
        last: dict[str, dict[str, Told]] = {asset: {} for _, asset in told}
        number = 0
        for at in sorted(instants):
            for asset, held in last.items():
                new = instants[at].get(asset, {})
                said = dict(held) if every and at % every == 0 else {}
                for key, value in new.items():
                    said.pop(key, None)
                    held.pop(key, None)
                    if value is not None:
                        said[key] = held[key] = value
                number += len(said)
                if said:
                    yield Telling(at, asset, said)
            if number > MAX_TELLINGS:
                self.wrong((), f"more than {MAX_TELLINGS} readings in one test")
                return

    def _instant(self, place: Path_, text: str) -> int:
        try:
            return instant(text)
        except NotationError as error:
            self.wrong(place, str(error))
            return 0

    def _rule(self, place: Path_, asset: str, rule: str, index: str) -> Key:
        asset = asset or self.asset
        if asset not in self.classes:
            self.wrong(place, f"there is no asset {asset!r} in this test")
        elif rule not in self.ground.rules:
            near = difflib.get_close_matches(rule, self.ground.rules, n=3, cutoff=0.6)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            self.wrong(place, f"there is no rule {rule!r}{hint}")
        elif self.ground.rules[rule] != self.classes[asset].id:
            self.wrong(place, f"{rule!r} is a rule of the class {self.ground.rules[rule]}, not of {asset}'s")
        return rule, int(index or 0), asset

    def _expected(self, test: _Test, until: int) -> Iterator[Expected]:
        for text, rules in test.expect.items():
            at = self._instant(("expect", text), text)
            if at > until:
                self.wrong(("expect", text), f"lies after the end of the test, {until / 1000:g} s")
            for name, wanted in rules.items():
                place: Path_ = ("expect", text, name)
                rule = re.fullmatch(_RULE, name)
                state = _STATE.fullmatch(wanted)
                if rule is None:
                    self.wrong(place, f"{name!r} is no rule such as elevator.entrapment or pumps.dry[2]")
                elif state is None or state[1] not in set(Shown):
                    known = ", ".join(Shown)
                    self.wrong(place, f"{wanted!r} is none of {known}, with a severity 1 to 4 behind it or not")
                else:
                    severity = int(state[2]) if state[2] else None
                    key = self._rule(place, *rule.groups())
                    yield Expected(at, key, Shown(state[1]), severity, self.line(place))

    def _transitions(self, lines: Iterable[str], until: int) -> Iterator[Transition]:
        for number, text in enumerate(lines):
            place: Path_ = ("transitions", number)
            found = _TRANSITION.fullmatch(text)
            if found is None:
                self.wrong(place, f"{text!r} is no transition such as: 24 raise elevator.entrapment since 14")
                continue
            at, event, asset, rule, index, since, severity = found.groups()
            when = self._instant(place, at)
            if when > until:
                self.wrong(place, f"lies after the end of the test, {until / 1000:g} s")
            yield Transition(
                when,
                cast(Kind, event),
                self._rule(place, asset, rule, index),
                self._instant(place, since) if since else None,
                int(severity) if severity else None,
            )
