"""The share of requests that a device answers: told when it is known, and nothing that an outage makes wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.meter import ASKED, ENOUGH, SILENT, Meter


def asked(outcomes: str) -> Meter:
    """A device that was asked: `a` an answer, `e` an exception, `t` a time-out, `g` garbage."""
    meter = Meter()
    for outcome in outcomes:
        if outcome == "a":
            meter.answered(0.01)
        else:
            meter.failed({"e": "exception", "t": "timeout", "g": "garbage"}[outcome])
    return meter


def test_the_share_is_that_of_the_last_hundred_in_steps_downwards() -> None:
    assert asked("aat" * 40).share == 65
    assert asked("t" * 3 + "a" * 97).share == 95
    assert asked("at" * 50 + "a" * ASKED).share == 100


def test_a_few_requests_say_nothing() -> None:
    assert asked("at" * (ENOUGH // 2 - 1)).share == 100
    assert asked("at" * (ENOUGH // 2)).share == 50


def test_an_exception_is_an_answer_and_garbage_is_none() -> None:
    assert asked("ae" * 50).share == 100
    assert asked("ag" * 50).share == 50


@given(before=st.integers(0, 300), out=st.integers(0, 60), after=st.integers(0, 300))
def test_one_outage_of_any_length_makes_no_device_unreliable(before: int, out: int, after: int) -> None:
    assert asked("a" * before + "t" * out + "a" * after).share >= 100 * (ENOUGH - SILENT) // ENOUGH
