"""The failures of a fire panel F01..F15: where each begins, where it ends, how fast, and that it ends."""

from __future__ import annotations

import pytest

from simulators.faultfile import repertoire
from simulators.models.fire.fire_linkage import OUTPUTS
from simulators.models.fire.fire_panel import FirePanel
from tests.simulators.conftest import number, run
from tests.simulators.models.test_fire_panel import check_relations, panel

HOUR, DAY = 3600.0, 86_400.0
FAULTS = repertoire().faults_of("fire_alarm")


def after(model: FirePanel, seconds: float) -> dict[str, float]:
    """Let time go by; every value that is a number (a state counts as one)."""
    model.leap(seconds - 1.0)
    return numbers(run(model, 1.0))


def numbers(values: dict[str, object]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}


def test_every_signature_of_the_class_can_be_played() -> None:
    assert {fault.id for fault in FAULTS.values()} == {f"F{number:02}" for number in range(1, 16)}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_ends_and_everything_is_as_before(name: str) -> None:
    model = panel()
    quiet = run(model, 1.0)
    model.inject(name)
    model.leap(FAULTS[name].lasts)
    assert run(model, 1.0) != quiet
    model.end(name)
    after(model, DAY)
    values = model.values()
    check_relations(values)
    for key, value in quiet.items():
        if isinstance(value, bool) and key != "jockey.run":
            assert values[key] is value, key
    assert values["panel.state"] == 1
    assert number(values, "tank.level") == pytest.approx(100, abs=0.2)
    assert 0.42 <= number(values, "hydrant.pressure") <= 0.47
    assert number(values, "power.batt_v") == pytest.approx(27.3, abs=0.05)
    assert 18 <= number(values, "det[23].analog") <= 22 + 1.5
    assert 1 <= number(values, "jockey.starts_per_h") <= 4
    assert not model.silent


def test_f01_a_pre_alarm_becomes_an_alarm_after_20_s_and_nothing_starts() -> None:
    model = panel()
    model.inject("single_alarm")
    values = run(model, 19)
    assert (values["cnt.prealarm"], values["cnt.alarm"], values["det[23].prealarm"]) == (1, 0, True)
    values = run(model, 2)
    check_relations(values)
    assert (values["cnt.prealarm"], values["cnt.alarm"], values["det[23].state"]) == (0, 1, 1)
    assert values["zone[12].alarm"] is True
    assert values["first_alarm_zone"] == values["last_alarm_zone"] == 12
    values = run(model, 90)
    assert values["cnt.started"] == 0
    assert values["panel.sounders"] is False
    sequence = number(values, "event.sequence")
    model.end("single_alarm")
    values = run(model, 0.5)
    assert (values["panel.fire"], values["panel.reset"]) == (False, True)
    assert number(values, "event.sequence") > sequence
    assert run(model, 3)["panel.reset"] is False


@pytest.mark.slow
def test_f02_the_second_detector_starts_the_linkage_and_every_effect_comes_in_time() -> None:
    model = panel()
    model.inject("confirmed_fire")
    values = run(model, 44.5)
    assert (values["cnt.alarm"], values["panel.started"]) == (1, False)
    values = run(model, 1)
    check_relations(values)
    assert (values["cnt.alarm"], values["det[24].state"]) == (2, 1)
    assert values["cnt.started"] == len(OUTPUTS)
    confirmed = {output.name: 0.0 for output in OUTPUTS}
    for tenth in range(1200):
        values = run(model, 0.1)
        for place, output in enumerate(OUTPUTS, 1):
            if values[f"link.output[{place}].feedback"] is False:
                confirmed[output.name] = 0.6 + tenth / 10
    check_relations(values)
    assert values["cnt.feedback"] == len(OUTPUTS)
    for output in OUTPUTS:
        assert output.seconds - 0.5 <= confirmed[output.name] <= output.limit, output.name
    assert number(values, "hydrant.pressure") == pytest.approx(0.85, abs=0.03)
    assert number(values, "sprinkler.pressure") > 0.8
    assert number(values, "stair[1].pressure") > 25
    assert [values[f"damper[{n}].state"] for n in (1, 4, 5, 8)] == [1, 1, 0, 0]
    assert [values[f"shutter[{n}].position"] for n in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert values["fire_door[8].contact"] is False


def test_f03_lift_2_door_group_b_and_the_hydrant_pump_do_not_come() -> None:
    model = panel()
    model.inject("linkage_failure")
    values = run(model, 45 + 150, dt=0.5)
    missing = [output.name for place, output in enumerate(OUTPUTS, 1)
               if not values[f"link.output[{place}].feedback"]]  # fmt: skip
    assert missing == ["lift_recall", "door_release", "hydrant_pump"]
    assert [model.tells("lift_recall", lift) for lift in range(4)] == [True, False, True, True]
    assert [model.tells("door_release", group) for group in range(2)] == [True, False]
    assert values["hydrant_pump.start_cmd"] is True
    assert values["hydrant_pump.run"] is False
    assert number(values, "hydrant.pressure") < 0.5


def test_f04_a_loop_loses_57_devices_in_5_s() -> None:
    model = panel()
    assert model.values()["loop[1].device_count"] == 120
    current = number(model.values(), "loop[1].current")
    model.inject("loop_open")
    values = run(model, 2.5)
    assert 85 < number(values, "loop[1].device_count") < 98
    assert values["panel.bus_fault"] is True
    values = run(model, 2.6)
    assert (values["loop[1].device_count"], values["loop[1].fault_count"], values["cnt.fault"]) == (63, 57, 57)
    assert values["loop[1].fault"]
    assert values["zone[1].fault"]
    assert values["det[2].state"] == 2
    assert number(values, "loop[1].current") < 0.6 * current
    assert values["loop[2].device_count"] == 118


def test_f05_a_detector_gets_dirty_in_60_days_and_gives_pre_alarms_at_night() -> None:
    model = panel()
    model.inject("dirty_detector")
    assert numbers(model.values())["det[23].analog"] == pytest.approx(20, abs=3)
    assert after(model, 30 * DAY)["det[23].analog"] == pytest.approx(47.5, abs=3)
    before = number(model.values(), "event.sequence")
    assert after(model, 10 * DAY)["event.sequence"] == before, "not dirty enough"
    after(model, 13 * DAY)
    before = number(model.values(), "event.sequence")
    values = after(model, 7 * DAY)
    assert values["event.sequence"] == before + 7 * 2 * 2, "two pre-alarms a night come and go"
    assert values["det[23].analog"] == pytest.approx(75, abs=3)
    assert values["det[22].analog"] < 25
    hours = set()
    for _ in range(24 * 20):
        model.leap(180.0)
        if model.values()["det[23].prealarm"]:
            assert model.values()["cnt.prealarm"] == 1
            hours.add(int(model.hour))
    assert hours == {2, 4}


def test_f06_the_battery_lasts_six_hours_and_ends_at_21_5_v() -> None:
    model = panel()
    assert numbers(model.values())["power.batt_v"] == pytest.approx(27.3, abs=0.05)
    model.inject("main_power_fault")
    values = run(model, 1)
    check_relations(values)
    assert (values["power.mains_v"], values["power.charger_state"], values["cnt.fault"]) == (0, 0, 1)
    assert after(model, 3 * HOUR)["power.batt_v"] == pytest.approx(25.65, abs=0.06)
    assert after(model, 3 * HOUR)["power.batt_v"] == pytest.approx(24.0, abs=0.06)
    assert model.values()["power.backup_fault"] is False
    values = after(model, 2 * HOUR)
    assert values["power.batt_v"] == pytest.approx(21.5, abs=0.06)
    assert (values["power.backup_fault"], values["cnt.fault"]) == (1, 2)
    model.end("main_power_fault")
    values = run(model, 15)
    assert (values["power.main_fault"], values["power.backup_fault"]) == (False, False)
    assert values["power.charger_state"] == 1
    assert after(model, 13 * HOUR)["power.charger_state"] == 2


def test_the_panel_lives_on_its_battery_when_the_building_has_no_mains() -> None:
    model = panel()
    model.mains = 0.0
    values = after(model, HOUR)
    assert values["power.main_fault"] == 1
    assert values["power.mains_v"] == 0
    assert values["power.batt_v"] == pytest.approx(26.75, abs=0.06)


def test_f07_the_pressure_falls_in_15_min_and_the_jockey_pump_can_not_hold_it() -> None:
    model = panel()
    assert numbers(model.values())["hydrant.pressure"] == pytest.approx(0.45, abs=0.02)
    model.inject("hydrant_pressure_low")
    assert numbers(run(model, 1.0))["jockey.starts_per_h"] == pytest.approx(12, abs=0.1)
    values = after(model, 449.0)
    assert values["hydrant.pressure"] == pytest.approx(0.265, abs=0.015)
    assert values["jockey.starts_per_h"] == pytest.approx(36, abs=0.1)
    values = after(model, 450.0)
    assert values["hydrant.pressure"] == pytest.approx(0.08, abs=0.001)
    assert values["jockey.starts_per_h"] == pytest.approx(60, abs=0.1)
    model.end("hydrant_pressure_low")
    assert after(model, 300.0)["hydrant.pressure"] > 0.41


def test_f08_the_jockey_pump_starts_more_than_15_times_an_hour() -> None:
    model = panel()
    model.inject("jockey_cycling")
    starts, ran = 0, model.values()["jockey.run"] is True
    for _ in range(720):
        model.leap(5.0)
        values = model.values()
        starts, ran = starts + (values["jockey.run"] is True and not ran), values["jockey.run"] is True
        assert number(values, "jockey.starts_per_h") == 24
        assert 0.42 < number(values, "hydrant.pressure") < 0.47
    assert 23 <= starts <= 25


def test_f09_the_fire_pump_is_commanded_and_does_not_come_until_somebody_starts_it() -> None:
    model = panel()
    model.inject("fire_pump_fails")
    values = run(model, 125, dt=0.5)
    assert (values["fire_pump.start_cmd"], values["fire_pump.run"]) == (True, False)
    assert number(values, "hydrant.pressure") < 0.47
    assert values["panel.started"] is False, "it is the weekly test"
    model.leap(100.0)
    model.act("start_pump_by_hand")
    values = run(model, 20)
    assert values["fire_pump.run"] is True
    assert number(values, "hydrant.pressure") > 0.8
    model.end("fire_pump_fails")
    values = run(model, 60)
    assert (values["fire_pump.start_cmd"], values["fire_pump.run"]) == (False, False)


def test_f09_in_a_fire_the_mechanical_start_brings_the_missing_feedback() -> None:
    model = panel()
    model.inject("fire_pump_fails")
    model.inject("confirmed_fire", first=0.0, second=1.0)
    values = run(model, 130, dt=0.5)
    assert (values["link.output[11].cmd"], values["link.output[11].feedback"]) == (True, False)
    model.act("start_pump_by_hand")
    values = run(model, 10)
    assert (values["link.output[11].feedback"], values["hydrant_pump.run"]) == (True, True)


def test_f10_four_zones_stay_disabled() -> None:
    model = panel()
    model.inject("zone_disabled")
    values = after(model, 26 * HOUR)
    assert values["cnt.disabled"] == 4
    assert [zone for zone in range(1, 17) if values[f"zone[{zone}].disabled"]] == [9, 10, 11, 12]
    model.act("enable_zone", zone=10.0)
    assert model.values()["cnt.disabled"] == 3
    model.end("zone_disabled")
    assert run(model, 1)["cnt.disabled"] == 0


def test_f10_on_a_small_panel_as_many_as_there_are() -> None:
    model = panel(zones=2)
    model.inject("zone_disabled")
    assert run(model, 1)["cnt.disabled"] == 1


def test_f11_the_panel_is_left_in_manual_until_somebody_puts_it_right() -> None:
    model = panel()
    model.inject("manual_mode")
    values = after(model, 900.0)
    assert int(values["panel.state"]) >> 11 & 1
    assert (values["panel.manual"], values["panel.mode"], values["link.auto"]) == (1, 1, 0)
    model.act("to_auto")
    assert run(model, 1)["panel.manual"] is False


def test_f12_nobody_is_answered_and_the_heartbeat_stands() -> None:
    model = panel()
    model.step(10.0)
    model.inject("link_lost")
    assert model.silent
    beat = model.values()["dev.heartbeat"]
    values = run(model, 100, dt=0.5)
    assert values["dev.heartbeat"] == beat
    assert values["utd.link_ok"] is False
    assert values["utd.panel_link_fault"] is True
    model.end("link_lost")
    assert not model.silent
    assert number(run(model, 1), "dev.heartbeat") > number(values, "dev.heartbeat")


def test_f13_a_valve_is_not_open() -> None:
    model = panel()
    model.inject("valve_supervisory")
    values = run(model, 1)
    assert (values["cnt.supervisory"], values["panel.supervisory"], values["det[30].state"]) == (1, True, 4)
    assert values["panel.fire"] is False


def test_f14_the_tank_falls_from_100_to_60_percent() -> None:
    model = panel()
    assert numbers(model.values())["tank.level"] == pytest.approx(100, abs=0.1)
    model.inject("tank_low")
    assert after(model, 1800.0)["tank.level"] == pytest.approx(80, abs=0.2)
    assert after(model, 1800.0)["tank.level"] == pytest.approx(60, abs=0.2)
    assert after(model, HOUR)["tank.level"] == pytest.approx(60, abs=0.2)
    model.end("tank_low")
    assert after(model, 1400.0)["tank.level"] > 90


@pytest.mark.slow
def test_f15_forty_alarms_in_three_minutes_and_a_reset_after_each() -> None:
    model = panel()
    model.inject("alarm_storm")
    alarms = resets = 0
    fire = reset = False
    for _ in range(1800):
        values = run(model, 0.1)
        assert number(values, "cnt.alarm") <= 1, "never two at once: nothing is confirmed"
        alarms += values["panel.fire"] is True and not fire
        resets += values["panel.reset"] is True and not reset
        fire, reset = values["panel.fire"] is True, values["panel.reset"] is True
        if fire:
            assert values["first_alarm_zone"] == 5
    assert (alarms, resets) == (40, 40)
    assert values["cnt.started"] == 0
    assert run(model, 5)["panel.state"] == 1, "it is over"


def test_f15_every_alarm_of_a_storm_is_an_event_however_time_goes_by() -> None:
    for steps in (1, 7, 400):
        model = panel()
        before = number(model.values(), "event.sequence")
        model.inject("alarm_storm")
        for _ in range(steps):
            model.leap(200.0 / steps)
        assert number(model.values(), "event.sequence") == before + 80
