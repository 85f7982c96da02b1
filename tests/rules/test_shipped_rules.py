"""The shipped rules: each pack's own tests (`rules/packs/tests`), and what every rule has."""

from __future__ import annotations

import re
from typing import Any

import pytest

from facility.catalog import Catalog, load_catalog
from facility.yamlfile import files, load
from rules.book.rulebook import PACKS, read_rules
from rules.trial.play import play
from rules.trial.story import Story
from rules.trial.testfile import SHIPPED, Ground, read_tests
from rules.trial.verdict import judge

CATALOG: Catalog = load_catalog()
RULES = read_rules([PACKS], CATALOG, assets={})
GROUND = Ground(CATALOG, {item.rule.id: item.rule.asset_class for item in RULES}, time_zone="Asia/Shanghai")
STORIES = read_tests([(SHIPPED, True)], GROUND)


@pytest.mark.parametrize("story", [pytest.param(item, id=item.name) for item in STORIES])
def test_story(story: Story) -> None:
    verdict = judge(story, RULES, CATALOG, own=frozenset(), time_zone=GROUND.time_zone)
    assert not verdict.lines, "\n".join(["", story.title, *(line.en for line in verdict.lines)])


def test_every_rule_has_a_test_that_raises_it_and_one_that_does_not() -> None:
    raised: set[str] = set()
    quiet: set[str] = set()
    for story in STORIES:
        played = play(story, RULES, CATALOG, time_zone=GROUND.time_zone)
        raised |= played.raised
        quiet |= played.quiet
    rules = {item.rule.id for item in RULES}
    assert rules - raised == set(), "no test raises these"
    assert rules - quiet == set(), "no test knows the condition of these and does not raise them"


def test_every_pack_has_emergencies_and_tickets() -> None:
    for path in files(PACKS):
        data: Any = load(path).data
        rules = [definition.rule for definition in RULES if definition.rule.asset_class == data["class"]]
        assert len(rules) >= 7
        # none of these endangers anybody by itself
        wanted = {"ticket"} if path.stem in ("gateway", "cctv", "hvac", "lighting") else {"emergency", "ticket"}
        assert wanted <= {rule.raises.value for rule in rules}


def test_every_rule_is_raised_in_one_story_and_holds_its_peace_in_another() -> None:
    looks = {}
    for definition in RULES:
        points = definition.compile(1 if definition.is_indexed else 0).when.points
        looks[definition.rule.id] = {_template(key) for key in points}
    raised: set[str] = set()
    quiet: set[str] = set()
    for path in files(SHIPPED):
        for story in load(path).data["tests"]:
            said = f"{story.get('transitions')} {story.get('expect')}"
            here = set(re.findall(r"raise ([\w.]+)", said)) | set(re.findall(r"'([\w.]+)(?:\[\d+\])?': 'active", said))
            steps = [story.get("series", {}), *story.get("at", {}).values()]
            told = {_template(key) for given in steps for key in given}
            raised |= here
            quiet |= {rule for rule, points in looks.items() if points <= told} - here
    assert looks.keys() - raised == set()
    assert looks.keys() - quiet == set()


def _template(key: str) -> str:
    return re.sub(r"\[\d+\]", "[n]", key)


def test_texts_stand_in_both_languages() -> None:
    for definition in RULES:
        rule = definition.rule
        for label in (rule.label, rule.guidance):
            assert any("\u4e00" <= character <= "\u9fff" for character in label.zh), rule.id
            assert label.en.isascii() or "°" in label.en, rule.id
        assert rule.severity > 1 or not rule.shelvable, f"{rule.id}: life safety can't be shelved"
