"""Presence: when a gateway counts as there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.presence import INTERVALS, SILENT_MS, STATUS, Presence
from facility.wire import Status
from gateway import report, service
from rules.language import frame

T0 = 1_700_000_000_000
HERE = Status(online=True, boot="b1", at=T0)
WILL = Status(online=False, boot="b1")


def test_everybody_goes_by_the_same_numbers() -> None:
    assert SILENT_MS == INTERVALS * STATUS * 1000 == 30_000
    assert service.STATUS == STATUS
    assert report.HEARTBEAT == frame.HEARTBEAT_MS == 300_000


def test_three_intervals_of_silence_and_it_is_gone_until_it_speaks() -> None:
    presence = Presence()
    assert not presence.is_there(T0)
    presence.hear(HERE, T0)
    assert presence.is_there(T0 + SILENT_MS)
    assert not presence.is_there(T0 + SILENT_MS + 1)
    presence.spoke(T0 + 90_000)
    assert presence.is_there(T0 + 90_000 + SILENT_MS)


def test_before_the_first_word_silence_counts_from_the_start() -> None:
    presence = Presence(T0)
    assert presence.is_there(T0 + SILENT_MS)
    assert not presence.is_there(T0 + SILENT_MS + 1)


def test_a_farewell_counts_at_once_and_a_batch_after_it_takes_it_back() -> None:
    presence = Presence(T0)
    presence.hear(HERE, T0)
    assert presence.hear(WILL, T0 + 1)
    assert not presence.is_there(T0 + 1)
    presence.spoke(T0 + 2)
    assert presence.is_there(T0 + 2)


def test_the_last_will_of_an_earlier_start_says_nothing_of_this_one() -> None:
    presence = Presence()
    presence.hear(HERE, T0)
    presence.hear(Status(online=True, boot="b2", at=T0 + 5_000), T0 + 5_000)
    assert not presence.hear(WILL, T0 + 20_000)
    assert presence.is_there(T0 + 20_000)
    assert presence.hear(Status(online=False, boot="b2"), T0 + 21_000)
    assert not presence.is_there(T0 + 21_000)
    # what the broker keeps is how it is, whoever said it
    presence.spoke(T0 + 22_000)
    assert presence.hear(WILL, T0 + 23_000, retained=True)
    assert not presence.is_there(T0 + 23_000)


@pytest.mark.parametrize(("said", "there"), [(0, True), (-SILENT_MS, True), (-SILENT_MS - 1, False), (10**9, True)])
def test_a_retained_word_is_as_old_as_it_says(said: int, there: bool) -> None:
    presence = Presence()
    presence.hear(Status(online=True, boot="b1", at=T0 + said), T0, retained=True)
    assert presence.is_there(T0) is there
    assert not presence.is_there(T0 + SILENT_MS + 1)


def test_a_repeated_retained_word_takes_nothing_back() -> None:
    presence = Presence()
    presence.hear(HERE, T0)
    presence.hear(Status(online=True, boot="b1", at=T0 - 60_000), T0 + 1_000, retained=True)
    assert presence.is_there(T0 + 1_000)


def test_a_clock_put_back_does_not_keep_a_frozen_gateway_alive() -> None:
    presence = Presence()
    presence.hear(HERE, T0)
    back = T0 - 3_600_000
    assert presence.is_there(back)
    assert not presence.is_there(back + SILENT_MS + 1)


@given(st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from(["status", "batch", "will"])), max_size=20))
def test_it_is_there_exactly_while_its_last_word_is_young_and_no_farewell(
    words: list[tuple[int, str]],
) -> None:
    presence, now = Presence(), T0
    for wait, word in words:
        now += wait
        if word == "batch":
            presence.spoke(now)
        else:
            presence.hear(HERE if word == "status" else WILL, now)
        for later in (0, SILENT_MS, SILENT_MS + 1):
            assert presence.is_there(now + later) is (word != "will" and later <= SILENT_MS)
