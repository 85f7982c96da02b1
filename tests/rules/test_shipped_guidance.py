"""What every shipped alarm tells the crew: also what not to do, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facility.assets import Asset
from facility.catalog import load_catalog
from facility.points import Label
from facility.yamlfile import load
from rules import coverage
from rules.book.data.checkfile import read_checks
from rules.book.rulebook import PACKS, read_rules
from rules.linkage.alarms import rules_of
from rules.linkage.matrixfile import shipped_linkage

CATALOG = load_catalog()
DEMO = Path(__file__).parents[2] / "simulators" / "demo" / "linkage" / "fire.yaml"
NOT_ZH = re.compile("不要|切勿|严禁|禁止|不得|勿")
# it opens a sentence or a clause: "if they do not start" forbids nothing
NOT_EN = re.compile(r"(?:^|[.;:,] |\band )(?:do not|don't|never) ", re.IGNORECASE)


def alarms() -> Iterator[tuple[str, Label]]:
    """Name and guidance of whatever is shipped: rules, checks of data, linkage (the demo's too), coverage."""
    for definition in read_rules([PACKS], CATALOG, assets={}):
        yield definition.rule.id, definition.rule.guidance
    for name, alarm in read_checks([], CATALOG, assets={})[0].alarms.items():
        assert alarm.guidance, name
        yield f"data.{name}", alarm.guidance.label()
    panel = {"FA-01": Asset("FA-01", "fire_alarm", Label("火警", "panel"))}
    points = {"FA-01": frozenset(CATALOG.classes["fire_alarm"].points)}
    for rule in rules_of(shipped_linkage(panel, CATALOG, points)):
        yield f"{rule.id}-{rule.index}", rule.guidance
    demo: Any = load(DEMO).data
    for effect in demo["effects"]:
        yield f"demo.{effect['id']}", Label(effect["action"]["zh"], effect["action"]["en"])
    yield coverage.RULE.id, coverage.RULE.guidance


ALARMS = dict(alarms())


@pytest.mark.parametrize("name", ALARMS)
def test_guidance_says_what_not_to_do(name: str) -> None:
    guidance = ALARMS[name]
    assert NOT_ZH.search(guidance.zh), guidance.zh
    assert NOT_EN.search(guidance.en), guidance.en


def test_all_sources_are_looked_at() -> None:
    """Every pack, the checks of the data, and the alarms of each effect."""
    families = {name.partition(".")[0] for name in ALARMS}
    assert families >= {*CATALOG.classes, "data", "demo", "site"}
    assert "fire_alarm.hydrant_pump_failed-10" in ALARMS
    assert "fire_alarm.linkage_weak-10" in ALARMS


@pytest.mark.parametrize("text", ["See whether they do not start.", "Nobody has seen it.", "It was never full."])
def test_a_text_that_forbids_nothing_is_found_out(text: str) -> None:
    assert not NOT_EN.search(text)
