"""Matrices as files: what is refused, at which line and why; what the shipped one makes of a panel."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.assets import Asset
from facility.errors import ConfigError
from facility.points import Label
from rules.linkage.alarms import rules_of
from rules.linkage.matrixfile import shipped_linkage
from tests.rules.linkage.panels import CATALOG, MATRIX, TEXTS, a_site, matrices

HEAD = "panel: FA\n"
SMOKE = f"{{effect: 8, id: x, {TEXTS}, within: 9, proofs: [{{when: fan.smoke_run}}]}}"
REFUSED = {
    "a feedback point that no device gives": (
        f"effects: [{{effect: 7, id: x, {TEXTS}, within: 9, proofs: [{{when: fan.supply_run}}]}}]",
        2, "FA has no fan.supply_run: no device of it gives that",
    ),
    "a point that the class has not": (
        f"effects: [{{effect: 7, id: x, {TEXTS}, within: 9, proofs: [{{when: fan.suply_run}}]}}]",
        2, "did you mean fan.supply_run",
    ),
    "an asset that is not there": (
        f"effects:\n  - {{effect: 7, id: x, {TEXTS}, within: 9,\n    proofs: [{{asset: EL-9, when: fire.parked}}]}}",
        4, "there is no asset 'EL-9'",
    ),
    "an unknown zone": (
        f"effects: [{{effect: 8, id: x, {TEXTS}, within: 9, zones: [6, 77], proofs: [{{when: fan.smoke_run}}]}}]",
        2, "FA has no zone 77",
    ),
    "a cause of an unknown zone": (
        f"causes: {{zones: [{{zone: 77}}]}}\neffects: [{SMOKE}]",
        2, "FA has no zone 77",
    ),
    "an effect twice": (
        f"effects:\n  - {{effect: 8, id: x, {TEXTS}, within: 9, proofs: [{{when: fan.smoke_run}}]}}\n"
        f"  - {{effect: 8, id: y, {TEXTS}, within: 9, proofs: [{{when: fan.smoke_run}}]}}",
        4, "effect 8 stands here twice",
    ),
    "no deadline": (
        f"effects: [{{effect: 8, id: x, {TEXTS}, proofs: [{{when: fan.smoke_run}}]}}]",
        2, "has no deadline",
    ),
    "no proof": (f"effects: [{{effect: 8, id: x, {TEXTS}, within: 9}}]", 2, "nothing would prove it"),
    "more of them than there are": (
        f"effects: [{{effect: 4, id: x, {TEXTS}, within: 9,"
        " proofs: [{class: elevator, count: 3, when: fire.parked}]}]",
        2, "3 of 2 can't be",
    ),
    "an unknown group": (
        f"effects: [{{effect: 4, id: x, {TEXTS}, within: 9, proofs: [{{group: bank, when: fire.parked}}]}}]",
        2, "there is no group 'bank'",
    ),
    "instead of nothing": (
        f"effects: [{{effect: 11, id: x, {TEXTS}, within: 9, instead_of: 10, proofs: [{{when: fan.smoke_run}}]}}]",
        2, "there is no other effect 10",
    ),
    "no speed to reckon with": (
        f"effects: [{{effect: 6, id: x, {TEXTS}, within: {{height: 9}},"
        " proofs: [{asset: AC, when: 'door[1].fire_release'}]}]",
        2, "AC has no rated speed",
    ),
    "a single device": (
        f"causes: {{zones: [{{zone: 6, devices: [panel.fire]}}]}}\neffects: [{SMOKE}]",
        2, "name at least two",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    text, line, reason = REFUSED[name]
    with pytest.raises(ConfigError) as caught:
        matrices(a_site(tmp_path, HEAD + text))
    (problem,) = caught.value.problems
    assert problem.file.endswith("linkage/fa.yaml")
    assert problem.line == line
    assert reason in problem.message


def test_an_unknown_panel_and_a_second_matrix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no fire panel 'EL-1'; known: FA"):
        matrices(a_site(tmp_path, MATRIX.replace("panel: FA", "panel: EL-1")))
    site = a_site(tmp_path, MATRIX)
    (tmp_path / "linkage" / "second.yaml").write_text(MATRIX, encoding="utf-8")
    with pytest.raises(ConfigError, match="has a matrix already"):
        matrices(site)


def test_lifts_have_their_own_limits(tmp_path: Path) -> None:
    (matrix,) = matrices(a_site(tmp_path))
    lifts = matrix.effects[0]
    assert {term.asset: term.limit for term in lifts.proofs[0].terms} == {"EL-1": 60_000, "EL-2": 90_000}
    assert (lifts.limit, lifts.proofs[0].count) == (90_000, 2)


def test_a_panel_without_a_matrix_has_the_shipped_one(tmp_path: Path) -> None:
    (matrix,) = matrices(a_site(tmp_path, None))
    judged = {effect.number for effect in matrix.effects if effect.excused is None}
    # lift recall, smoke fan, pump, its fallback, the start signal; of L2 only the broadcast
    assert judged == {1, 2, 4, 8, 10, 11}
    assert [zone.number for zone in matrix.zones] == [5, 6]


def test_the_shipped_matrix_is_complete_and_in_both_languages() -> None:
    panel = {"FA": Asset("FA", "fire_alarm", Label("主机", "Panel"))}
    (matrix,) = shipped_linkage(panel, CATALOG, {"FA": frozenset(CATALOG.classes["fire_alarm"].points)})
    assert [effect.number for effect in matrix.effects] == list(range(1, 19))
    for rule in rules_of([matrix]):
        for label in (rule.label, rule.guidance):
            assert any("\u4e00" <= character <= "\u9fff" for character in label.zh), rule.id
            assert label.en.isascii(), rule.id
        assert not rule.shelvable


def test_a_panel_that_tells_only_its_faults_has_none() -> None:
    panel = {"FA": Asset("FA", "fire_alarm", Label("主机", "Panel"))}
    assert shipped_linkage(panel, CATALOG, {"FA": frozenset({"panel.fault"})}) == ()
