"""Rules that are refused although every part of them is well written, each at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.catalog import load_catalog
from facility.config import Site
from facility.points import Label
from facility.settings import ReadingsSettings, Settings
from rules.book.rulebook import PACKS, check_rules, read_rules
from rules.language.cost import MAX_COST
from rules.language.expression import compile_expression

CATALOG = load_catalog()
HEAD = "class: elevator\nrules:\n"
RULE = (
    "  - {{id: {id}, labels: {{zh: 甲, en: A}}, guidance: {{zh: 乙, en: B}}, severity: 3, raises: nothing,\n{more}}}\n"
)


def problems(folder: Path, **files: str) -> list[str]:
    """What is wrong with a site of these rule files, without its folder."""
    (folder / "rules").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "rules" / f"{name}.yaml").write_text(text, encoding="utf-8")
    settings = Settings(readings=ReadingsSettings(retention_days=1))
    site = Site("s", Label("甲", "A"), folder, "UTC", ("zh",), (), {}, {}, (), settings)
    return [str(problem).removeprefix(f"{folder / 'rules'}/") for problem in check_rules(site, CATALOG)]


def a_rule(rule_id: str = "own.a", **more: str) -> str:
    """One rule whose keys stand on lines of their own, from the second line of it on."""
    return RULE.format(id=rule_id, more=",\n".join(f'    {key}: "{text}"' for key, text in more.items()))


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"when": "false"}, "4:12: when", "can never fire: it is always false"),
        ({"when": "car.speed > 5 and car.speed < 3"}, "4:12: when", "can never fire: no value of car.speed meets it"),
        ({"when": "car.speed > 13"}, "4:12: when", "no value of car.speed meets it (it is between -12 and 12)"),
        ({"when": "true"}, "4:12: when", "can never clear: it is always true"),
        ({"when": "car.speed < 20"}, "4:12: when", "can never clear: it is always true"),
        ({"when": "car.moving", "clear": "1 > 2"}, "5:13: clear", "can never clear: it is always false"),
        (
            {"when": "car.speed > 5", "clear": "car.speed > 6"},
            "5:13: clear",
            "can never clear while `when` is not true: no value of car.speed",
        ),
        (
            {"when": "mode.service == 'stop'", "enable": "mode.service == 'normal'"},
            "5:14: enable",
            "the rule can never fire while this holds: no value of mode.service",
        ),
        ({"when": "car.moving", "enable": "false"}, "5:14: enable", "the rule can never fire: it is always false"),
        (
            {"when": " or ".join(f"percentile(car.speed, '{hours}h', 5) > 1" for hours in (24, 23, 22))},
            "4:12: when",
            "the rule costs 430, the limit is 400: fewer or shorter windows cost less",
        ),
        ({"when": "car.moving or car.flor > 3"}, "4:26: when", "no point 'car.flor'; did you mean"),
        ({"when": "car.moving or helt(car.moving, '5s')"}, "4:26: when", "no function helt; did you mean held"),
        ({"when": "mode.service == 'stp'"}, "4:28: when", "no state 'stp'; did you mean stop?"),
        ({"when": "avg(car.speed, '25h') > 2"}, "4:27: when", "a window spans 1 s to 24 h"),
        ({"when": ""}, "4:11: when", "is empty"),
    ],
)  # fmt: skip
def test_it_is_refused_where_it_stands(tmp_path: Path, keys: dict[str, str], place: str, words: str) -> None:
    (found,) = problems(tmp_path, own=HEAD + a_rule(**keys))
    assert found.startswith(f"own.yaml:{place.replace(': ', ': rules[0].')}: ")
    assert words in found


def test_the_column_of_a_folded_text_is_that_of_its_own_line(tmp_path: Path) -> None:
    text = HEAD + (
        "  - id: own.a\n    labels: {zh: 甲, en: A}\n    guidance: {zh: 乙, en: B}\n    severity: 3\n"
        "    raises: nothing\n"
        "    when: >-\n      car.moving\n      or car.flor > 3\n    clear: not\n      car.moving and car.speed\n"
    )
    found = problems(tmp_path, own=text)
    assert [line.split(" ")[0] for line in found] == ["own.yaml:10:10:", "own.yaml:12:22:"]


def test_every_problem_of_a_rule_and_of_every_file_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        a=HEAD + a_rule("own.a", when="car.flor > 3", clear="car.sped > 3", enable="car.moving and 3"),
        b=HEAD + a_rule("own.b", when="false", clear="false"),
    )
    places = [line.split(": ")[0] for line in found]
    assert places == ["a.yaml:4:12", "a.yaml:5:13", "a.yaml:6:29", "b.yaml:4:12", "b.yaml:5:13"]


def test_two_files_may_not_override_the_same_rule(tmp_path: Path) -> None:
    own = HEAD + a_rule("elevator.overspeed", when="safety.overspeed")
    (found,) = problems(tmp_path, a=own, b=own)
    assert found.startswith("b.yaml:3:10: rules[0].id: the id 'elevator.overspeed' is already taken at ")
    assert found.endswith("a.yaml:3")
    (found,) = problems(tmp_path, b=HEAD + "  - {id: elevator.overspeed, disable: true}\n")
    assert found.startswith("b.yaml:3:10: rules[0].id: the id 'elevator.overspeed' is already taken at ")
    assert problems(tmp_path, b=HEAD + a_rule("own.b", when="car.moving")) == []


def test_what_may_fire_and_clear_is_left_alone(tmp_path: Path) -> None:
    rules = [
        a_rule("own.a", when="car.speed > 5", clear="car.speed < 3"),
        a_rule("own.b", when="car.speed > 5", clear="car.speed > 3"),
        a_rule("own.c", when="car.speed > 5", clear="car.moving", enable="car.speed > 4"),
        a_rule("own.d", when="car.speed >= 12", clear="car.speed < 12"),
    ]
    assert problems(tmp_path, own=HEAD + "".join(rules)) == []


def test_a_rule_over_n_is_not_taken_for_that_of_its_first_index(tmp_path: Path) -> None:
    text = "class: water_pump\nrules:\n" + a_rule("own.a", when="pump[n].fault and not pump[1].fault")
    assert problems(tmp_path, own=text) == []


def test_every_shipped_rule_costs_a_fraction_of_the_limit() -> None:
    for definition in read_rules([PACKS], CATALOG, assets={}, kept_days=1):
        assert definition.compile(1 if definition.is_indexed else 0).cost < MAX_COST / 2


def test_a_longer_window_and_one_more_part_cost_more() -> None:
    lift = CATALOG.classes["elevator"]
    costs = [
        compile_expression(text, lift).cost
        for text in (
            "car.moving", "car.moving and car.overload", "held(car.moving, '1h')", "avg(car.speed, '1h') > 1",
            "avg(car.speed, '3h') > 1", "percentile(car.speed, '3h', 5) > 1",
        )
    ]  # fmt: skip
    assert costs == sorted(set(costs))
