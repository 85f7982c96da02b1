"""The fire panel: counts that follow zones, a sequence for events, linkage with feedback."""

from __future__ import annotations

from random import Random

import pytest

from facility.readings import Value
from simulators.models.fire_panel import OUTPUTS, FirePanel
from tests.simulators.conftest import Check, number, run, until

STATUS_BITS = {
    1: "panel.fire", 2: "panel.fault", 3: "panel.disabled", 5: "panel.started", 6: "panel.feedback",
    8: "panel.main_power_fault", 11: "panel.manual", 13: "panel.reset",
}  # fmt: skip


def panel() -> FirePanel:
    return FirePanel(Random(2))


def check_relations(values: dict[str, Value]) -> None:
    word = int(number(values, "panel.state"))
    for bit, key in STATUS_BITS.items():
        assert values[key] == bool(word >> bit & 1), key
    zones = [key for key, value in values.items() if key.startswith("zone[") and key.endswith("alarm") and value]
    assert values["zones_in_alarm"] == len(zones)
    assert values["panel.fire"] == (number(values, "cnt.alarm") > 0) == bool(zones)
    assert number(values, "cnt.feedback") <= number(values, "cnt.started")
    assert values["power.main_fault"] == values["panel.main_power_fault"]
    assert values["panel.mode"] == int(values["panel.manual"] is True)


@pytest.mark.slow
def test_a_quiet_hour(in_range: Check) -> None:
    model = panel()
    before = number(model.values(), "event.sequence")
    jockey = False
    for _ in range(1440):
        model.step(2.5)
        values = model.values()
        in_range("fire_alarm", values)
        check_relations(values)
        assert values["panel.state"] == 1
        assert 0.40 <= number(values, "hydrant.pressure") <= 0.47
        jockey = jockey or values["jockey.run"] is True
    assert values["event.sequence"] == before
    assert jockey, "the jockey pump never ran"


def test_a_single_alarm_waits_for_its_confirmation() -> None:
    model = panel()
    model.inject("single_alarm", zone=7.0)
    values = run(model, 5)
    assert values["cnt.prealarm"] == 1
    assert values["cnt.alarm"] == 0
    assert values["panel.fire"] is False
    values = run(model, 16)
    check_relations(values)
    assert values["cnt.alarm"] == 1
    assert values["zone[7].alarm"] is True
    assert values["first_alarm_zone"] == 7
    values = run(model, 60)
    assert values["panel.started"] is False, "linkage needs two devices"
    sequence = number(values, "event.sequence")
    model.end("single_alarm")
    values = run(model, 0.5)
    assert values["panel.fire"] is False
    assert values["panel.reset"] is True
    assert number(values, "event.sequence") > sequence
    assert run(model, 3)["panel.reset"] is False


def test_a_confirmed_fire_starts_every_output_and_each_confirms_in_its_time() -> None:
    model = panel()
    model.inject("confirmed_fire", zone=3.0, first=1.0, second=4.0)
    until(model, lambda values: values["panel.started"] is True, within=6)
    assert model.confirmed
    assert model.values()["cnt.started"] == len(OUTPUTS)
    took = until(model, lambda values: values["hydrant_pump.run"] is True, within=20)
    assert took == pytest.approx(OUTPUTS["hydrant_pump"], abs=0.5)
    values = run(model, 45)
    check_relations(values)
    assert values["cnt.feedback"] == len(OUTPUTS) == values["cnt.started"]
    assert values["link.lift_recall_feedback"]
    assert values["shutter.down"]
    assert values["link.broadcast"]
    assert number(values, "hydrant.pressure") > 0.8
    model.end("confirmed_fire")
    values = run(model, 1)
    assert values["cnt.started"] == 0
    assert values["fan.smoke_run"] is False
    assert number(run(model, 60), "hydrant.pressure") < 0.5


def test_lifts_and_doors_confirm_for_themselves() -> None:
    model = panel()
    model.lifts_home, model.doors_released = False, False
    model.inject("confirmed_fire", first=0.0, second=1.0)
    values = run(model, 60)
    assert values["link.lift_recall_cmd"] is True
    assert values["link.lift_recall_feedback"] is False
    model.lifts_home = model.doors_released = True
    values = run(model, 1)
    assert values["link.lift_recall_feedback"] is True
    assert values["link.door_release_feedback"] is True


def test_a_linkage_that_fails_misses_two_feedbacks() -> None:
    model = panel()
    model.inject("linkage_failure", first=0.0, second=1.0)
    values = run(model, 70)
    assert number(values, "cnt.started") - number(values, "cnt.feedback") == 2
    assert values["hydrant_pump.run"] is False
    assert values["panel.fire"] is True


def test_in_manual_nothing_starts() -> None:
    model = panel()
    model.inject("manual_mode")
    model.inject("confirmed_fire", first=0.0, second=1.0)
    values = run(model, 20)
    assert values["panel.manual"]
    assert values["panel.mode"] == 1
    assert values["link.auto"] is False
    assert values["cnt.started"] == 0
    assert values["cnt.alarm"] == 2


def test_mains_fault_drains_the_battery() -> None:
    model = panel()
    model.inject("main_power_fault", hours=0.02)
    values = run(model, 10)
    check_relations(values)
    assert values["panel.main_power_fault"]
    assert values["cnt.fault"] == 1
    assert values["power.charger_state"] == 0
    values = run(model, 70)
    assert number(values, "power.batt_v") < 22
    assert values["panel.backup_power_fault"] is True
    model.end("main_power_fault")
    assert run(model, 1)["power.main_fault"] is False


def test_the_panel_feels_the_mains_of_the_building() -> None:
    model = panel()
    model.mains = 0.0
    values = run(model, 1)
    assert values["power.main_fault"] is True
    assert values["power.mains_v"] == 0


def test_other_faults() -> None:
    model = panel()
    for fault in ("zone_disabled", "loop_open", "hydrant_pressure_low", "tank_low", "valve_supervisory"):
        model.inject(fault, seconds=20.0)
    values = run(model, 30)
    check_relations(values)
    assert values["cnt.disabled"] == 4
    assert values["zone[9].disabled"] is True
    assert values["panel.disabled"] is True
    assert values["loop[1].device_count"] == 65
    assert values["loop[1].fault_count"] == 57
    assert values["panel.bus_fault"]
    assert number(values, "hydrant.pressure") < 0.1
    assert number(values, "tank.level") < 61
    assert values["panel.supervisory"] is True
    for fault in model.active:
        model.end(fault)
    values = run(model, 200, dt=0.5)
    assert values["panel.state"] == 1
    assert values["tank.level"] == pytest.approx(96)
