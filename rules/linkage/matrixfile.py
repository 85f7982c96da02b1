"""Read linkage matrices as data: the site's `linkage/*.yaml`, one file a panel; the shipped one for every other panel.

Every problem is told at once, with file and line. A site's matrix must be true to the site: an asset, point, zone or
group that is not there is refused. The shipped one is a template: what a panel has no points for is not judged there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from facility.assets import Asset
from facility.catalog import Catalog
from facility.classfile import AssetClass, Labels
from facility.config import Site
from facility.errors import ConfigError, Problem
from facility.points import Label
from facility.yamlfile import Document, Path_, Strict, files, load
from rules.language.expression import INDEXED, Compiled, compile_expression
from rules.language.grammar import ExpressionError, milliseconds
from rules.linkage.matrix import Effect, Matrix, Proof, Term, Zone

TEMPLATE = Path(__file__).parent / "default.yaml"
FIRE_ALARM = "fire_alarm"
MAX_LIMIT_MS = 3_600_000
TRAVEL_S = 20.0
"""Seconds that a lift needs beside its travel: to stop where it is, to turn, to open at the base."""
NOT_WIRED = Label("本机未接入该反馈", "The panel has no feedback of it")
Points = Mapping[str, frozenset[str]]


class _Travel(Strict):
    height: float = Field(gt=0, le=1000)
    seconds: float = Field(default=0.0, ge=0, le=600)


class _Proof(Strict):
    when: str
    asset: str = ""
    group: str = ""
    class_: str = Field(default="", alias="class")
    count: int | None = Field(default=None, ge=1, le=1000)
    within: float | str | _Travel | None = None
    part: str = Field(default="", max_length=40)


class _Effect(Strict):
    effect: int = Field(ge=1, le=99)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    labels: Labels
    missing: Labels | None = None
    action: Labels
    basis: str = Field(min_length=1, max_length=200)
    within: float | str | _Travel | None = None
    continuous: bool = False
    command: str = ""
    unexpected: str = ""
    instead_of: int = 0
    zones: list[int] = []
    proofs: list[_Proof] = Field(default=[], max_length=20)
    not_applicable: Labels | None = None


class _Zone(Strict):
    zone: int = Field(ge=1, le=9999)
    labels: Labels | None = None
    confirmed: str = ""
    devices: list[str] = Field(default=[], max_length=200)


class _Causes(Strict):
    fire: str = "panel.fire"
    started: str = "panel.started"
    zone: str = "zone[n].alarm and cnt.alarm > zones_in_alarm"
    zones: list[_Zone] = Field(default=[], max_length=1000)


class _Matrix(Strict):
    panel: str = ""
    groups: dict[str, list[str]] = {}
    causes: _Causes = _Causes()
    settle: float | str = 600.0
    effects: list[_Effect] = Field(min_length=1, max_length=99)


def load_linkage(site: Site, catalog: Catalog, points: Points) -> tuple[Matrix, ...]:
    """The matrix of every fire panel of a site; ConfigError with every problem. `points` as `mapped_points` gives."""
    problems: list[Problem] = []
    found: dict[str, Matrix] = {}
    for path in files(site.folder / "linkage"):
        try:
            document = load(path)
        except ConfigError as error:
            problems += error.problems
            continue
        raw, wrong = document.read(_Matrix)
        problems += wrong
        if raw:
            reader = _Reader(document, site.assets, catalog, points, problems)
            matrix = reader.matrix(raw, raw.panel)
            if raw.panel in found:
                reader.wrong(("panel",), f"{raw.panel!r} has a matrix already, at {found[raw.panel].origin}")
            elif matrix:
                found[raw.panel] = matrix
    if problems:
        raise ConfigError(problems)
    return (*found.values(), *_shipped(site.assets, catalog, points, frozenset(found)))


def shipped_linkage(assets: Mapping[str, Asset], catalog: Catalog, points: Points) -> tuple[Matrix, ...]:
    """The shipped matrix at every fire panel that has something of it."""
    return _shipped(assets, catalog, points, frozenset())


def _shipped(assets: Mapping[str, Asset], catalog: Catalog, points: Points, but: frozenset[str]) -> tuple[Matrix, ...]:
    document = load(TEMPLATE, name="linkage/default.yaml")
    raw = document.parse(_Matrix)
    found = []
    for asset in assets.values():
        if asset.asset_class == FIRE_ALARM and asset.id not in but:
            problems: list[Problem] = []
            matrix = _Reader(document, assets, catalog, points, problems, strict=False).matrix(raw, asset.id)
            if problems:
                raise ConfigError(problems)
            if matrix and any(effect.excused is None for effect in matrix.effects):
                found.append(matrix)
    return tuple(found)


@dataclass
class _Reader:
    """Binds one file to the site; what is wrong goes to `problems`. Not `strict`: what is not there is left out."""

    document: Document
    assets: Mapping[str, Asset]
    catalog: Catalog
    points: Points
    problems: list[Problem]
    strict: bool = True
    panel: str = field(default="", init=False)
    groups: Mapping[str, list[str]] = field(default_factory=dict, init=False)

    def wrong(self, place: Path_, message: str) -> None:
        """Note a problem."""
        self.problems.append(self.document.problem(place, message))

    def matrix(self, raw: _Matrix, panel: str) -> Matrix | None:
        """The matrix; None when there is a problem, or nothing that could begin a run."""
        asset = self.assets.get(panel)
        if asset is None or asset.asset_class != FIRE_ALARM:
            known = ", ".join(item.id for item in self.assets.values() if item.asset_class == FIRE_ALARM) or "none"
            self.wrong(("panel",), f"there is no fire panel {panel!r}; known: {known}")
            return None
        before = len(self.problems)
        self.panel, self.groups = panel, raw.groups
        for group, members in raw.groups.items():
            for at, member in enumerate(members):
                if member not in self.assets:
                    self.wrong(("groups", group, at), f"there is no asset {member!r}")
        fire = self._of_panel(("causes", "fire"), raw.causes.fire)
        started = self._of_panel(("causes", "started"), raw.causes.started) if self._has_started(raw) else None
        zones = self._zones(raw.causes)
        alarm = {
            number: compile_expression("zone[n].alarm", self._class(panel), index=number)
            for number in self._indices(panel, "zone[n].alarm")
        }
        effects = self._effects(raw, {zone.number for zone in zones} | set(alarm))
        settle = self._span(("settle",), raw.settle)
        if len(self.problems) > before or fire is None:
            return None
        if not zones and started is None:
            if self.strict:
                self.wrong(("causes",), "nothing can begin a run: there is neither a zone nor a start signal")
            return None
        return Matrix(panel, fire, started, zones, effects, alarm, settle, f"{self.document.file}:1")

    # causes

    def _has_started(self, raw: _Matrix) -> bool:
        given = "started" in raw.causes.model_fields_set
        return bool(raw.causes.started) and (given or raw.causes.started in self.points.get(self.panel, ()))

    def _zones(self, causes: _Causes) -> tuple[Zone, ...]:
        found: dict[int, Zone] = {}
        asset_class = self._class(self.panel)
        known = set(self._indices(self.panel, "zone[n].alarm"))
        for number, raw in enumerate(causes.zones):
            place: Path_ = ("causes", "zones", number)
            if raw.zone in found:
                self.wrong((*place, "zone"), f"zone {raw.zone} stands here twice")
            if not (raw.confirmed or raw.devices) and raw.zone not in known:
                self.wrong(
                    (*place, "zone"), f"{self.panel} has no zone {raw.zone}: it has no point zone[{raw.zone}].alarm"
                )
            if len(raw.devices) == 1:
                self.wrong((*place, "devices"), "a fire is confirmed by two devices: name at least two")
            confirmed = self._of_panel((*place, "confirmed"), raw.confirmed) if raw.confirmed else None
            texts = enumerate(raw.devices)
            devices = [self._of_panel((*place, "devices", at), text) for at, text in texts]
            label = raw.labels.label() if raw.labels else Label(f"{raw.zone}区", f"Zone {raw.zone}")
            found[raw.zone] = Zone(raw.zone, label, confirmed, tuple(item for item in devices if item))
        for index in self._indices(self.panel, causes.zone):
            zone = found.get(index) or Zone(index, Label(f"{index}区", f"Zone {index}"))
            if zone.confirmed is None and not zone.devices:
                condition = compile_expression(causes.zone, asset_class, index=index)
                found[index] = Zone(index, zone.label, condition)
        return tuple(found.values())

    # effects

    def _effects(self, raw: _Matrix, zones: set[int]) -> tuple[Effect, ...]:
        found: dict[int, Effect] = {}
        ids: dict[str, int] = {}
        for number, item in enumerate(raw.effects):
            place: Path_ = ("effects", number)
            if item.effect in found:
                self.wrong((*place, "effect"), f"effect {item.effect} stands here twice")
            if item.id in ids:
                self.wrong((*place, "id"), f"effect {ids[item.id]} has the id {item.id!r} already")
            ids.setdefault(item.id, item.effect)
            for at, zone in enumerate(item.zones):
                if zone not in zones:
                    self.wrong((*place, "zones", at), f"{self.panel} has no zone {zone}")
            if item.instead_of and item.instead_of not in {other.effect for other in raw.effects} - {item.effect}:
                self.wrong((*place, "instead_of"), f"there is no other effect {item.instead_of}")
            found.setdefault(item.effect, self._effect(place, item))
        return tuple(sorted(found.values(), key=lambda effect: effect.number))

    def _effect(self, place: Path_, raw: _Effect) -> Effect:
        label = raw.labels.label()
        missing = (
            raw.missing.label() if raw.missing else Label(f"联动未动作：{label.zh}", f"Linkage failed: {label.en}")
        )
        excused = raw.not_applicable.label() if raw.not_applicable else None
        proofs: tuple[Proof, ...] = ()
        command = unexpected = None
        if excused is None:
            if (
                raw.within is None
                and not raw.continuous
                and not (raw.proofs and all(item.within for item in raw.proofs))
            ):
                self.wrong((*place, "within"), "has no deadline: say within how many seconds from T0")
            command = self._optional((*place, "command"), raw.command)
            unexpected = self._optional((*place, "unexpected"), raw.unexpected)
            made = [self._proof((*place, "proofs", number), raw, item) for number, item in enumerate(raw.proofs)]
            proofs = tuple(item for item in made if item)
            if not proofs and (command is None or raw.continuous):
                if self.strict and not raw.proofs:
                    self.wrong((*place, "proofs"), "nothing would prove it: give a proof, a command, or not_applicable")
                excused = NOT_WIRED
        limits = [term.limit for proof in proofs for term in proof.terms]
        limit = max(limits) if limits else self._limit((*place, "within"), None if excused else raw.within, self.panel)
        return Effect(
            raw.effect, raw.id, label, missing, raw.action.label(), raw.basis, limit, proofs, command, unexpected,
            raw.continuous, raw.instead_of, frozenset(raw.zones), excused,
        )  # fmt: skip

    def _proof(self, place: Path_, effect: _Effect, raw: _Proof) -> Proof | None:
        within, where = (raw.within, (*place, "within")) if raw.within is not None else (effect.within, place)
        terms = []
        for asset in self._targets(place, raw):
            for index, condition in self._conditions((*place, "when"), raw.when, asset):
                terms.append(Term(asset, condition, self._limit(where, within, asset), index))
        if not terms:
            return None
        if raw.count and raw.count > len(terms):
            self.wrong((*place, "count"), f"{raw.count} of {len(terms)} can't be")
        return Proof(tuple(terms), raw.count or len(terms), raw.part)

    def _targets(self, place: Path_, raw: _Proof) -> list[str]:
        given = [name for name in ("asset", "group", "class_") if getattr(raw, name)]
        if len(given) > 1:
            self.wrong(place, "names its assets twice: give one of asset, group and class")
        if raw.group:
            if raw.group not in self.groups:
                self.wrong(
                    (*place, "group"), f"there is no group {raw.group!r}; known: {', '.join(self.groups) or 'none'}"
                )
            return [name for name in self.groups.get(raw.group, []) if name in self.assets]
        if raw.class_:
            found = [asset.id for asset in self.assets.values() if asset.asset_class == raw.class_]
            if not found:
                self.wrong((*place, "class"), f"there is no asset of class {raw.class_!r}")
            return found
        if raw.asset and raw.asset not in self.assets:
            self.wrong((*place, "asset"), f"there is no asset {raw.asset!r}")
            return []
        return [raw.asset or self.panel]

    def _conditions(self, place: Path_, text: str, asset: str) -> Iterator[tuple[int, Compiled]]:
        """The condition at an asset, for each index that it has."""
        indexed = bool(INDEXED.search(text))
        indices = self._indices(asset, text) if indexed else [0]
        try:
            for index in indices:
                condition = compile_expression(text, self._class(asset), index=index)
                if self._is_there(place, condition, asset):
                    yield index, condition
            if indexed and not indices:
                compile_expression(text, self._class(asset), index=1)
                if self.strict:
                    self.wrong(place, f"{asset} has none of the points of {text!r}")
        except ExpressionError as error:
            self.wrong(place, str(error))

    def _is_there(self, place: Path_, condition: Compiled, asset: str) -> bool:
        missing = [key for key in condition.points if key not in self.points.get(asset, frozenset())]
        missing += [f"rated {name!r}" for name in condition.rated if name not in self.assets[asset].rated]
        if missing and self.strict:
            self.wrong(place, f"{asset} has no {', '.join(missing)}: no device of it gives that")
        return not missing

    def _of_panel(self, place: Path_, text: str) -> Compiled | None:
        return next((condition for _, condition in self._conditions(place, text, self.panel)), None)

    def _optional(self, place: Path_, text: str) -> Compiled | None:
        return self._of_panel(place, text) if text else None

    def _indices(self, asset: str, text: str) -> list[int]:
        """The indices that an asset has of the `[n]` points in a text."""
        try:
            sample = compile_expression(text, self._class(asset), index=1)
        except ExpressionError:
            return []
        wanted = {re.sub(r"\[1\]", "[n]", key) for key in sample.points if "[1]" in key}
        found: dict[int, set[str]] = {}
        for key in self.points.get(asset, frozenset()):
            number = re.search(r"\[(\d+)\]", key)
            if number and (general := re.sub(r"\[\d+\]", "[n]", key)) in wanted:
                found.setdefault(int(number[1]), set()).add(general)
        return sorted(index for index, keys in found.items() if keys == wanted)

    def _limit(self, place: Path_, within: float | str | _Travel | None, asset: str) -> int:
        """ms from T0. For lifts: seconds + height / rated speed + 20 s."""
        if within is None:
            return 0
        if isinstance(within, _Travel):
            speed = self.assets[asset].rated.get("speed", 0.0)
            if speed <= 0:
                self.wrong(place, f"{asset} has no rated speed: its travel time can't be reckoned")
                return 0
            return self._bounded(place, round((within.seconds + within.height / speed + TRAVEL_S) * 1000))
        return self._bounded(place, self._span(place, within))

    def _span(self, place: Path_, value: float | str) -> int:
        found = milliseconds(value) if isinstance(value, str) else round(value * 1000)
        if found is None:
            self.wrong(place, f"{value!r} is no span such as 15s or 2m")
        return found or 0

    def _bounded(self, place: Path_, limit: int) -> int:
        if not 0 < limit <= MAX_LIMIT_MS:
            self.wrong(place, "a deadline lies between 0 and 1 h after T0")
        return limit

    def _class(self, asset: str) -> AssetClass:
        return self.catalog.classes[self.assets[asset].asset_class]
