"""What is said of a rule: words for every shipped expression, sentences, messages, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.book.rulebook import PACKS, read_rules
from rules.explain.ahead import ahead
from rules.explain.telling import told
from rules.explain.words import claim, duration, number, unknown, why
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.trace import Node, Trace
from rules.life.alarm import State, Suppression
from rules.life.rows import JournalRow, OutboxRow
from rules.rule import Escalation, Raises, Severity
from tests.api.house import a_rule
from tests.rules.rows import an_alarm_row
from tests.rules.test_generate import text, truths, values

CATALOG = load_catalog()
LIFT, PUMP = CATALOG.classes["elevator"], CATALOG.classes["water_pump"]
SHIPPED = [
    (item.rule.id, expression, item.asset_class, 1 if item.is_indexed else 0)
    for item in read_rules([PACKS], CATALOG, assets={})
    for expression in (item.rule.when, item.rule.clear, item.rule.enable, item.rule.suppress)
    if expression
]


def over(source: str, given_values: dict[str, Any], of: Any = PUMP, index: int = 0) -> Node:
    frame = Frame(of.points, {})
    for key, value in given_values.items():
        frame.slot(key).take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    return Trace(source, of, index=index, classes=CATALOG.classes).over(frame)


def test_every_shipped_expression_has_words() -> None:
    assert len(SHIPPED) > 150
    for name, source, of, index in SHIPPED:
        root = over(source, {}, of, index)
        for language in ("zh", "en"):
            yes, no = claim(root, language), claim(root, language, truth=False)
            assert len({yes, no, ""}) == 3, name
            assert why(root, language), name
            assert not set("{}") & set(yes + no), name


@pytest.mark.parametrize(
    ("source", "given_values", "zh", "en"),
    [
        (
            "sys.outlet_pressure < 0.3", {"sys.outlet_pressure": 0.25},
            "出水压力低于 0.3 MPa（0.25 MPa）", "Outlet pressure is below 0.3 MPa (0.25 MPa)",
        ),
        (
            "sys.outlet_pressure < '3 bar'", {"sys.outlet_pressure": 0.35},
            "出水压力不低于 3 bar（0.35 MPa）", "Outlet pressure is not below 3 bar (0.35 MPa)",
        ),
        (
            "room.flood and sys.flow > 5", {"room.flood": True, "sys.flow": 2.0},
            "瞬时流量不高于 5 m³/h（2 m³/h）", "Flow is not above 5 m³/h (2 m³/h)",
        ),
        ("not room.flood", {"room.flood": True}, "泵房积水为有积水", "Pump room flood is Water"),
        (
            "room.flood or sys.flow > 5", {"room.flood": None, "sys.flow": 2.0},
            "泵房积水未知", "Pump room flood is unknown",
        ),
    ],
)  # fmt: skip
def test_it_says_what_decided(source: str, given_values: dict[str, Any], zh: str, en: str) -> None:
    root = over(source, given_values)
    assert (why(root, "zh"), why(root, "en")) == (zh, en)


@given(truths, values)
def test_something_unknown_is_named_exactly_where_the_answer_is_unknown(tree: Any, given_values: Any) -> None:
    root = over(text(tree), given_values, LIFT)
    frame = Frame(LIFT.points, {})
    for key, value in given_values.items():
        frame.slot(key).take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    said = compile_expression(text(tree), LIFT).bind(frame)()
    assert bool(unknown(root)) is (said is None)
    assert why(root, "zh")
    assert why(root, "en")


@pytest.mark.parametrize(
    ("ms", "en"), [(0, "0 s"), (1500, "1.5 s"), (60_000, "1 min"), (90_000, "90 s"), (7_200_000, "2 h")]
)
def test_durations(ms: int, en: str) -> None:
    assert duration(ms, "en") == en


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (10**400, "10^400"),
        (-(10**20), "-10^20"),
        (1e20, "1e+20"),
        (float("inf"), "inf"),
        (0.4567, "0.4567"),
        (3.0, "3"),
    ],
)
def test_no_number_is_too_large_to_be_said(value: float, said: str) -> None:
    assert number(value) == said


def an_entry(number: int, event: str, recorded_at: int) -> JournalRow:
    return JournalRow(
        id=number, alarm_id="A", at=recorded_at, recorded_at=recorded_at, actor="engine", event=event, state="",
        suppression="none", version=number, reason="routed", note="", rule_version="",
    )  # fmt: skip


def a_message(number: int, event: str, created_at: int, kind: str = "message") -> OutboxRow:
    return OutboxRow(
        id=number, site="s", kind=kind, channel="log", alarm_id="A", ticket_id=None, priority=1, payload="",
        key=f"A:{event}:1:log{number}", state="sent", due_at=created_at, attempts=1, error="", created_at=created_at,
        sent_at=created_at,
    )  # fmt: skip


def test_a_message_belongs_to_the_transition_that_caused_it() -> None:
    journal = [an_entry(1, "raise", 10), an_entry(2, "escalate", 20), an_entry(3, "clear", 20)]
    rows = [
        a_message(1, "raise", 10), a_message(2, "ticket", 10), a_message(3, "escalate1", 20), a_message(4, "clear", 20),
        a_message(5, "x", 20, "notice"),
    ]  # fmt: skip
    found = [[(sent.event, sent.row.id) for sent in item.messages] for item in told(journal, rows, {})]
    assert found == [[("raise", 1), ("ticket", 2)], [("escalate", 3)], [("clear", 4)]]


@given(
    st.lists(st.tuples(st.sampled_from(["raise", "clear", "announce"]), st.integers(0, 5)), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from(["raise", "clear", "ticket"]), st.integers(0, 9)), max_size=6),
)
def test_no_message_is_lost_or_shown_twice(entries: list[tuple[str, int]], rows: list[tuple[str, int]]) -> None:
    entries.sort(key=lambda item: item[1])
    journal = [an_entry(number, event, at) for number, (event, at) in enumerate(entries, 1)]
    outbox = [a_message(number, event, entries[0][1] + at) for number, (event, at) in enumerate(rows, 1)]
    shown = [sent.row.id for item in told(journal, outbox, {}) for sent in item.messages]
    assert sorted(shown) == [row.id for row in outbox]


def codes(row: Any, rule: Any = None) -> dict[str, int | None]:
    return {item.code: item.at for item in ahead(row, rule, None, None)}


def test_what_happens_next_follows_from_the_row() -> None:
    row = replace(an_alarm_row(), state=State.UNACKNOWLEDGED, raised_at=1000, severity=3, latch=True)
    rule = a_rule("slow", 3, raises=Raises.NOTHING, escalate=(Escalation(60.0, Severity.URGENT),))
    assert codes(row, rule) == {"acknowledge": None, "latches": None, "escalates": 61_000}
    assert codes(replace(row, state=State.LATCHED_ACKNOWLEDGED)) == {"reset": None}
    shelved = replace(row, latch=False, suppression=Suppression.SHELVED, shelved_until=9000)
    assert codes(shelved)["shelving_ends"] == 9000
    assert codes(replace(row, latch=False, quiet="settling", told=False, tell_at=5000))["told_at"] == 5000
    assert "told_at" not in codes(replace(row, quiet="settling", told=True, tell_at=5000))
