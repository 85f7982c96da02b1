"""Runs of a small site: verdicts, alarms, and when they come, from readings alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.readings import Sample
from rules.linkage.judge import Linkage
from rules.linkage.run import Run, copy
from rules.linkage.verdicts import Verdict
from tests.rules.linkage.panels import FIRE, QUIET, START, a_linkage, lines, play, told

GOOD = (
    told("FA", 12, fan__smoke_cmd=True),
    told("FA", 15, fan__smoke_run=True, hydrant_pump__run=True),
    told("FA", 20, hydrant__pressure=0.85),
    told("AC", 13, door_1__fire_release=True, door_2__fire_release=True),
    told("EL-1", 40, fire__parked=True),
    told("EL-2", 80, fire__parked=True),
)
RESET = told("FA", 200, panel__fire=False, panel__started=False, cnt__alarm=0, zones_in_alarm=0, zone_6__alarm=False)


@pytest.fixture
def linkage(tmp_path: Path) -> Linkage:
    return a_linkage(tmp_path)


def verdicts(run: Run) -> dict[int, str]:
    return {effect.number: effect.verdict.value for effect in run.effects}


def without(*points: str) -> list[Sample]:
    """What goes well, but for these points (as `told` names them)."""
    return [sample for sample in GOOD if not any(point in key for point in points for key in sample.values)]


def test_a_fire_whose_linkage_is_good_passes_and_ends_with_its_reset(linkage: Linkage) -> None:
    found = play(linkage, [*QUIET, FIRE, *GOOD], 130)
    (run,) = linkage.runs
    assert lines(found) == []
    assert verdicts(run) == {
        4: "confirmed", 6: "confirmed", 8: "confirmed", 10: "confirmed", 11: "not_applicable", 15: "pending",
        17: "not_applicable",
    }  # fmt: skip
    assert (run.zone, run.t0, run.cause) == (6, START + 10_000, "zone")
    smoke = run.effect(8)
    assert smoke
    assert (smoke.t_command, smoke.t_feedback, smoke.limit) == (START + 12_000, START + 15_000, START + 25_000)
    assert smoke.proofs[0].terms[0].facts == {"fan.smoke_run": (True, "good", START + 15_000)}
    assert play(linkage, [RESET], 201) == []
    assert linkage.runs == []
    (sealed,) = [run for run in linkage.take_dirty() if not run.held]
    assert (sealed.end, sealed.ended_at, verdicts(sealed)[15]) == ("reset", RESET.at, "confirmed")


def test_each_missing_effect_is_an_alarm_with_its_action_and_clears_when_it_comes(linkage: Linkage) -> None:
    late = [told("FA", 100, fan__smoke_run=True), told("AC", 60, door_3__fire_release=True, door_1__fire_release=True)]
    found = play(linkage, [*QUIET, FIRE, *without("fan.smoke_run", "door"), *late], 199)
    # with fan.smoke_run the start of the pump is lost too: run is missing, the pressure is there
    assert lines(found) == [
        "25 raise doors_failed[6]",
        "25 raise smoke_failed[8]",
        "60 clear doors_failed[6]",
        "100 clear smoke_failed[8]",
        "130 raise linkage_weak[10]",
    ]
    raised = found[0].rule
    assert (raised.severity, raised.raises, raised.latch, raised.guidance.en) == (1, "emergency", True, "By hand")
    (run,) = linkage.runs
    assert (verdicts(run)[6], verdicts(run)[8], verdicts(run)[10]) == ("late", "late", "weak")
    assert lines(play(linkage, [RESET], 201)) == ["200 clear linkage_weak[10]"]


def test_a_lift_has_the_time_that_its_travel_takes(linkage: Linkage) -> None:
    samples = [sample for sample in GOOD if sample.asset != "EL-1"]
    found = play(linkage, [*QUIET, FIRE, *samples], 199)
    assert lines(found) == ["70 raise lifts_failed[4]"]  # 10 + 60 m / 2 m/s + 20 s after T0
    slow = play(linkage, [RESET, told("EL-2", 210, fire__parked=False)], 230)
    assert lines(slow) == ["200 clear lifts_failed[4]"]


def test_what_can_not_be_seen_is_unknown_and_never_passes(linkage: Linkage) -> None:
    blind = told("FA", 11, fan__smoke_run=None)
    found = play(linkage, [*QUIET, FIRE, blind, *without("fan.smoke_run")], 60)
    assert lines(found) == ["25 raise linkage_unknown[8]"]
    again = play(linkage, [told("FA", 62, fan__smoke_run=False), told("FA", 70, fan__smoke_run=True)], 75)
    assert lines(again) == ["62 clear linkage_unknown[8]", "62 raise smoke_failed[8]", "70 clear smoke_failed[8]"]


def test_a_gateway_that_is_gone_proves_nothing(linkage: Linkage) -> None:
    play(linkage, [*QUIET, FIRE], 11)
    linkage.hush("AC", ["door[1].fire_release", "door[2].fire_release", "door[3].fire_release"], START + 11_000)
    assert "25 raise linkage_unknown[6]" in lines(play(linkage, [], 30))
    linkage.unhush("AC", ["door[1].fire_release", "door[2].fire_release", "door[3].fire_release"], START + 31_000)
    assert "31 raise doors_failed[6]" in lines(play(linkage, [], 32))


def test_an_old_reading_is_none(linkage: Linkage) -> None:
    """The fan ran hours ago and nobody has heard of it since."""
    running = told("FA", 0.5, fan__smoke_run=True, fan__smoke_cmd=True)
    later = [Sample(item.asset, item.at + 3_600_000, item.values, item.quality) for item in (FIRE, *without("fan"))]
    play(linkage, [*QUIET, running], 3600)
    found = play(linkage, later, 3650)
    assert "3625 raise linkage_unknown[8]" in lines(found)
    (run,) = linkage.runs
    assert run.effect(8).verdict is Verdict.UNKNOWN  # type: ignore[union-attr]


def test_a_pump_that_is_started_by_hand_spares_nobody_the_first_alarm(linkage: Linkage) -> None:
    late = [told("FA", 180, hydrant_pump__run=True, hydrant__pressure=0.8)]
    found = play(linkage, [*QUIET, FIRE, *without("hydrant"), told("FA", 15, fan__smoke_run=True), *late], 199)
    assert lines(found) == ["130 raise pump_failed[10]", "180 clear pump_failed[10]"]
    (run,) = linkage.runs
    assert (verdicts(run)[10], verdicts(run)[11]) == ("late", "confirmed")


def test_what_must_stay_on_is_missed_when_it_falls(linkage: Linkage) -> None:
    cut = [told("EL-1", 90, power__main_ok=False), told("EL-1", 120, power__main_ok=True)]
    found = play(linkage, [*QUIET, FIRE, *GOOD, *cut], 150)
    assert lines(found) == ["90 raise keep_on_failed[15]", "120 clear keep_on_failed[15]"]


def test_feedback_without_a_command_is_unexpected_outside_a_fire_only(linkage: Linkage) -> None:
    found = play(linkage, [*QUIET, told("FA", 5, fan__smoke_run=True)], 9)
    assert lines(found) == ["8 raise linkage_unexpected[8]"]
    assert lines(play(linkage, [FIRE], 10)) == ["10 clear linkage_unexpected[8]"]
    after = play(linkage, [*GOOD[1:], RESET], 230)  # it runs on after the fire: nobody has stopped it yet
    assert "linkage_unexpected" not in " ".join(lines(after))


def test_a_feedback_that_is_lost_is_missed_before_there_is_a_fire(linkage: Linkage) -> None:
    found = play(linkage, [*QUIET, told("AC", 3, door_1__fire_release=None)], 70)
    assert lines(found) == ["63 raise linkage_unknown[6]"]
    assert lines(play(linkage, [told("AC", 75, door_1__fire_release=False)], 80)) == ["75 clear linkage_unknown[6]"]


def test_another_zone_is_another_run_and_the_same_one_joins(linkage: Linkage) -> None:
    second = told("FA", 60, zone_5__alarm=True, cnt__alarm=4, zones_in_alarm=2)
    play(linkage, [*QUIET, FIRE, told("FA", 30, cnt__alarm=3), second], 61)
    assert [(run.zone, (run.t0 - START) / 1000) for run in linkage.runs] == [(6, 10.0), (5, 60.0)]
    play(linkage, [RESET], 201)
    assert linkage.runs == []


def test_the_start_signal_begins_a_run_whose_zone_is_told_later(linkage: Linkage) -> None:
    started = told("FA", 10, panel__fire=True, panel__started=True)
    play(linkage, [*QUIET, started, told("FA", 12, zone_6__alarm=True, cnt__alarm=2, zones_in_alarm=1)], 13)
    (run,) = linkage.runs
    assert (run.zone, run.t0, run.cause, run.zone_label.en) == (6, START + 10_000, "started", "Zone 6")


def test_a_run_settles_and_its_fire_is_no_new_one(linkage: Linkage) -> None:
    found = play(linkage, [*QUIET, FIRE, *GOOD], 240)
    (run,) = linkage.runs
    assert (run.end, run.ended_at, found) == ("settled", START + 230_000, [])
    assert play(linkage, [told("FA", 245, cnt__alarm=3)], 250) == []
    assert len(linkage.runs) == 1
    play(linkage, [told("FA", 260, panel__fire=False, panel__started=False)], 261)
    assert linkage.runs == []


def test_a_run_is_taken_up_where_it_was(linkage: Linkage, tmp_path: Path) -> None:
    first = play(linkage, [*QUIET, FIRE, *GOOD[:1]], 30)
    assert lines(first) == ["25 raise doors_failed[6]", "25 raise smoke_failed[8]"]
    kept = [copy(run) for run in linkage.runs]
    again = a_linkage(tmp_path)
    for sample in (*QUIET, FIRE, GOOD[0]):
        again.warm(sample)
    again.restore(kept, [("fire_alarm.doors_failed", 6, "FA"), ("fire_alarm.smoke_failed", 8, "FA")])
    assert [run.t0 for run in again.runs] == [START + 10_000]
    late = [told("FA", 40, fan__smoke_run=True)]
    found: list[str] = []
    for at in range(31, 131):
        found += [line for sample in late if sample.at == START + at * 1000 for line in lines(again.on_sample(sample))]
        found += lines(again.on_tick(START + at * 1000))
    assert found == ["40 clear smoke_failed[8]", "70 raise lifts_failed[4]", "130 raise pump_failed[10]"]
