"""The examples of docs/rules.md are files that a site may have as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facility.catalog import load_catalog
from rules.book.derived import compile_derived
from rules.book.rulebook import PACKS, read_rules
from rules.trial.testfile import Ground, read_tests
from rules.trial.verdict import judge

GUIDE = Path(__file__).parents[2] / "docs" / "rules.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("text", [text for text in BLOCKS if text.startswith("class:")])
def test_rules_of_the_guide_are_rules(tmp_path: Path, text: str) -> None:
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    assert read_rules([tmp_path], load_catalog(), assets=None)


@pytest.mark.parametrize("text", [text for text in BLOCKS if text.startswith("# rules/tests/")])
def test_tests_of_the_guide_pass(tmp_path: Path, text: str) -> None:
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    catalog = load_catalog()
    rules = read_rules([PACKS], catalog, assets=None)
    ground = Ground(catalog, {item.rule.id: item.rule.asset_class for item in rules})
    (story,) = read_tests([(tmp_path, False)], ground)
    verdict = judge(story, rules, catalog, own=frozenset(), time_zone="UTC")
    assert not verdict.lines, [line.en for line in verdict.lines]


@pytest.mark.parametrize("text", [text for text in BLOCKS if text.startswith("derived:")])
def test_derived_points_of_the_guide_are_derived_points(tmp_path: Path, text: str) -> None:
    (tmp_path / "derived.yaml").write_text(text, encoding="utf-8")
    catalog = load_catalog(tmp_path)
    assert compile_derived(catalog, None, []).keys() == {(item.asset_class, item.point.key) for item in catalog.derived}
