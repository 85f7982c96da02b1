"""Scenario files: what is refused, and in which order things happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigError
from simulators.scenario import Scenario, load_scenario

KNOWN = {"EL-01": frozenset({"entrapment", "overspeed"}), "WP-01": frozenset({"dry_run"})}


def read(folder: Path, text: str) -> Scenario:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path, KNOWN)


def test_a_good_one(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        """
duration: 60
seed: 9
steps:
  - {at: 20, fault: dry_run, asset: WP-01, for: 10}
  - {at: 5, fault: entrapment, asset: EL-01, for: 15.5, params: {button_after: 2}}
  - {at: 20.5, fault: entrapment, asset: EL-01, for: 1}
""",
    )
    assert (scenario.name, scenario.duration, scenario.seed) == ("some", 60, 9)
    assert [action.at for action in scenario.actions] == [5, 20, 20.5]
    assert scenario.actions[0].params == {"button_after": 2.0}
    marks = [(at, begins, action.fault) for at, begins, action in scenario.timeline()]
    assert marks == [
        (5, True, "entrapment"), (20, True, "dry_run"), (20.5, False, "entrapment"), (20.5, True, "entrapment"),
        (21.5, False, "entrapment"), (30, False, "dry_run"),
    ]  # fmt: skip


def test_every_problem_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(
            tmp_path,
            """duration: 30
steps:
  - {at: 5, fault: entrapment, asset: EL-01, for: 10}
  - {at: 12, fault: entrapment, asset: EL-01, for: 2}
  - {at: -1, fault: entrapment, asset: EL-09, for: 2}
  - {at: 1, fault: dry_run, asset: EL-01, for: 0}
  - {at: 25, fault: dry_run, asset: WP-01, for: 20}
""",
        )
    found = [(problem.line, problem.path, problem.message) for problem in caught.value.problems]
    assert [(line, path) for line, path, _ in found] == [
        (4, "steps[1].at"), (5, "steps[2].asset"), (5, "steps[2].at"), (6, "steps[3].fault"), (6, "steps[3].for"),
        (7, "steps[4].for"),
    ]  # fmt: skip
    texts = " ".join(message for _, _, message in found)
    assert "overlaps the one on line 3" in texts
    assert "there is no simulated asset 'EL-09'; known: EL-01, WP-01" in texts
    assert "EL-01 has no fault 'dry_run'; known: entrapment, overspeed" in texts
    assert "ends at 45 s, after the duration of 30" in texts
    assert all(problem.file.endswith("some.yaml") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: []", "is missing"),
        ("duration: 0", "not more than 0"),
        ("duration: 5\nspeed: 2", "unknown key"),
        ("duration: 5\nsteps: [{at: soon, fault: dry_run, asset: WP-01, for: 1}]", "number"),
        ("duration: 5\nsteps: [{at: 1, fault: dry_run, asset: WP-01, for: 1, params: {size: big}}]", "number"),
        ("duration: [", "YAML"),
    ],
)
def test_what_is_no_scenario(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)
