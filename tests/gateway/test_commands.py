"""The life of a command: every step with every event, random walks, and each reason to refuse one."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.classfile import AssetClass
from facility.errors import TransitionError
from facility.points import Kind, Point, Register, Table, Writing
from facility.wire import Command
from gateway.commands import FINAL, LONGEST_ID, STANDING, TABLE, Event, Life, Step, advance, refusal
from tests.gateway.plant import LABEL, MODES, a_point

NOW = 1_700_000_000_000
COMMAND = Command("c1", "A", "p", 21.5, "ann", NOW - 1000, NOW + 60_000)


@pytest.mark.parametrize(("step", "event"), list(product(Step, Event)))
def test_the_table_is_the_whole_truth(step: Step, event: Event) -> None:
    if (step, event) in TABLE:
        assert advance(step, event) is TABLE[step, event]
        return
    with pytest.raises(TransitionError) as caught:
        advance(step, event)
    assert (caught.value.machine, caught.value.state, caught.value.event) == ("command", step, event)


def test_every_step_is_reached_and_every_way_ends() -> None:
    assert {*TABLE.values(), Step.RECEIVED} == set(Step)
    going_on = {step for step, _ in TABLE}
    assert set(Step) - going_on | STANDING == FINAL
    ends: set[Step] = set(FINAL)
    while True:
        more = {step for step in Step if step not in ends and any(TABLE.get((step, e)) in ends for e in Event)}
        if not more:
            break
        ends |= more
    assert ends == set(Step)


@given(st.lists(st.sampled_from(list(Event)), max_size=40))
def test_random_walks(events: list[Event]) -> None:
    life, written = Life(COMMAND), False
    for event in events:
        before = life.step
        if (before, event) not in TABLE:
            with pytest.raises(TransitionError):
                life.on(event)
            assert life.step is before
            continue
        life.on(event)
        written = written or life.step is Step.WRITING
        # nothing stands, is held, put back or watched that was never written; nothing written is called refused
        assert written or life.step in (Step.RECEIVED, Step.CHECKING, Step.REFUSED, Step.FAILED)
        assert not (written and life.step is Step.REFUSED)
        if before in FINAL:
            assert before in STANDING
            assert event in (Event.EXPIRE, Event.REPLACE)


def a_writing(**changes: object) -> Writing:
    return replace(Writing(Table.HOLDING, 0, low=10.0, high=30.0), **changes)  # type: ignore[arg-type]


def why(
    command: Command = COMMAND,
    writing: Writing | None = a_writing(),
    point: Point = a_point("p"),
    *,
    life_safety: bool = False,
) -> str:
    register = Register("p", Table.HOLDING, 0, "uint16", scale=0.1, writing=writing)
    return refusal(command, register, point, AssetClass("machine", LABEL, {"p": point}, life_safety), NOW)


def changed(**changes: object) -> Command:
    return msgspec.structs.replace(COMMAND, **changes)


FLAG, MODE = a_point("p", Kind.DISCRETE), a_point("p", Kind.ENUM, states=MODES)


def test_a_proper_command_is_let_through() -> None:
    assert why() == ""
    assert why(changed(value=22)) == ""
    assert why(changed(value=10), a_writing(two_people=True)) != ""
    assert why(changed(second="bob"), a_writing(two_people=True)) == ""
    assert why(changed(ttl=60.0), a_writing(longest=60.0)) == ""
    assert why(changed(value=True), a_writing(low=None, high=None), FLAG) == ""
    assert why(changed(value=2), a_writing(low=None, high=None), MODE) == ""


@pytest.mark.parametrize(
    ("changes", "writing", "point", "words"),
    [
        ({}, None, a_point("p"), "can't be commanded"),
        ({"expires": NOW}, {}, a_point("p"), "expired 0.0 s ago"),
        ({"expires": NOW - 2500}, {}, a_point("p"), "expired 2.5 s ago"),
        ({"id": ""}, {}, a_point("p"), "the id of a command"),
        ({"id": "x" * (LONGEST_ID + 1)}, {}, a_point("p"), "the id of a command"),
        ({"by": " "}, {}, a_point("p"), "who asks for it"),
        ({}, {"two_people": True}, a_point("p"), "takes two people: somebody else"),
        ({"second": "  "}, {"two_people": True}, a_point("p"), "takes two people: somebody else"),
        ({"second": "Ann "}, {"two_people": True}, a_point("p"), "ann can't approve"),
        ({"ttl": -1.0}, {}, a_point("p"), "is no duration"),
        ({"ttl": math.inf}, {}, a_point("p"), "is no duration"),
        ({"ttl": math.nan}, {}, a_point("p"), "is no duration"),
        ({"ttl": 1e9}, {}, a_point("p"), "too long: 3.1536e\\+07 s"),
        ({"ttl": 61.0}, {"longest": 60.0}, a_point("p"), "too long: 60 s at most"),
        ({}, {"longest": 60.0}, a_point("p"), "say for how long"),
        ({"value": 9.99}, {}, a_point("p"), "9.99 is outside .* 10 to 30"),
        ({"value": 31}, {}, a_point("p"), "outside"),
        ({"value": True}, {}, a_point("p"), "is a number, not true"),
        ({"value": math.nan}, {}, a_point("p"), "is no number"),
        ({"value": 20}, {"low": None}, a_point("p", high=15.0), "bad value"),
        ({"value": 1}, {}, FLAG, "true or false, not 1"),
        ({"value": 3}, {"low": None, "high": None}, MODE, r"3 is no state of p: 0 \(off\), 1 \(on\), 2 \(fault\)"),
        ({"value": 1.0}, {"low": None, "high": None}, MODE, "no state"),
        ({"value": False}, {"low": None, "high": None}, MODE, "not false"),
    ],
)
def test_each_reason_is_said(
    changes: dict[str, object], writing: dict[str, object] | None, point: Point, words: str
) -> None:

    reason = why(changed(**changes), None if writing is None else a_writing(**writing), point)
    assert re.search(words, reason), reason


@given(st.booleans(), st.floats(), st.text(max_size=5), st.floats())
def test_life_safety_is_never_commanded(two: bool, ttl: float, second: str, value: float) -> None:
    command = changed(ttl=ttl, second=second, value=value)
    assert "life safety" in why(command, a_writing(two_people=two), life_safety=True)
    assert "life safety" in why(command, None, life_safety=True)
