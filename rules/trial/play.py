"""A rule test played on the engine that runs live: what was raised and cleared, and how each rule stood when.

A test that fails is played again with a look inside (`trace`): each part of a rule's condition runs as a rule of its
own beside it, so that what it says comes from the same engine.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from facility.catalog import Catalog
from facility.readings import Sample
from rules.book.rulebook import Definition, assign
from rules.conditions import Phase, State
from rules.engine import Engine, Key
from rules.language.expression import INDEXED
from rules.language.grammar import ExpressionError, parse, source
from rules.trial.story import Expected, Shown, Story, Transition

FINE, COARSE = 7_200_000, 86_400_000
"""A test of up to two hours is ticked every second, up to a day every 5 s, a longer one every minute."""
MAX_PARTS = 40
"""Parts of one condition that are looked at."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A rule at an instant: `truth` is what its condition says (None: unknown), `delays` where its delays are."""

    at: int
    shown: Shown
    truth: bool | None
    delays: State
    severity: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a condition and what it says at an instant; `depth` is how deep it lies."""

    text: str
    depth: int
    truth: bool | None
    points: tuple[str, ...] = ()


@dataclass
class Played:
    """What a test did. `stands`: for each `Expected` its rule's stand, None where the rule does not run.

    `raised`: rules that were raised; `quiet`: those that ran, knew their condition at some instant, and never raised.
    """

    transitions: list[Transition]
    stands: list[Stand | None]
    raised: set[str] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)


def instants(story: Story) -> list[int]:
    """Every instant at which the engine is ticked."""
    step = 1000 if story.until <= FINE else 5000 if story.until <= COARSE else 60_000
    extra = {item.at for item in story.tellings} | {item.at for item in story.expected}
    return sorted({*range(0, story.until + 1, step), story.until, *extra})


class Player:
    """Plays one story, instant by instant: `for at in player.run()`, then look."""

    def __init__(
        self, story: Story, definitions: Iterable[Definition], catalog: Catalog, *, time_zone: str = "UTC"
    ) -> None:
        self.story = story
        classes = {asset.asset_class for asset in story.assets.values()}
        mine = [item for item in definitions if item.asset_class.id in classes]
        rulebook = assign(mine, story.assets, story.points, time_zone=time_zone)
        self.engine = Engine(rulebook, story.assets, catalog)
        self.rules = {
            (item.rule.id, item.rule.index, asset): item.rule
            for asset, items in rulebook.by_asset.items()
            for item in items
        }
        self.missing = {unused.rule: unused.reason for unused in rulebook.unused}
        self.transitions: list[Transition] = []
        self.raised: dict[Key, bool] = {}

    def run(self) -> Iterator[int]:
        """Give each instant once everything up to it is judged."""
        start = self.story.start
        waiting = list(reversed(self.story.tellings))
        for at in instants(self.story):
            found = []
            while waiting and waiting[-1].at <= at:
                item = waiting.pop()
                bad = {key: quality for key, (_, quality) in item.told.items() if not quality.is_good}
                values = {key: value for key, (value, _) in item.told.items()}
                found += self.engine.on_sample(Sample(item.asset, start + item.at, values, bad))
            for judgement in found + self.engine.on_tick(start + at):
                key = judgement.rule.id, judgement.rule.index, judgement.asset
                if judgement.event in ("raise", "clear"):
                    self.raised[key] = judgement.event == "raise"
                self.transitions.append(
                    Transition(
                        judgement.at - start,
                        judgement.event,
                        key,
                        judgement.since - start,
                        int(judgement.rule.severity),
                    )
                )
            yield at

    def stand(self, key: Key, at: int) -> Stand | None:
        """How a rule stands now; None if it does not run."""
        known = self.engine.condition(key)
        if known is None:
            return None
        truth, delays = known
        rule = self.rules[key]
        return Stand(at, self._shown(key, delays, latch=rule.latch), truth, delays, int(rule.severity))

    def _shown(self, key: Key, delays: State, *, latch: bool) -> Shown:
        match delays.phase:
            case Phase.ACTIVE:
                return Shown.ACTIVE
            case Phase.CLEARING:
                return Shown.CLEARING
            case Phase.PENDING:
                return Shown.PENDING
        if key not in self.raised:
            return Shown.NONE
        return Shown.LATCHED if latch else Shown.CLEARED


def play(story: Story, definitions: Iterable[Definition], catalog: Catalog, *, time_zone: str = "UTC") -> Played:
    """Run a test to its end."""
    player = Player(story, definitions, catalog, time_zone=time_zone)
    stands: dict[Expected, Stand | None] = {}
    wanted: dict[int, list[Expected]] = {}
    for item in story.expected:
        wanted.setdefault(item.at, []).append(item)
    telling = {item.at for item in story.tellings}
    known: set[Key] = set()
    for at in player.run():
        for item in wanted.get(at, ()):
            stands[item] = player.stand(item.key, at)
        if at in telling or at == story.until:
            for key in player.rules.keys() - known:
                condition = player.engine.condition(key)
                if condition and condition[0] is not None:
                    known.add(key)
    raised = {item.key[0] for item in player.transitions if item.event == "raise"}
    return Played(
        player.transitions,
        [stands[item] for item in story.expected],
        raised,
        {key[0] for key in known} - raised,
        player.missing,
    )


@dataclass(frozen=True, slots=True)
class Trace:
    """The inside of one rule over a test: its stand wherever it changed, and the parts of its condition at `at`."""

    key: Key
    at: int
    stands: tuple[Stand, ...]
    parts: tuple[Part, ...]


def trace(
    story: Story,
    definitions: Iterable[Definition],
    catalog: Catalog,
    wanted: Mapping[Key, int],
    *,
    time_zone: str = "UTC",
) -> list[Trace]:
    """Play it again and look inside these rules, each at its instant."""
    rules = list(definitions)
    by_id = {item.rule.id: item for item in rules}
    probes: dict[Key, list[tuple[str, int, Key, tuple[str, ...]]]] = {}
    made: dict[str, Definition] = {}
    for key in wanted:
        probes[key] = []
        definition = by_id.get(key[0])
        if definition is None:
            continue
        for number, (text, depth) in enumerate(parts_of(definition.rule.when)):
            part = _probe(definition, f"{key[0]}#{number}", text)
            try:
                points = part.compile(key[1]).points
            except ExpressionError:  # a number or a code alone is no condition
                continue
            made[part.rule.id] = part
            index = key[1] if INDEXED.search(text) else 0
            probes[key].append((text, depth, (part.rule.id, index, key[2]), points))
    player = Player(story, [*rules, *made.values()], catalog, time_zone=time_zone)
    stands: dict[Key, list[Stand]] = {key: [] for key in wanted}
    parts: dict[Key, tuple[Part, ...]] = {}
    for at in player.run():
        for key, instant in wanted.items():
            stand = player.stand(key, at)
            before = stands[key][-1] if stands[key] else None
            if stand and (before is None or (before.shown, before.truth) != (stand.shown, stand.truth)):
                stands[key].append(stand)
            if at == instant or (at > instant and key not in parts):
                parts[key] = tuple(
                    Part(text, depth, condition[0], points)
                    for text, depth, probe, points in probes[key]
                    if (condition := player.engine.condition(probe))
                )
    return [Trace(key, at, tuple(stands[key]), parts.get(key, ())) for key, at in wanted.items()]


def parts_of(text: str) -> list[tuple[str, int]]:
    """The conditions that a condition is made of by and, or, not: (text, depth), itself first."""
    found: list[tuple[str, int]] = []

    def walk(node: ast.expr, depth: int) -> None:
        if len(found) >= MAX_PARTS:
            return
        found.append((source(node), depth))
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                walk(value, depth + 1)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            walk(node.operand, depth + 1)

    walk(parse(text), 0)
    return found


def _probe(definition: Definition, rule_id: str, text: str) -> Definition:
    """A part of a rule's condition as a rule that has nothing else."""
    rule = replace(
        definition.rule,
        id=rule_id,
        when=text,
        clear="",
        enable="",
        delay=0.0,
        clear_delay=0.0,
        latch=False,
        schedule=(),
    )
    return replace(definition, rule=rule)
