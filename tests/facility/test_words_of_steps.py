"""Every step of a command that a gateway tells has a word in both languages, and no other has."""

from __future__ import annotations

from facility.words import COMMAND_STEPS
from gateway.commands import Step


def test_every_step_has_its_word() -> None:
    assert set(COMMAND_STEPS) == {step.value for step in Step}
