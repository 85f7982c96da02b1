"""What a drill or an impairment is about: the site, places with what is inside, classes, assets, fire zones. Pure.

A zone of a fire panel is no asset: the panel says `fire`, and beside it which zones are in alarm. So an alarm of the
panel belongs to a zone scope only when it speaks of fire, the panel has said which zones are in alarm, and each of them
is in the scope. Whatever can't be placed is outside: a real alarm may not be taken for a drill.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from facility.assets import Asset, Location
from facility.readings import Quality, Sample

PANEL = "fire_alarm"
"""The class of the assets that have zones."""
UNSEEN = 0
"""Stands for a zone in alarm that the panel counts and does not name."""
_ZONE = re.compile(r"zone\[(\d+)\]\.")
_ZONE_ALARM = re.compile(r"zone\[(\d+)\]\.alarm")
_FIRE = frozenset({"panel.fire", "panel.started", "cnt.alarm", "zones_in_alarm"})
_LINKAGE = re.compile(r"fire_alarm\.(linkage_(weak|unknown)|\w+_failed)")
"""The alarms of effects that a fire should have started (rules/linkage/alarms.py)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is meant; the parts add up. `zones`: numbers of zones by the id of their panel."""

    site: bool = False
    locations: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    zones: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing at all."""
        return not (self.site or self.locations or self.classes or self.assets or any(self.zones.values()))


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alarm is about. `places`: where its asset is, with all that is around; `facts`: points its rule saw."""

    rule: str
    asset: str
    asset_class: str
    places: frozenset[str] = frozenset()
    facts: Collection[str] = ()


def covers_asset(scope: Scope, subject: Subject) -> bool:
    """Whether the asset as a whole is in the scope, whatever is wrong with it."""
    return (
        scope.site
        or subject.asset in scope.assets
        or subject.asset_class in scope.classes
        or not subject.places.isdisjoint(scope.locations)
    )


def covers(scope: Scope, subject: Subject, in_alarm: Collection[int]) -> bool:
    """Whether an alarm is in the scope; `in_alarm`: the zones of its panel in alarm since that was calm."""
    if covers_asset(scope, subject):
        return True
    zones = scope.zones.get(subject.asset)
    if not zones:
        return False
    found = zones_of(subject, in_alarm)
    return bool(found) and found <= set(zones)


def zones_of(subject: Subject, in_alarm: Collection[int]) -> set[int]:
    """The zones that an alarm speaks of: those its rule looks at, else those in alarm if it speaks of fire."""
    own = {int(match[1]) for key in subject.facts if (match := _ZONE.match(key))}
    if own:
        return own
    speaks_of_fire = not _FIRE.isdisjoint(subject.facts) or _LINKAGE.fullmatch(subject.rule) is not None
    return set(in_alarm) if speaks_of_fire else set()


def places_of(location: str, locations: Mapping[str, Location]) -> frozenset[str]:
    """A place and everything around it."""
    found: set[str] = set()
    while location and location not in found:
        found.add(location)
        location = locations[location].parent if location in locations else ""
    return frozenset(found)


class Ground:
    """Where everything is, and which fire zones are in alarm: kept up with the readings by the rules role.

    `exercises` are the drills that run, as the rules role knows them: scope, begin and end (ms).
    """

    def __init__(self, assets: Mapping[str, Asset] | None = None, locations: Mapping[str, Location] | None = None):
        self.assets = dict(assets or {})
        self.locations = dict(locations or {})
        self.exercises: tuple[tuple[Scope, int, int], ...] = ()
        self._places = {item.id: places_of(item.location, self.locations) for item in self.assets.values()}
        self._panels = {item.id: _Panel() for item in self.assets.values() if item.asset_class == PANEL}

    def take(self, sample: Sample) -> None:
        """Note what a panel says of its zones."""
        if panel := self._panels.get(sample.asset):
            panel.take(sample)

    def in_alarm(self, panel: str) -> frozenset[int]:
        """The zones of a panel that have been in alarm since it was last calm; UNSEEN for one that it only counts."""
        found = self._panels.get(panel)
        return found.zones() if found else frozenset()

    def subject(self, rule: str, asset: str, asset_class: str, facts: Iterable[str]) -> Subject:
        """What an alarm is about."""
        return Subject(rule, asset, asset_class, self._places.get(asset, frozenset()), frozenset(facts))

    def covers(self, scope: Scope, subject: Subject) -> bool:
        """Whether an alarm is in a scope now."""
        return covers(scope, subject, self.in_alarm(subject.asset))

    def mode(self, panel: str, zone: int, at: int) -> str:
        """How a fire in a zone is to be taken: drill or real."""
        runs = (scope for scope, begin, end in self.exercises if begin <= at < end)
        return "drill" if any(self.covers_zone(scope, panel, zone) for scope in runs) else "real"

    def covers_zone(self, scope: Scope, panel: str, zone: int) -> bool:
        """Whether a zone of a panel is in a scope."""
        if covers_asset(scope, self.subject("", panel, PANEL, ())):
            return True
        return zone in scope.zones.get(panel, ())

    def unknown(self, scope: Scope) -> list[str]:
        """What a scope names that the site does not have."""
        classes = {item.asset_class for item in self.assets.values()}
        return [
            *(name for name in scope.locations if name not in self.locations),
            *(name for name in scope.classes if name not in classes),
            *(name for name in scope.assets if name not in self.assets),
            *(name for name in scope.zones if name not in self._panels),
        ]


class _Panel:
    """The zones of one panel: in alarm now, and since everything was calm."""

    def __init__(self) -> None:
        self._now: set[int] = set()
        self._since: set[int] = set()
        self._fire = False
        self._count = 0

    def take(self, sample: Sample) -> None:
        for key, value in sample.values.items():
            if sample.quality_of(key) is not Quality.GOOD:
                continue
            if match := _ZONE_ALARM.fullmatch(key):
                zone = int(match[1])
                (self._now.add if value else self._now.discard)(zone)
            elif key == "panel.fire":
                self._fire = bool(value)
            elif key == "zones_in_alarm":
                self._count = int(value) if isinstance(value, int | float) else 0
        self._since |= self._now
        if not (self._now or self._fire or self._count):
            self._since.clear()

    def zones(self) -> frozenset[int]:
        return frozenset(self._since | ({UNSEEN} if self._count > len(self._now) else set()))
