"""The shipped rules played against short stories that an operator can read: `scenarios/*.yaml`.

`at` maps a second to the points that are reported then; they hold until the next time. A state is written by its code,
a reading that is not good by its quality in angle brackets (`<comm>`). `expect` is every judgement there is, in order.
Where hours go by, `repeat` is the seconds after which everything is told again, as a live device does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facility.assets import Asset
from facility.catalog import Catalog, load_catalog
from facility.points import Kind, Label, Point
from facility.readings import Quality, Sample, Value
from facility.yamlfile import files, load
from rules.effects import Judgement
from rules.engine import Engine
from rules.rulebook import PACKS, assign, read_rules

T0 = 1_700_000_000_000
CATALOG: Catalog = load_catalog()
RULES = read_rules([PACKS], CATALOG, assets={})
FOLDER = Path(__file__).parent / "scenarios"


def stories() -> Iterator[Any]:
    for path in files(FOLDER):
        data: Any = load(path).data
        for story in data["scenarios"]:
            yield pytest.param(data["class"], story, id=f"{path.stem}: {story['name']}")


def reading(point: Point, given: Any) -> tuple[Value, Quality]:
    if isinstance(given, str) and given.startswith("<"):
        return None, Quality(given.strip("<>"))
    if point.kind in (Kind.DISCRETE, Kind.ENUM) and isinstance(given, str):
        state = point.state(given)
        assert state, f"{point.key} has no state {given!r}"
        return (bool(state.number) if point.kind is Kind.DISCRETE else state.number), Quality.GOOD
    return given, Quality.GOOD


def sample(points: Any, at: int, given: dict[str, Any]) -> Sample:
    read = {key: reading(points[key], value) for key, value in given.items()}
    bad = {key: quality for key, (_, quality) in read.items() if not quality.is_good}
    return Sample("A", T0 + at * 1000, {key: value for key, (value, _) in read.items()}, bad)


def play(asset_class: str, story: dict[str, Any]) -> list[str]:
    """The judgements as lines such as `15 raise elevator.entrapment since 5`."""
    points = CATALOG.classes[asset_class].points
    steps: dict[int, dict[str, Any]] = story["at"]
    mapped = frozenset(key for given in steps.values() for key in given)
    assets = {"A": Asset("A", asset_class, Label("甲", "A"), rated=story.get("rated", {}))}
    rules = [definition for definition in RULES if definition.rule.asset_class == asset_class]
    engine = Engine(assign(rules, assets, {"A": mapped}), assets, CATALOG)
    found: list[Judgement] = []
    told: dict[str, Any] = {}
    repeat, until = story.get("repeat", 0), story["until"]
    for second in sorted({*range(0, until + 1, repeat or 1), *steps, until}):
        told |= steps.get(second, {})
        if second in steps or repeat:
            found += engine.on_sample(sample(points, second, told if repeat else steps[second]))
        found += engine.on_tick(T0 + second * 1000)
    return [
        f"{(item.at - T0) / 1000:g} {item.event} {item.rule.id}"
        + (f"[{item.rule.index}]" if item.rule.index else "")
        + f" since {(item.since - T0) / 1000:g}"
        for item in found
    ]


@pytest.mark.parametrize(("asset_class", "story"), list(stories()))
def test_story(asset_class: str, story: dict[str, Any]) -> None:
    assert play(asset_class, story) == story["expect"]


def test_every_pack_has_emergencies_and_tickets_and_is_told_here() -> None:
    for path in files(PACKS):
        data: Any = load(path).data
        rules = [definition.rule for definition in RULES if definition.rule.asset_class == data["class"]]
        assert len(rules) >= 7
        # none of these endangers anybody by itself
        wanted = {"ticket"} if path.stem in ("gateway", "cctv", "hvac", "lighting") else {"emergency", "ticket"}
        assert wanted <= {rule.raises.value for rule in rules}
        told: Any = load(FOLDER / path.name).data
        raising = [story for story in told["scenarios"] if any(" raise " in line for line in story["expect"])]
        quiet = [story for story in told["scenarios"] if not story["expect"]]
        assert raising, path.name
        assert quiet, path.name


def test_every_shipped_rule_is_raised_in_one_story_and_holds_its_peace_in_another() -> None:
    looks = {}
    for definition in RULES:
        points = definition.compile(1 if definition.is_indexed else 0).points
        looks[definition.rule.id] = {re.sub(r"\[\d+\]", "[n]", key) for key in points}
    raised, quiet = set(), set()
    for path in files(FOLDER):
        for story in load(path).data["scenarios"]:
            here = {line.split()[2].partition("[")[0] for line in story["expect"] if " raise " in line}
            told = {re.sub(r"\[\d+\]", "[n]", key) for given in story["at"].values() for key in given}
            raised |= here
            quiet |= {rule for rule, points in looks.items() if points <= told} - here
    assert looks.keys() - raised == set()
    assert looks.keys() - quiet == set()


def test_texts_stand_in_both_languages() -> None:
    for definition in RULES:
        rule = definition.rule
        for label in (rule.label, rule.guidance):
            assert any("\u4e00" <= character <= "\u9fff" for character in label.zh), rule.id
            assert label.en.isascii() or "°" in label.en, rule.id
        assert rule.severity > 1 or not rule.shelvable, f"{rule.id}: life safety can't be shelved"
