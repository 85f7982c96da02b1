"""One edge node's session: its table, sequence, aliases, deaths, copies, and how often it asks for a rebirth."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sparkplug_payload import BDSEQ, DOUBLE, INT8, INT64, Metric, Payload
from gateway.sparkplug_session import (
    ANSWER,
    ASK,
    ASK_LONGEST,
    GRACE,
    TABLE,
    Event,
    Lost,
    Session,
    State,
    Told,
    Update,
)

SILENCE = 120.0
VOLTS, COUNT = Metric("V", 1.5, DOUBLE, alias=1), Metric("C", 3, INT8, alias=2)


def session() -> Session:
    return Session({"M"}, SILENCE, 0.0)


def nbirth(bdseq: int | None = 5, seq: int = 0, at: int = 1) -> Payload:
    metrics = () if bdseq is None else (Metric(BDSEQ, bdseq, INT64),)
    return Payload(at, seq, (*metrics, Metric("T", 20.0, DOUBLE, alias=9)))


def dbirth(seq: int = 1, at: int = 1) -> Payload:
    return Payload(at, seq, (VOLTS, COUNT))


def ndeath(bdseq: int | None = 5) -> Payload:
    return Payload(None, 0, () if bdseq is None else (Metric(BDSEQ, bdseq, INT64),))


def data(seq: int, *metrics: Metric) -> Payload:
    return Payload(1000 + seq, seq, metrics or (Metric(alias=1, value=2.5),))


def born(now: float = 0.0) -> Session:
    node = session()
    node.asked(now, published=True)
    node.take("NBIRTH", "", nbirth(), now)
    node.take("DBIRTH", "M", dbirth(), now)
    assert node.state is State.BORN
    assert not node.error
    return node


def names(told: list[Told]) -> list[str]:
    return [metric.name for update in told if isinstance(update, Update) for metric in update.metrics]


def test_the_table_knows_every_state_and_every_state_can_be_born_and_die() -> None:
    assert set(TABLE) == set(State)
    for row in TABLE.values():
        assert row[Event.BIRTH] == (State.BORN, False)
        assert row[Event.DEATH] == (State.DEAD, False)
    # what can't be answered for ends: every state that is neither born nor dead has a time limit
    limited = {state for state, row in TABLE.items() if Event.UNANSWERED in row}
    assert limited == set(State) - {State.BORN, State.DEAD}
    # doubt ends with a birth or a death, never by itself
    assert TABLE[State.DOUBTED][Event.NEXT][0] is State.DOUBTED


def test_births_give_every_metric_and_data_get_name_and_type_from_them() -> None:
    node = session()
    (first,) = node.take("NBIRTH", "", nbirth(), 0)
    assert first == Update("", nbirth().metrics, birth=True)
    (second,) = node.take("DBIRTH", "M", dbirth(), 0)
    assert second == Update("M", (VOLTS, COUNT), birth=True)
    (third,) = node.take("DDATA", "M", data(2, Metric(alias=2, value=255), Metric("V", 7.0, DOUBLE)), 0)
    assert isinstance(third, Update)
    assert third.metrics == (Metric("C", -1, INT8, 2), Metric("V", 7.0, DOUBLE))
    (fourth,) = node.take("NDATA", "", data(3, Metric(alias=9, value=21.0)), 0)
    assert isinstance(fourth, Update)
    assert (fourth.device, fourth.metrics) == ("", (Metric("T", 21.0, DOUBLE, 9),))


def test_data_before_a_birth_are_not_used_and_ask_for_one() -> None:
    node = session()
    assert node.wants_rebirth(0)
    node.asked(0, published=True)
    assert not node.wants_rebirth(ASK - 0.1)
    assert node.take("DDATA", "M", data(17), 3) == []
    assert node.take("DBIRTH", "M", dbirth(18), 3) == []
    assert (node.state, node.wants_rebirth(4), node.wants_rebirth(ASK)) == (State.UNBORN, False, True)


@pytest.mark.parametrize("seq", [3, 1, 200, 255, 0])
def test_a_gap_asks_for_a_rebirth_and_takes_no_alias_until_it_comes(seq: int) -> None:
    node = born()
    node._asked_at = -1000.0
    metrics = (Metric(alias=1, value=9.0), Metric("C", 4, INT8))
    assert names(node.take("DDATA", "M", data(seq, *metrics), 10)) == ["C"]
    assert (node.state, node.counts["gaps"]) == (State.DOUBTED, 1)
    assert node.error == f"a message is missing: seq {seq} came, 2 was due"
    assert node.wants_rebirth(10)
    # the one after it is in its turn, and is not believed either
    assert names(node.take("DDATA", "M", data((seq + 1) % 256, *metrics), 10)) == ["C"]
    assert node.counts["gaps"] == 1
    node.asked(10, published=True)
    node.take("NBIRTH", "", nbirth(at=2), 11)
    assert (node.state, node.error) == (State.BORN, "")
    node.take("DBIRTH", "M", dbirth(at=2), 11)
    assert names(node.take("DDATA", "M", data(2), 11)) == ["V"]
    assert not node.wants_rebirth(10_000)


def test_the_sequence_wraps() -> None:
    node = born()
    for number in range(2, 1000):
        assert names(node.take("DDATA", "M", data(number % 256), number)) == ["V"]
    assert (node.state, node.counts["gaps"], node.counts["copies"]) == (State.BORN, 0, 0)


def test_a_birth_may_begin_anywhere() -> None:
    node = session()
    node.take("NBIRTH", "", nbirth(seq=255), 0)
    node.take("DBIRTH", "M", dbirth(seq=0), 0)
    assert (node.state, node.counts["gaps"]) == (State.BORN, 0)


def test_aliases_are_those_of_the_last_birth() -> None:
    node = born()
    node.take("NBIRTH", "", nbirth(at=2), 1)
    node.take("DBIRTH", "M", Payload(2, 1, (replace(VOLTS, alias=2), replace(COUNT, alias=1))), 1)
    assert names(node.take("DDATA", "M", data(2), 1)) == ["C"]


@pytest.mark.parametrize("said", [5, None])
def test_a_death_takes_the_node_and_everything_of_it(said: int | None) -> None:
    node = born()
    assert node.take("NDEATH", "", ndeath(said), 1) == [Lost()]
    assert (node.state, node.is_born("M"), node.error) == (State.DEAD, False, "the node's last will came")
    assert not node.wants_rebirth(1)
    assert node.take("DDATA", "M", data(2), 20) == []
    assert node.wants_rebirth(20)
    node.take("NBIRTH", "", nbirth(6), 21)
    assert node.state is State.BORN


def test_the_late_will_of_the_connection_before_changes_nothing() -> None:
    node = born()
    assert node.take("NDEATH", "", ndeath(4), 1) == []
    assert (node.state, node.counts["late_wills"], node.counts["deaths"]) == (State.BORN, 1, 0)
    wrapped = session()
    wrapped.take("NBIRTH", "", nbirth(0), 0)
    wrapped.take("NDEATH", "", ndeath(255), 1)
    assert wrapped.state is State.BORN


def test_the_death_of_a_session_that_was_not_seen_is_doubt() -> None:
    node = born()
    assert node.take("NDEATH", "", ndeath(6), 30) == []
    assert node.state is State.DOUBTED
    assert "bdSeq 6, ours is 5" in node.error
    assert node.wants_rebirth(30)
    assert node.tick(30 + ANSWER) == [Lost()]


def test_devices_die_and_are_born_alone() -> None:
    node = born()
    assert node.take("DDEATH", "M", Payload(1, 2), 1) == [Lost("M")]
    assert (node.state, node.is_born("M"), node.is_born("")) == (State.BORN, False, True)
    assert node.take("DDATA", "M", data(3), 60) == []
    assert node.wants_rebirth(60)
    node.take("DBIRTH", "M", dbirth(4, at=2), 61)
    assert node.is_born("M")


def test_a_device_has_a_little_time_to_be_born_after_its_node() -> None:
    node = born()
    node.take("NBIRTH", "", nbirth(at=2), 100)
    assert (node.is_born("M"), node.is_awaited("M")) == (False, True)
    assert node.tick(100 + GRACE - 0.1) == []
    node.take("NBIRTH", "", nbirth(at=3), 105)  # births in a row do not stretch it
    assert node.due <= 100 + GRACE
    assert node.tick(100 + GRACE) == [Lost("M")]
    assert not node.is_awaited("M")
    assert node.tick(100 + GRACE) == []


def test_devices_that_nobody_wants_only_count() -> None:
    node = born()
    assert node.take("DDATA", "X", data(2), 50) == []
    assert node.take("DBIRTH", "X", dbirth(3), 50) == []
    assert node.take("DDEATH", "X", data(4), 50) == []
    assert (node.state, node.error, node.wants_rebirth(50), node.is_born("X")) == (State.BORN, "", False, False)
    node.take("DDATA", "X", data(9), 50)
    assert node.state is State.DOUBTED


def test_copies_change_nothing() -> None:
    node, again = born(), data(2)
    node.take("DDATA", "M", again, 1)
    assert node.take("DDATA", "M", again, 1) == []
    assert node.take("NBIRTH", "", nbirth(), 1) == []
    assert node.take("DBIRTH", "M", dbirth(), 1) == []
    assert (node.state, node.counts["copies"], node.counts["gaps"]) == (State.BORN, 3, 0)
    assert names(node.take("DDATA", "M", data(3), 1)) == ["V"]


def test_a_node_without_timestamps_is_reborn_with_the_same_words() -> None:
    node = born()
    node.take("DDATA", "M", data(9), 1)
    assert node.state is State.DOUBTED
    node.take("NBIRTH", "", nbirth(), 2)
    assert names(node.take("DBIRTH", "M", dbirth(), 2)) == ["V", "C"]
    assert node.state is State.BORN


def test_an_unknown_alias_is_named_asked_about_and_stops_nothing_else() -> None:
    node = born()
    assert names(node.take("DDATA", "M", data(2, Metric(alias=77, value=1.0), Metric(alias=1, value=2.0)), 50)) == ["V"]
    assert (node.state, node.error, node.wants_rebirth(50)) == (State.BORN, "unknown alias 77", True)
    node.take("DDATA", "M", data(3, Metric(value=2.0)), 50)
    assert (node.error, node.counts["unknown"]) == ("a metric without a name", 2)


def test_silence_asks_and_only_no_answer_is_a_death() -> None:
    node = born()
    assert node.due == SILENCE
    assert node.tick(SILENCE) == []
    assert (node.state, node.wants_rebirth(SILENCE)) == (State.QUIET, True)
    assert names(node.take("DDATA", "M", data(2), SILENCE + 1)) == ["V"]  # an alias is good: nothing was missed
    assert (node.state, node.wants_rebirth(SILENCE + 1)) == (State.BORN, False)
    assert node.tick(2 * SILENCE + 1) == []
    assert node.tick(2 * SILENCE + 1 + ANSWER) == [Lost()]
    assert node.state is State.DEAD
    assert "silent for 120 s; a rebirth request was not answered" in node.error


def test_a_broker_that_was_away_is_reason_to_ask() -> None:
    node = born()
    node.reconnected(5)
    assert (node.state, node.wants_rebirth(5)) == (State.DOUBTED, True)
    assert node.take("DDATA", "M", data(2), 5) == []  # in its turn, but perhaps after another birth
    assert node.tick(5 + ANSWER) == [Lost()]


def test_a_node_that_never_speaks_is_dead_in_time() -> None:
    node = session()
    assert node.tick(ANSWER - 0.1) == []
    assert node.tick(ANSWER) == [Lost()]
    assert "no birth seen yet" in node.error


def test_requests_come_ever_less_often_and_start_again_after_a_birth() -> None:
    node, asked, now = session(), [], 0.0
    while now < 2000:
        node.tick(now)
        if node.wants_rebirth(now):
            node.asked(now, published=True)
            asked.append(now)
        now += 1
    assert [after - before for before, after in pairwise(asked)][:6] == [10, 20, 40, 80, 160, 300]
    node.take("NBIRTH", "", nbirth(), now)
    node.take("NDATA", "", data(9), now + ASK_LONGEST)
    assert node.wants_rebirth(now + ASK_LONGEST)


def test_a_request_that_could_not_be_published_is_tried_soon_again() -> None:
    node = session()
    node.asked(0, published=False)
    assert (node.wants_rebirth(1.9), node.wants_rebirth(2), node.counts["rebirths"]) == (False, True, 0)


KINDS = st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"])
SEQS = st.integers(0, 255)
MESS = st.tuples(
    KINDS, st.sampled_from(["M", "X"]), SEQS, st.lists(st.sampled_from([VOLTS, COUNT, Metric(alias=1, value=1)])),
    st.sampled_from([0.0, 0.1, 1.0, 40.0]),
)  # fmt: skip


@given(st.lists(MESS, max_size=60))
def test_no_mess_makes_it_ask_too_often_or_keeps_it_from_being_born(
    mess: list[tuple[str, str, int, list[Metric], float]],
) -> None:
    node, now, asked = session(), 0.0, [-ASK]
    for number, (kind, whose, seq, metrics, passed) in enumerate(mess):
        now += passed
        device = whose if kind.startswith("D") else ""
        for item in (*node.take(kind, device, Payload(number, seq, tuple(metrics)), now), *node.tick(now)):
            if isinstance(item, Update):
                assert all(metric.name for metric in item.metrics)
        if node.wants_rebirth(now):
            node.asked(now, published=True)
            asked.append(now)
        assert node.state is not State.UNBORN or now < ANSWER
    assert all(after - before >= ASK for before, after in pairwise(asked))
    node.take("NBIRTH", "", nbirth(at=9_999), now)
    node.take("DBIRTH", "M", dbirth(at=9_999), now)
    assert node.state is State.BORN
    assert node.is_born("M")
    assert names(node.take("DDATA", "M", Payload(9_999, 2, (Metric(alias=2, value=1),)), now)) == ["C"]
    assert not node.error


@given(st.integers(1, 600), st.data())
def test_whatever_one_message_is_lost_the_next_one_shows_it(length: int, draw: st.DataObject) -> None:
    lost = draw.draw(st.integers(0, length - 1))
    node = born()
    for number in range(length + 1):
        if number != lost:
            node.take("DDATA", "M", data((number + 2) % 256), 1.0)
        assert node.state is (State.DOUBTED if number > lost else State.BORN)
