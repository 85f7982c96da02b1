"""When a device is down, when it is up again, when it is asked next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.health import LONGEST, SHORTEST, Health, State, delay, failed, succeeded


def fail(health: Health, at: float, interval: float = 1.0) -> Health:
    return failed(health, at, interval=interval, error="no answer", jitter=0.0)


def test_one_good_poll_brings_up_a_device_that_was_never_down() -> None:
    health = succeeded(Health())
    assert (health.state, health.error) == (State.UP, "")
    assert succeeded(health) is health


def test_down_after_three_failures_and_three_intervals() -> None:
    health = succeeded(Health())
    for at, state in [(10.0, State.FAILING), (11.0, State.FAILING), (12.0, State.DOWN)]:
        health = fail(health, at)
        assert health.state is state
    assert health.error == "no answer"
    health = succeeded(Health())
    for at, state in [(10.0, State.FAILING), (11.0, State.FAILING), (12.0, State.FAILING), (30.0, State.DOWN)]:
        health = fail(health, at, interval=10.0)
        assert health.state is state


def test_up_again_after_two_good_polls_in_a_row() -> None:
    health = Health()
    for at in (1.0, 2.0, 3.0):
        health = fail(health, at)
    health = succeeded(health)
    assert health.state is State.FAILING
    assert fail(health, 4.0).state is State.DOWN
    assert succeeded(health).state is State.UP
    assert succeeded(fail(succeeded(fail(health, 4.0)), 5.0)).state is State.FAILING


def test_a_hiccup_is_no_outage() -> None:
    health = succeeded(fail(fail(succeeded(Health()), 1.0), 2.0))
    assert health.state is State.UP
    assert fail(health, 3.0).failures == 1


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_bounded_and_grows(failures: int, jitter: float) -> None:
    assert SHORTEST <= delay(failures, jitter) <= LONGEST
    assert delay(failures, 0.0) <= delay(failures + 1, 0.0)
    assert delay(20, 0.0) == LONGEST


@given(st.lists(st.booleans(), max_size=60))
def test_every_walk_ends_up_after_enough_good_polls_and_down_after_enough_bad_ones(polls: list[bool]) -> None:
    health, at = Health(), 0.0
    for good in polls:
        at = max(at + 1, health.retry_at)
        health = succeeded(health) if good else fail(health, at)
        assert (health.error == "") is (health.state is State.UP) or good
    assert succeeded(succeeded(health)).state is State.UP
    for _ in range(3):
        at = max(at + 1, health.retry_at)
        health = fail(health, at)
    assert health.state is State.DOWN
