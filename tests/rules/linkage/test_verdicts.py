"""The table of verdicts: every pair, and what must never follow from what."""

from __future__ import annotations

import itertools

import pytest

from rules.linkage.standing import Standing
from rules.linkage.verdicts import ALARMED, TABLE, WORDS, Event, Verdict, step

PAIRS = list(itertools.product(Verdict, Event))
EXPECTED = {
    ("pending", "proven"): "confirmed",
    ("pending", "part"): "weak",
    ("pending", "missing"): "failed",
    ("pending", "blind"): "unknown",
    ("pending", "spared"): "not_applicable",
    ("pending", "broken"): "failed",
    ("confirmed", "broken"): "failed",
    ("late", "broken"): "failed",
    ("weak", "proven"): "late",
    ("weak", "broken"): "failed",
    ("failed", "proven"): "late",
    ("failed", "part"): "weak",
    ("unknown", "proven"): "late",
    ("unknown", "part"): "weak",
    ("unknown", "missing"): "failed",
    ("unknown", "spared"): "not_applicable",
    ("unknown", "broken"): "failed",
}
"""Every pair that moves; all others stay."""


@pytest.mark.parametrize(("before", "event"), PAIRS)
def test_every_pair(before: Verdict, event: Event) -> None:
    assert step(before, event) == EXPECTED.get((before.value, event.value), before.value)


def test_the_table_is_whole_and_has_words() -> None:
    assert set(TABLE) == set(PAIRS)
    assert set(WORDS) == set(Verdict)


def test_only_what_is_proven_passes_and_only_from_pending_in_time() -> None:
    passes = {pair for pair in PAIRS if step(*pair) is Verdict.CONFIRMED and pair[0] is not Verdict.CONFIRMED}
    assert passes == {(Verdict.PENDING, Event.PROVEN)}
    assert all(step(before, Event.BLIND) not in (Verdict.CONFIRMED, Verdict.LATE) or before not in ALARMED
               for before in Verdict)  # fmt: skip


def test_a_standing_condition_has_to_last_and_to_have_rested() -> None:
    standing = Standing(3000, needs_rest=True)
    assert standing.step(True, 0) == ""  # it was there before anybody looked: no news
    assert standing.step(True, 9000) == ""
    assert standing.step(False, 10_000) == ""
    assert [standing.step(True, at) for at in (11_000, 13_999, 14_000, 15_000)] == ["", "", "raise", ""]
    assert standing.step(None, 16_000) == ""
    assert standing.since == 11_000
    assert standing.step(False, 17_000) == "clear"
    standing.step(True, 18_000)
    assert standing.spare() == ""  # a fire: what it starts is asked for
    assert standing.step(True, 30_000) == ""
