"""Critical systems that are not watched in full, as a judge beside the engine: readings and ticks in, judgements out.

Pure; instants are ms UTC. A point that its device reads has a hole while its value is not good, while it is older than
a gateway would ever leave it, and while it has not come at all though its device is polled. What an MQTT device tells
of itself is missed only once it was there, for many of its points come with an event. Points whose gateways are all
gone are no hole here: the gateway's own alarm says so.

An asset with a hole for ten minutes on end raises `site.coverage`. How long a hole is there already is read from the
stored samples with which the rules are warmed, so that a restart does not begin the ten minutes anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from facility.catalog import Catalog
from facility.config import Site
from facility.coverage import is_critical
from facility.points import Label, Point
from facility.presence import HEARTBEAT_MS, INTERVALS
from facility.readings import Quality, Sample
from rules.effects import Judgement
from rules.rule import Raises, Rule, Severity
from rules.versions import stamped

HOLE_MS = 600_000
"""How long there must be a hole before anybody is told."""
WHOLE_MS = 60_000
"""How long all must be there again."""
LOOK_MS = 5_000
FUTURE_MS = 300_000
"""A sample further ahead is not believed."""
NAMED = 6
"""Missing points that an alarm names."""
Key = tuple[str, int, str]

RULE = Rule(
    id="site.coverage",
    asset_class="",
    label=Label("关键设备监测不完整", "Critical equipment is not watched in full"),
    guidance=Label(
        "报警中的点位已十分钟没有可信读数，这些点位上的故障此时不会报警。先安排人员到现场查看该设备，"
        "再检查采集器、接线和传感器；无法当天修复的，将设备登记停用并安排人工巡查。不要只消音了事。",
        "The points that the alarm names have had no reading to be believed for ten minutes: what goes wrong there "
        "raises nothing now. Send somebody to look at the equipment, then see to its adapter, wiring and sensors. What "
        "can't be mended today is to be taken out of service and walked round. Do not just silence it.",
    ),
    severity=Severity.URGENT,
    raises=Raises.TICKET,
    when="",
    delay=HOLE_MS / 1000,
    clear_delay=WHOLE_MS / 1000,
    effect_of=frozenset({"supply", "comms"}),
)


@dataclass(slots=True)
class _Slot:
    """One point. `at`: of its newest reading, `bad_since`: since when that is not good; `was_good`: ever."""

    patience: int
    polled: bool
    at: int | None = None
    quality: Quality | None = None
    bad_since: int | None = None
    was_good: bool = False
    hushed: bool = False

    def take(self, at: int, quality: Quality) -> None:
        if self.at is not None and at < self.at:
            return
        self.at, self.quality = at, quality
        self.was_good = self.was_good or quality is Quality.GOOD
        if quality is Quality.GOOD:
            self.bad_since = None
        elif self.bad_since is None:
            self.bad_since = at

    @property
    def is_unknown(self) -> bool:
        """Whether nobody can say how it is."""
        return self.hushed or (self.polled and self.at is None)

    def hole_since(self, now: int, begun: int) -> int | None:
        """Since when it is a hole; None when it is none. `begun`: when the rules began to listen."""
        if self.hushed:
            return None
        if self.at is None:
            return begun if self.polled and now - begun > self.patience else None
        if self.bad_since is not None:
            absent = self.quality is Quality.SENTINEL and not self.was_good
            return None if absent else self.bad_since
        late = self.at + self.patience
        return late if now > late else None


@dataclass(slots=True)
class _System:
    rule: Rule
    slots: dict[str, _Slot] = field(default_factory=dict)
    standing: bool = False
    hole: int | None = None
    whole: int | None = None


class Coverage:
    """Every critical asset of a site. `keys`: (rule, index, asset) of the alarms that it may raise; `rules`: theirs."""

    def __init__(self, site: Site, catalog: Catalog) -> None:
        self._systems = _systems(site, catalog)
        self.rules = tuple(system.rule for system in self._systems.values())
        self._begun: int | None = None
        self._looked = 0
        self.keys: frozenset[Key] = frozenset((RULE.id, 0, name) for name in self._systems)

    def restore(self, active: Iterable[Key]) -> None:
        """These alarms stand in the records."""
        for rule, _, asset in active:
            if rule == RULE.id and asset in self._systems:
                self._systems[asset].standing = True

    def take(self, sample: Sample) -> None:
        """A sample, stored or live: it is noted, and a tick decides."""
        system = self._systems.get(sample.asset)
        if system is None or (self._looked and sample.at > self._looked + FUTURE_MS):
            return
        for key in sample.values:
            if slot := system.slots.get(key):
                slot.take(sample.at, sample.quality_of(key))

    def hush(self, asset: str, points: Iterable[str], *, hushed: bool) -> None:
        """Nobody speaks for these points now; or somebody does again, who is given time to tell them."""
        if system := self._systems.get(asset):
            for key in points:
                if slot := system.slots.get(key):
                    slot.hushed = hushed
                    if not hushed and slot.at is not None and slot.bad_since is None:
                        slot.at = max(slot.at, self._looked)

    def on_tick(self, now: int) -> list[Judgement]:
        """Let time pass up to `now`."""
        if self._begun is None:
            self._begun = now
        if now - self._looked < LOOK_MS:
            return []
        self._looked = now
        found = (self._judge(name, system, now, self._begun) for name, system in self._systems.items())
        return [item for item in found if item]

    def _judge(self, name: str, system: _System, now: int, begun: int) -> Judgement | None:
        holes = {key: at for key, slot in system.slots.items() if (at := slot.hole_since(now, begun)) is not None}
        if holes:
            system.whole = None
            first = min(holes.values())
            system.hole = first if system.hole is None else min(system.hole, first)
            if system.standing or now - system.hole < HOLE_MS:
                return None
            system.standing = True
            return Judgement(system.rule, name, "raise", now, system.hole, _facts(system, holes))
        system.hole = None
        if not system.standing or any(slot.is_unknown for slot in system.slots.values()):
            system.whole = None  # a gateway that is gone makes nothing whole
            return None
        system.whole = now if system.whole is None else system.whole
        if now - system.whole < WHOLE_MS:
            return None
        system.standing, since, system.whole = False, system.whole, None
        return Judgement(system.rule, name, "clear", now, since, _facts(system, holes))


def _facts(system: _System, holes: Mapping[str, int]) -> dict[str, str | float | int | bool | None]:
    """Per cent of the points that are there, and the names of some that are not."""
    named = sorted(holes, key=lambda key: (holes[key], key))
    more = f" +{len(named) - NAMED}" if len(named) > NAMED else ""
    share = 1000 * (len(system.slots) - len(named)) // len(system.slots) / 10
    return {"coverage": share, "missing": ", ".join(named[:NAMED]) + more}


def _systems(site: Site, catalog: Catalog) -> dict[str, _System]:
    found: dict[str, _System] = {}
    for device in site.devices:
        asset, profile = site.assets.get(device.asset), catalog.profiles.get(device.profile)
        kind = catalog.classes.get(asset.asset_class) if asset else None
        if asset is None or profile is None or kind is None or not is_critical(kind):
            continue
        system = found.setdefault(asset.id, _System(replace(RULE, asset_class=asset.asset_class)))
        polled = bool(profile.registers)
        for key in device.points or profile.points:
            name = device.rename.get(key, key)
            if (point := kind.points.get(name)) is not None:
                system.slots.setdefault(name, _Slot(_patience(point, polled, profile.stale_after), polled))
    return {name: _stamped(system) for name, system in found.items() if system.slots}


def _stamped(system: _System) -> _System:
    """Its text says which points it misses, and after how many seconds."""
    patience = {key: slot.patience / 1000 for key, slot in system.slots.items()}
    system.rule = stamped(system.rule, {"points_s": patience})
    return system


def _patience(point: Point, polled: bool, stale_after: float) -> int:
    """How old (ms) a value may become: a heartbeat and some intervals, or what an MQTT device is given."""
    usual = HEARTBEAT_MS + round(INTERVALS * point.interval * 1000)
    return usual if polled else max(usual, round(stale_after * 1000))
