"""Votes are three-valued: true as soon as enough are, false when it can't be any more, unknown in between."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.grammar import ExpressionError

LIFT = load_catalog().classes["elevator"]
KEYS = ["car.moving", "car.overload", "car.full_load", "pit.water"]
TRUTHS = (True, False, None)


def evaluate(text: str, values: dict[str, Any]) -> bool | None:
    frame = Frame(LIFT.points, {})
    read = compile_expression(text, LIFT).bind(frame)
    for key, value in values.items():
        frame.slot(key).take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    return read()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_it_says_what_every_way_of_the_unknown_would_say(count: int) -> None:
    keys = KEYS[:count]
    for least in range(1, count + 1):
        text = f"votes({least}, {', '.join(keys)})"
        for values in itertools.product(TRUTHS, repeat=count):
            ways = itertools.product(*[(True, False) if value is None else (value,) for value in values])
            outcomes = {sum(way) >= least for way in ways}
            wanted = outcomes.pop() if len(outcomes) == 1 else None
            assert evaluate(text, dict(zip(keys, values, strict=True))) is wanted, (text, values)


def test_one_of_and_all_of_are_or_and_and() -> None:
    for values in itertools.product(TRUTHS, repeat=3):
        given = dict(zip(KEYS, values, strict=False))
        listed = KEYS[:3]
        assert evaluate(f"votes(1, {', '.join(listed)})", given) is evaluate(" or ".join(listed), given)
        assert evaluate(f"votes(3, {', '.join(listed)})", given) is evaluate(" and ".join(listed), given)


def test_the_order_of_the_voters_is_of_no_account() -> None:
    for values in itertools.product(TRUTHS, repeat=3):
        given = dict(zip(KEYS, values, strict=False))
        answers = {evaluate(f"votes(2, {', '.join(order)})", given) for order in itertools.permutations(KEYS[:3])}
        assert len(answers) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("votes(4, car.moving, car.overload, pit.water)", "a number from 1 to 3"),
        ("votes(0, car.moving, car.overload)", "a number from 1 to 2"),
        ("votes(1.5, car.moving, car.overload)", "a number from 1 to 2"),
        ("votes(car.moving, car.overload, pit.water)", "a number from 1 to 2"),
        ("votes(1, car.moving)", "two conditions or more"),
        ("votes(1, car.moving, car.speed)", "a condition is needed"),
        ("votes(true, car.moving, car.overload)", "a number from 1 to 2"),
    ],
)
def test_what_makes_no_vote_is_refused(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        compile_expression(text, LIFT)


def test_windows_and_points_of_the_voters_are_used() -> None:
    found = compile_expression("votes(2, held(pit.water, '1m'), since(car.moving) > 60, car.overload)", LIFT)
    assert found.points == ("pit.water", "car.moving", "car.overload")
    assert [name for name, _ in found.windows] == ["held", "since"]
    assert found.is_timed
