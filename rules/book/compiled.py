"""Rules ready to run: compiled, and assigned to the assets that have what they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

from facility.classfile import AssetClass
from rules.book.derived import DerivedPoints
from rules.book.kinship import Kinship
from rules.language.expression import Compiled, compile_expression
from rules.language.relation import Relation
from rules.language.trends import seconds_of_readings
from rules.linkage.matrix import Matrix
from rules.rule import Rule

USUAL = 2 * 3600.0
"""Seconds up to which a window is filled from the history of all assets; a longer one from that of its own asset."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its expressions. Its Rule has a concrete index; the others are None where it has none.

    `watched`: the point whose guard (rules/book/data) tells when to look at it; else every reading of its points does.
    `guarded`: the point that is not believed while the alarm stands.
    """

    rule: Rule
    when: Compiled
    clear: Compiled | None = None
    enable: Compiled | None = None
    suppress: Compiled | None = None
    watched: str = ""
    guarded: str = ""

    @property
    def expressions(self) -> tuple[Compiled, ...]:
        """Those that it has, `when` first."""
        return tuple(item for item in (self.when, self.clear, self.enable, self.suppress) if item is not None)

    @property
    def points(self) -> tuple[str, ...]:
        """Every point that it looks at, each once, those of `when` first."""
        return tuple(dict.fromkeys(point for item in self.expressions for point in item.points))

    @property
    def rated(self) -> tuple[str, ...]:
        """The rated values it can't do without."""
        return tuple(dict.fromkeys(name for item in self.expressions for name in item.rated))

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Its questions to other equipment, each once."""
        return tuple(dict.fromkeys(relation for item in self.expressions for relation in item.relations))

    @property
    def wanted(self) -> tuple[Relation, ...]:
        """The questions that somebody has to answer. In `enable` nobody may be there: a main board has no feeder."""
        raising = (item for item in (self.when, self.clear) if item is not None)
        return tuple(dict.fromkeys(relation for item in raising for relation in item.relations))

    @property
    def is_check(self) -> bool:
        """Whether it is a check of the data itself."""
        return bool(self.watched or self.guarded)

    @property
    def is_timed(self) -> bool:
        """Whether it has to be looked at although no reading comes."""
        return bool(self.rule.schedule) or any(item.is_timed for item in self.expressions)

    @property
    def cost(self) -> float:
        """What it costs, see language/cost.py."""
        return sum(item.cost for item in self.expressions)

    @property
    def longest_window(self) -> float:
        """Seconds of history that its windows want."""
        windows = (window for item in self.expressions for window in item.windows)
        return max((seconds_of_readings(*window) for window in windows), default=0.0)


def compiled(rule: Rule, asset_class: AssetClass, classes: Mapping[str, AssetClass]) -> CompiledRule:
    """A rule that is made for its index, ready to run; ExpressionError."""
    when, clear, enable, suppress = (
        compile_expression(text, asset_class, index=rule.index, classes=classes) if text else None
        for text in (rule.when, rule.clear, rule.enable, rule.suppress)
    )
    assert when is not None, "a rule without `when` was refused when it was read"
    return CompiledRule(rule, when, clear, enable, suppress)


@dataclass(frozen=True, slots=True)
class Unused:
    """A rule that runs nowhere, and why: what the best suited asset lacks."""

    rule: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Every rule of a site. `by_asset`: asset id -> its rules, in the order of the files; `holidays`: local days.

    `derived` are the points that it works out. `kinship` says which assets a relation asks; by default none.
    `linkage`: what its fire panels have to start, each with its matrix.
    """

    by_asset: Mapping[str, tuple[CompiledRule, ...]]
    unused: tuple[Unused, ...] = ()
    time_zone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    derived: DerivedPoints = DerivedPoints()  # noqa: RUF009 - never changed
    kinship: Kinship = Kinship({})  # noqa: RUF009 - never changed
    linkage: tuple[Matrix, ...] = ()
    rules: tuple[Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the rules that run somewhere: `rules`, each concrete index once."""
        found = {(item.rule.id, item.rule.index): item.rule for items in self.by_asset.values() for item in items}
        object.__setattr__(self, "rules", tuple(found.values()))

    @property
    def written(self) -> tuple[Rule, ...]:
        """The rules of files that run somewhere, each text once."""
        return tuple(
            {item.rule.text or item.rule.id: item.rule for item in self._items() if not item.is_check}.values()
        )

    @property
    def checks(self) -> tuple[Rule, ...]:
        """The checks of the data that run somewhere, each text once; one id has a text for each point."""
        return tuple({item.rule.text: item.rule for item in self._items() if item.is_check}.values())

    @property
    def keys(self) -> frozenset[tuple[str, int, str]]:
        """(rule, index, asset) of everything that runs."""
        return frozenset(
            (item.rule.id, item.rule.index, name) for name, items in self.by_asset.items() for item in items
        )

    def rule(self, rule_id: str, index: int = 0) -> Rule | None:
        """The rule with this id and index, if it runs somewhere."""
        return next((rule for rule in self.rules if (rule.id, rule.index) == (rule_id, index)), None)

    @property
    def usual_window(self) -> float:
        """Seconds of history of every asset that fill the windows, save for those of `patient`."""
        windows = (window for _, item in self.derived.order for window in item.compiled.windows)
        longest = max((seconds_of_readings(*window) for window in windows), default=0.0)
        return max([longest, *(item.longest_window for item in self._items() if not _is_patient(item))])

    @property
    def patient(self) -> Mapping[str, float]:
        """Asset -> seconds of its history that fill its longest window, for those that look back for hours."""
        found = {}
        for name, items in self.by_asset.items():
            if seconds := max((item.longest_window for item in items if _is_patient(item)), default=0.0):
                found[name] = seconds
        return found

    def _items(self) -> Iterator[CompiledRule]:
        return chain.from_iterable(self.by_asset.values())


def _is_patient(item: CompiledRule) -> bool:
    """Whether it looks back for longer than is usual, at its own asset only."""
    return item.longest_window > USUAL and not item.relations
