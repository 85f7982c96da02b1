"""Steps of time to a worse severity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.life.alarm import State
from rules.life.escalation import next_due, severity_at, wrong
from rules.rule import Escalation, Severity
from tests.rules.rows import an_alarm_row

STEPS = (
    Escalation(60, Severity.URGENT),
    Escalation(600, Severity.EMERGENCY, until_acknowledged=True),
)
STANDING = an_alarm_row(severity=3, raised_at=0)


@pytest.mark.parametrize(("at", "severity"), [(59_999, 3), (60_000, 2), (599_999, 2), (600_000, 1), (10**9, 1)])
def test_each_step_is_due_at_its_instant(at: int, severity: int) -> None:
    assert severity_at(STANDING, STEPS, at) == severity


def test_an_acknowledged_alarm_escalates_too_unless_the_step_says_otherwise() -> None:
    seen = an_alarm_row(severity=3, raised_at=0, state=State.ACKNOWLEDGED)
    assert severity_at(seen, STEPS, 10**9) == 2
    assert next_due(seen, STEPS) == (60_000, Severity.URGENT)


@pytest.mark.parametrize("state", [State.RETURNED, State.LATCHED_UNACKNOWLEDGED, State.NORMAL])
def test_what_is_over_does_not_escalate(state: State) -> None:
    row = an_alarm_row(severity=3, raised_at=0, state=state)
    assert severity_at(row, STEPS, 10**9) == 3
    assert next_due(row, STEPS) is None


@given(st.integers(1, 4), st.lists(st.integers(0, 10**9), min_size=2, max_size=2))
def test_it_only_gets_worse(severity: int, instants: list[int]) -> None:
    row = an_alarm_row(severity=severity, raised_at=0)
    early, late = sorted(instants)
    assert severity >= severity_at(row, STEPS, early) >= severity_at(row, STEPS, late)


def test_what_is_said_to_come_next_comes_then() -> None:
    at, severity = next_due(STANDING, STEPS) or (0, 0)
    assert (severity_at(STANDING, STEPS, at - 1), severity_at(STANDING, STEPS, at)) == (3, severity)


@pytest.mark.parametrize(
    "steps",
    [
        [Escalation(60, Severity.MAINTENANCE)],
        [Escalation(60, Severity.URGENT), Escalation(60, Severity.EMERGENCY)],
        [Escalation(60, Severity.URGENT), Escalation(90, Severity.URGENT)],
        [Escalation(0, Severity.URGENT)],
    ],
)
def test_steps_that_do_not_get_worse_later_are_refused(steps: list[Escalation]) -> None:
    assert wrong(steps, 3)
    assert not wrong(STEPS, 3)
