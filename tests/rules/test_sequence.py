"""Batch numbers and cursors: every batch is taken once, in any order and across restarts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.wire import Batch
from rules.life.rows import Cursor
from rules.role import sequence
from rules.role.sequence import AHEAD_MS, BOOTS, Arrival, Progress, seen_until


def batch(seq: int, boot: str = "b1", *, hist: bool = False) -> Batch:
    return Batch(boot, seq, [], hist)


def arrivals(progress: Progress, *batches: Batch) -> list[str]:
    return [progress.arrive(item).value for item in batches]


def test_the_first_batch_ever_may_have_any_number() -> None:
    assert arrivals(Progress("g"), batch(41), batch(42), batch(42)) == ["next", "next", "copy"]


def test_a_jump_is_a_gap_and_what_was_missing_is_taken_once() -> None:
    progress = Progress("g", Cursor(gateway="g", boot="b1", seq=2))
    assert arrivals(progress, batch(5)) == ["after_gap"]
    assert progress.missing == 2
    assert arrivals(progress, batch(4), batch(3), batch(3), batch(5)) == ["late", "late", "copy", "copy"]
    assert progress.missing == 0


def test_a_new_boot_starts_from_one() -> None:
    progress = Progress("g", Cursor(gateway="g", boot="b1", seq=9))
    assert arrivals(progress, batch(1, "b2"), batch(2, "b2")) == ["next", "next"]
    assert progress.cursor() == Cursor(gateway="g", boot="b2", seq=2)
    assert arrivals(Progress("g", Cursor(gateway="g", boot="b1", seq=9)), batch(3, "b2")) == ["after_gap"]


def test_history_of_an_older_boot_does_not_become_the_present_one() -> None:
    progress = Progress("g", Cursor(gateway="g", boot="b2", seq=9))
    assert arrivals(progress, batch(70, "b1", hist=True), batch(71, "b1", hist=True)) == ["next", "next"]
    assert progress.cursor().boot == "b2"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "MISSING", 10)
    progress = Progress("g", Cursor(gateway="g", boot="b0", seq=1))
    progress.arrive(batch(1_000_000, "b0"))
    progress.arrive(batch(1_000_008, "b0"))
    assert progress.missing == 10
    for number in range(20):
        progress.arrive(batch(1, f"c{number}"))
    assert len(progress._boots) == BOOTS
    assert progress.missing == 0


def test_a_cursor_is_never_moved_back_nor_by_a_clock_gone_mad() -> None:
    progress = Progress("g", Cursor(gateway="g", boot="b", seq=1, at=100, assets={"A": 100}))
    progress.take("A", 50, now=1000)
    progress.take("B", 70, now=1000)
    progress.take("A", 1001 + AHEAD_MS, now=1000)
    assert (progress.at, progress.assets) == (100, {"A": 100, "B": 70})
    progress.take("B", 200, now=1000)
    assert progress.cursor() == Cursor(gateway="g", boot="b", seq=1, at=200, assets={"A": 100, "B": 200})


def test_an_asset_of_two_gateways_is_seen_until_its_newest_reading() -> None:
    cursors = {
        "g": Cursor(gateway="g", assets={"A": 5, "B": 7}),
        "h": Cursor(gateway="h", assets={"A": 9}),
    }
    assert seen_until(cursors) == {"A": 9, "B": 7}


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(0, 60))
def test_a_process_takes_every_number_at_most_once_and_none_is_forgotten(numbers: list[int], restart: int) -> None:
    progress = Progress("g", Cursor(gateway="g", boot="b1", seq=0))
    taken: list[int] = []
    before: set[int] = set()
    for position, number in enumerate(numbers):
        if position == restart:
            progress = Progress("g", progress.cursor())
            before, taken = before | set(taken), []
        if progress.arrive(batch(number)) is not Arrival.COPY:
            taken.append(number)
    assert len(taken) == len(set(taken))
    assert before | set(taken) == set(numbers)


def test_what_only_the_process_before_has_seen_is_taken_again_once() -> None:
    progress = Progress("g", Cursor(gateway="g", boot="b1", seq=9))
    assert arrivals(progress, batch(8), batch(8), batch(10), batch(9), batch(9)) == [
        "late",
        "copy",
        "next",
        "late",
        "copy",
    ]
