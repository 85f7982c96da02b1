"""Which alarm is only the consequence of another one: along what feeds what, and along gateway, line and device.

Pure. Rules say what they may be the cause of (`cause: supply`) and what may be theirs (`effect_of: [supply]`). A cause
explains an effect when it stands upstream of the effect's asset and was raised at about the same time. Upstream, for
every word, are the parents of an asset, theirs, and so on; for `comms` also the gateways of its devices, and, where the
cause names the devices that are down, those devices and whatever shares their line. It is about telling only: the
consequence is judged, recorded, shown and resolved like any alarm. An emergency is never a consequence.

What is folded under an alarm was heard of by everybody: a cause counts only when it was told, to every channel that the
effect would have gone to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from facility.assets import Asset, Device, Line
from rules.book.kinship import reached
from rules.life.rows import AlarmRow
from rules.rule import Rule

COMMS = "comms"
"""The word whose causes are gateways, lines and devices, beside the parents of an asset."""
DOWN = "gw.down"
"""The fact in which a gateway names the devices that are down."""
_ELLIPSIS = "…"
PATIENCE = 4
"""How many times the settle time an effect waits at most, while its possible cause is being held itself."""


@dataclass(frozen=True, slots=True)
class Relations:
    """What stands upstream of what, in one site."""

    ancestors: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gateways: Mapping[str, frozenset[str]] = field(default_factory=dict)
    served: Mapping[str, str] = field(default_factory=dict)
    """Device -> its asset."""
    lines: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Device -> the assets of every device on its line, its own among them."""

    @classmethod
    def of(cls, assets: Mapping[str, Asset], devices: Iterable[Device]) -> Relations:
        """Those of a site's assets and devices; parents that go round in a circle end where they meet."""
        gateways: dict[str, set[str]] = defaultdict(set)
        on_line: dict[tuple[str, Line], set[str]] = defaultdict(set)
        devices = tuple(devices)
        parents = {name: asset.parents for name, asset in assets.items()}
        for device in devices:
            gateways[device.asset].add(device.gateway)
            on_line[device.gateway, device.line].add(device.asset)
        return cls(
            {asset: frozenset(reached(asset, parents)) for asset in assets},
            {asset: frozenset(names) for asset, names in gateways.items()},
            {device.id: device.asset for device in devices},
            {device.id: _shared(device, on_line) for device in devices},
        )

    def reaches(self, cause: AlarmRow, place: str, word: str) -> bool:
        """Whether this alarm stands at or upstream of an asset."""
        if cause.asset == place or cause.asset in self.ancestors.get(place, ()):
            return True
        if word != COMMS:
            return False
        named = _named(cause)
        if named:
            return any(place in self.lines.get(device, ()) for device in named)
        return cause.asset in self.gateways.get(place, ())

    def places(self, effect: AlarmRow) -> frozenset[str]:
        """The assets that an alarm is about: its own, or those of the devices that it names."""
        found = {self.served.get(device, effect.asset) for device in _named(effect)}
        return frozenset(found) or frozenset({effect.asset})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The alarm that explains another one, or the instant (ms) to look again, or neither."""

    cause: AlarmRow | None = None
    look_again: int | None = None


@dataclass(frozen=True, slots=True)
class Folding:
    """The causes and effects of a site. Spans are ms. `rules` are those with `cause` or `effect_of`, by their id."""

    relations: Relations = field(default_factory=Relations)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    settle: int = 3_000
    window: int = 600_000

    @property
    def causes(self) -> frozenset[str]:
        """The ids of the rules that may be a cause."""
        return frozenset(rule.id for rule in self.rules.values() if rule.cause)

    def is_cause(self, row: AlarmRow) -> bool:
        """Whether it may be the cause of others, now."""
        rule = self.rules.get(row.rule)
        return rule is not None and bool(rule.cause) and row.alarm.is_active

    def is_effect(self, row: AlarmRow) -> bool:
        """Whether it may be a consequence of others."""
        rule = self.rules.get(row.rule)
        return rule is not None and bool(rule.effect_of)

    def verdict(
        self, row: AlarmRow, standing: Mapping[str, AlarmRow], heard: Callable[[AlarmRow], bool], at: int
    ) -> Verdict:
        """What explains this alarm among the causes that stand, by id. `heard`: were all told of it who should be?

        The root of it: where the nearest cause is a consequence itself, what is behind that one.
        """
        rule = self.rules.get(row.rule)
        if rule is None or not rule.effect_of:
            return Verdict()
        near = [cause for cause in standing.values() if self._explains(cause, row, rule.effect_of)]
        roots = {root.id: root for cause in near if (root := _root(cause, standing, row)) and heard(root)}
        if roots:
            return Verdict(min(roots.values(), key=lambda cause: (cause.raised_at or 0, cause.severity, cause.id)))
        held = [cause.tell_at for cause in near if cause.tell_at is not None and not cause.told]
        if held and at - (row.raised_at or at) <= PATIENCE * self.settle:
            return Verdict(look_again=min(held) + 1)
        return Verdict()

    def _explains(self, cause: AlarmRow, effect: AlarmRow, words: frozenset[str]) -> bool:
        rule = self.rules.get(cause.rule)
        if rule is None or rule.cause not in words or cause.id == effect.id:
            return False
        if cause.asset == effect.asset and rule.cause in rule.effect_of:
            return False  # of two that are both on one asset, neither is the other's cause
        begun, late = cause.raised_at or 0, effect.raised_at or 0
        if not late - self.window <= begun <= late + self.settle:
            return False
        return all(self.relations.reaches(cause, place, rule.cause) for place in self.relations.places(effect))


def _root(cause: AlarmRow, standing: Mapping[str, AlarmRow], effect: AlarmRow) -> AlarmRow | None:
    """The told alarm at the end of the chain of causes; None where the chain ends nowhere, or in the effect itself."""
    seen = {effect.id}
    found: AlarmRow | None = cause
    while found is not None and found.cause_id and not found.told:
        if found.id in seen:
            return None
        seen.add(found.id)
        found = standing.get(found.cause_id)
    return found if found is not None and found.told and found.id not in seen else None


def _shared(device: Device, on_line: Mapping[tuple[str, Line], set[str]]) -> frozenset[str]:
    """Whose readings come over the line of a device. One that has no line of its own (MQTT) stands for itself."""
    if device.line == Line():
        return frozenset({device.asset})
    return frozenset(on_line[device.gateway, device.line])


def _named(row: AlarmRow) -> list[str]:
    """The devices that the alarm's facts say are down; the last one is left out where the text was cut short."""
    text = row.facts.get(DOWN)
    if not isinstance(text, str) or not text:
        return []
    names = [name.strip() for name in text.split(",")]
    return [name for name in names if name and not name.endswith(_ELLIPSIS)]
