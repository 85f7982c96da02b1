"""The picture of an alarm's life is what the tables say."""

from __future__ import annotations

from rules.life.alarm import PROCESS, SUPPRESSION, State, Suppression
from scripts import alarm_diagram


def test_the_picture_is_what_the_script_draws() -> None:
    assert alarm_diagram.PICTURE.read_text("utf-8") == alarm_diagram.drawn(), "run `make alarm-diagram`"


def test_every_state_has_a_place_and_every_change_an_arrow() -> None:
    assert set(alarm_diagram.PLACES) == {*State, *Suppression}
    arrows = set(alarm_diagram.edges())
    for table in (PROCESS, SUPPRESSION):
        for (source, _), targets in table.items():
            assert {(source, target) for target in targets if target is not source} <= arrows
