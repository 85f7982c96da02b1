"""Read rules as data: the shipped packs and the site's own `rules/*.yaml`, every problem at once, with file and line.

A site's rule with a shipped id takes its place; `{id: ..., disable: true}` takes it away. A rule over `[n]` is made
once for each index that an asset has. A rule runs at the assets of its class that have all of its points, and the
rated values that it has no default for; one that runs nowhere is listed in `Rulebook.unused` with what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import Field

from facility.assets import Asset, Location
from facility.catalog import Catalog
from facility.classfile import AssetClass, Labels
from facility.config import Site
from facility.errors import ConfigError, Problem, attempt
from facility.names import nearest
from facility.yamlfile import Document, Path_, Strict, files, load
from rules.book.compiled import CompiledRule, Rulebook, Unused
from rules.book.compiled import compiled as made
from rules.book.data.checkfile import FILE, read_checks
from rules.book.data.rules import with_checks
from rules.book.derived import place
from rules.book.followups import WORD, Step, Told, check_effects, check_words, steps_of
from rules.book.kinship import Kinship
from rules.book.mapped import mapped_points
from rules.book.soundness import flaws
from rules.language.expression import INDEXED, Compiled, compile_expression
from rules.language.grammar import ExpressionError, milliseconds
from rules.language.trends import seconds_of_readings
from rules.linkage.matrixfile import load_linkage
from rules.rule import Raises, Rule, Severity
from rules.schedule import Hours, parse_hours
from rules.versions import made_for, stamped

PACKS = Path(__file__).parents[1] / "packs"
MAX_DELAY = 7 * 86_400.0
SHADOW = ".shadow"
"""What the id of a shadow rule ends with that was written under the id of the live one."""


class _Rule(Strict):
    id: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=100)
    labels: Labels | None = None
    guidance: Labels | None = None
    when: str | None = None
    for_: str | float = Field(default=0.0, alias="for")
    clear: str = ""
    clear_for: str | float = 0.0
    enable: str = ""
    suppress: str = ""
    severity: int | None = Field(default=None, ge=1, le=4)
    raises: Raises | None = None
    latch: bool = False
    shelvable: bool | None = None
    schedule: list[str] = Field(default=[], max_length=50)
    assets: list[str] = []
    cause: str = Field(default="", pattern=WORD, max_length=40)
    effect_of: list[str] = Field(default=[], max_length=20)
    escalate: list[Step] = Field(default=[], max_length=3)
    disable: bool = False
    shadow: bool = False
    shadow_of: str | None = Field(default=None, max_length=100)


class _Pack(Strict):
    class_: str = Field(alias="class")
    rules: list[_Rule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Definition:
    """A rule as a file has it, checked: `[n]` not yet expanded. `classes`: those its relations may name."""

    rule: Rule
    asset_class: AssetClass
    classes: Mapping[str, AssetClass] = field(default_factory=dict)

    @property
    def is_indexed(self) -> bool:
        """Whether it is made once for each index."""
        rule = self.rule
        return any(INDEXED.search(text) for text in (rule.when, rule.clear, rule.enable, rule.suppress))

    def compile(self, index: int = 0) -> CompiledRule:
        """The rule for one index; ExpressionError."""
        rule = self.rule
        if index:
            rule = made_for(rule, index)
        return made(rule, self.asset_class, self.classes)


def load_rulebook(site: Site, catalog: Catalog) -> Rulebook:
    """The rules of a site, assigned to its assets, and its linkage; ConfigError with every problem of every file."""
    folders = [PACKS, site.folder / "rules"]
    checks, problems = read_checks(folders[1:], catalog, assets=site.assets)
    kept = site.settings.readings.retention_days
    mapped = mapped_points(site, catalog)
    derived, points = place(catalog, site.assets, mapped, site.locations, problems)
    linkage = attempt(problems, lambda: load_linkage(site, catalog, mapped))
    definitions = attempt(problems, lambda: read_rules(folders, catalog, assets=site.assets, kept_days=kept))
    if problems or definitions is None or linkage is None:
        raise ConfigError(problems)
    book = assign(definitions, site.assets, points, time_zone=site.time_zone, locations=site.locations)
    book = with_checks(book, checks, site.assets, mapped, catalog)
    idle = tuple(Unused(item.point.key, f"{item.file}:{item.line}", why) for item, why in derived.unused)
    return replace(book, holidays=site.holidays, derived=derived, unused=book.unused + idle, linkage=linkage)


def check_rules(site: Site, catalog: Catalog) -> list[Problem]:
    """Everything that is wrong with the rules of a site; empty when nothing is."""
    try:
        load_rulebook(site, catalog)
    except ConfigError as error:
        return list(error.problems)
    return []


def read_rules(
    places: Iterable[Path], catalog: Catalog, *, assets: Mapping[str, Asset] | None, kept_days: int | None = None
) -> list[Definition]:
    """The rules of folders or single files, later ones over earlier ones; ConfigError with every problem.

    `assets` None: they are not known (their file is wrong itself), so that no rule is blamed for naming one.
    `kept_days`: how long readings are kept; no window reaches further back.
    """
    problems: list[Problem] = []
    found: dict[str, Definition] = {}
    effects: list[tuple[Told, Path_, list[str]]] = []
    for where in places:
        here: dict[str, str] = {}
        for path in [where] if where.is_file() else files(where):
            if path.name == FILE:
                continue
            try:
                document = load(path)
            except ConfigError as error:
                problems += error.problems
                continue
            pack, wrong = document.read(_Pack)
            problems += wrong
            if pack:
                reader = _Reader(document, catalog, assets, problems, kept_days)
                _merge(reader, pack, here, found)
                effects += reader.effects
    check_words(effects, (definition.rule.cause for definition in found.values()))
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def _merge(reader: _Reader, pack: _Pack, here: dict[str, str], found: dict[str, Definition]) -> None:
    """Put the rules of one file over those found before; `here` are the ids that this folder has already."""
    asset_class = reader.catalog.classes.get(pack.class_)
    if asset_class is None:
        known = ", ".join(sorted(reader.catalog.classes))
        reader.wrong(("class",), f"there is no asset class {pack.class_!r}; known: {known}")
        return
    for number, written in enumerate(pack.rules):
        place: Path_ = ("rules", number)
        item = reader.shadow(place, written, found)
        before = found.get(item.id)
        if item.id in here:
            reader.wrong((*place, "id"), f"the id {item.id!r} is already taken at {here[item.id]}")
        elif before and before.asset_class.id != asset_class.id:
            reader.wrong((*place, "id"), f"{item.id!r} is a rule of the class {before.asset_class.id}")
        here.setdefault(item.id, reader.origin(place))
        if not item.disable:
            definition = reader.definition(place, item, asset_class)
            if definition:
                found[item.id] = definition
        elif item.model_fields_set - {"id", "disable"}:
            reader.wrong((*place, "disable"), "a rule that is taken away has nothing but its id")
        elif found.pop(item.id, None) is None:
            reader.wrong((*place, "id"), f"there is no shipped rule {item.id!r} to take away")


def _is_of(assets: Mapping[str, Asset], asset: str, asset_class: AssetClass) -> bool:
    return asset in assets and assets[asset].asset_class == asset_class.id


class _Reader:
    """Turns the rules of one file into definitions; what is wrong goes to `problems`."""

    def __init__(
        self,
        document: Document,
        catalog: Catalog,
        assets: Mapping[str, Asset] | None,
        problems: list[Problem],
        kept_days: int | None,
    ) -> None:
        self.document = document
        self.catalog = catalog
        self.assets = assets
        self.problems = problems
        self.effects: list[tuple[Told, Path_, list[str]]] = []
        self.kept_days = kept_days

    def wrong(self, place: Path_, message: str, *, offset: int = 0) -> None:
        """Note a problem, at the character `offset` of the text at that place."""
        self.problems.append(self.document.problem(place, message, offset=offset))

    def origin(self, place: Path_) -> str:
        """file:line of a place."""
        return f"{self.document.file}:{self.document.line(place)}"

    def definition(self, place: Path_, item: _Rule, asset_class: AssetClass) -> Definition | None:
        """One rule; None when it has a problem."""
        before = len(self.problems)
        for name in ("labels", "guidance", "when", "severity", "raises"):
            if getattr(item, name) is None:
                self.wrong((*place, name), "is missing")
        for asset in item.assets:
            if self.assets is not None and not _is_of(self.assets, asset, asset_class):
                self.wrong((*place, "assets"), f"there is no asset {asset!r} of class {asset_class.id}")
        delay = self._seconds((*place, "for"), item.for_)
        clear_delay = self._seconds((*place, "clear_for"), item.clear_for)
        escalate = steps_of((*place, "escalate"), item.escalate, item.severity, self._seconds, self.wrong)
        check_effects((*place, "effect_of"), item.effect_of, item.severity, item.raises, self.wrong)
        self.effects.append((self.wrong, (*place, "effect_of"), item.effect_of))
        schedule = self._hours((*place, "schedule"), item.schedule)
        if item.suppress and item.severity == Severity.EMERGENCY:
            self.wrong((*place, "suppress"), "an alarm of life safety (severity 1) is never suppressed")
        self._expressions(place, item, asset_class)
        if len(self.problems) > before or not (item.labels and item.guidance and item.when and item.severity):
            return None
        rule = Rule(
            id=item.id,
            asset_class=asset_class.id,
            label=item.labels.label(),
            guidance=item.guidance.label(),
            severity=Severity(item.severity),
            raises=item.raises or Raises.NOTHING,
            when=item.when,
            clear=item.clear,
            enable=item.enable,
            suppress=item.suppress,
            delay=delay,
            clear_delay=clear_delay,
            latch=item.latch,
            shelvable=item.severity != Severity.EMERGENCY if item.shelvable is None else item.shelvable,
            schedule=schedule,
            assets=frozenset(item.assets),
            shadow=item.shadow,
            shadow_of=item.shadow_of or "",
            origin=self.origin(place),
            cause=item.cause,
            effect_of=frozenset(item.effect_of),
            escalate=escalate,
        )
        return Definition(stamped(rule), asset_class, self.catalog.classes)

    def shadow(self, place: Path_, item: _Rule, found: Mapping[str, Definition]) -> _Rule:
        """A rule that runs beside the live one: under a name of its own where it has the same."""
        if not item.shadow and item.shadow_of is None:
            return item
        if not item.shadow:
            self.wrong((*place, "shadow_of"), "only a rule with `shadow: true` has it")
        if item.shadow_of is not None and item.shadow_of not in found:
            self.wrong((*place, "shadow_of"), f"there is no rule {item.shadow_of!r} before this one")
        if item.id not in found:
            return item
        return item.model_copy(update={"id": item.id + SHADOW, "shadow_of": item.shadow_of or item.id})

    def _expressions(self, place: Path_, item: _Rule, asset_class: AssetClass) -> None:
        """Check each expression, then what they make together."""
        names = ("when", "clear", "enable", "suppress")
        texts = {name: getattr(item, name) for name in names if getattr(item, name)}
        found = {name: self._expression((*place, name), text, asset_class) for name, text in texts.items()}
        when, *others = (found.get(name) for name in names)
        if item.when == "":
            self.wrong((*place, "when"), "is empty")
        if when is not None and None not in found.values():
            for name, flaw in flaws(when, *others):
                self.wrong((*place, name), flaw)

    def _expression(self, place: Path_, text: str, asset_class: AssetClass) -> Compiled | None:
        try:
            # index 1 stands for all: every template of a class has it
            index = 1 if INDEXED.search(text) else 0
            found = compile_expression(text, asset_class, index=index, classes=self.catalog.classes)
        except ExpressionError as error:
            self.wrong(place, error.message, offset=error.column - 1)
            return None
        for function, seconds in found.windows:
            if self.kept_days is not None and seconds_of_readings(function, seconds) > self.kept_days * 86_400:
                self.wrong(
                    place, f"{function} looks {seconds / 86_400:g} days back, readings are kept {self.kept_days}"
                )
        return found

    def _seconds(self, place: Path_, value: str | float) -> float:
        if isinstance(value, str):
            span = milliseconds(value)
            if span is None:
                self.wrong(place, f"{value!r} is no span such as 10s, 5m or 1h")
            seconds = (span or 0) / 1000
        else:
            seconds = value
        if not 0 <= seconds <= MAX_DELAY:
            self.wrong(place, "is between 0 and 7d")
        return seconds

    def _hours(self, place: Path_, texts: Sequence[str]) -> tuple[Hours, ...]:
        found = []
        for number, text in enumerate(texts):
            try:
                found.append(parse_hours(text))
            except ValueError as error:
                self.wrong((*place, number), str(error))
        return tuple(found)


def assign(
    definitions: Iterable[Definition],
    assets: Mapping[str, Asset],
    points: Mapping[str, frozenset[str]],
    *,
    time_zone: str = "UTC",
    locations: Mapping[str, Location] | None = None,
) -> Rulebook:
    """Each rule at each asset of its class that has what it needs; `points` as `mapped_points` gives them.

    A rule that asks other equipment needs at least one asset that can answer, save in `enable`.
    """
    kinship = Kinship(assets, locations, points)
    by_asset: dict[str, list[CompiledRule]] = {asset: [] for asset in assets}
    unused: list[Unused] = []
    for definition in definitions:
        rule = definition.rule
        candidates = [
            asset
            for asset in assets.values()
            if asset.asset_class == rule.asset_class and (not rule.assets or asset.id in rule.assets)
        ]
        lacking: list[str] = []
        runs = False
        for compiled in _concrete(definition, [points.get(asset.id, frozenset()) for asset in candidates]):
            for asset in candidates:
                given = points.get(asset.id, frozenset())
                plain = replace(compiled, suppress=None)
                missing = _missing(plain, asset, given, kinship)
                if missing:
                    lacking.append(f"{asset.id} has no {', '.join(missing)}")
                else:
                    # what would suppress it is no reason to do without it
                    by_asset[asset.id].append(plain if _missing(compiled, asset, given, kinship) else compiled)
                    runs = True
        if not runs:
            reason = min(lacking, key=len, default=f"no asset of class {rule.asset_class}")
            unused.append(Unused(rule.id, rule.origin, reason))
    return Rulebook(
        {asset: tuple(items) for asset, items in by_asset.items()}, tuple(unused), time_zone, kinship=kinship
    )


def _concrete(definition: Definition, points: Iterable[frozenset[str]]) -> list[CompiledRule]:
    """The rule for every index that some asset has; at least for the first, to say what is missing."""
    if not definition.is_indexed:
        return [definition.compile()]
    wanted = {re.sub(r"\[1\]", "[n]", key) for key in definition.compile(1).points}
    indices = {
        int(found[1])
        for keys in points
        for key in keys
        if (found := re.search(r"\[(\d+)\]", key)) and re.sub(r"\[\d+\]", "[n]", key) in wanted
    }
    return [definition.compile(index) for index in sorted(indices) or [1]]


def _missing(compiled: CompiledRule, asset: Asset, points: frozenset[str], kinship: Kinship) -> list[str]:
    missing = [key for key in compiled.points if key not in points]
    missing += [str(relation) for relation in compiled.wanted if not kinship.related(asset.id, relation)]
    lacking = [name for name in compiled.rated if name not in asset.rated]
    return missing + [f"rated {name!r}{nearest(name, asset.rated)}" for name in lacking]
