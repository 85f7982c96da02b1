"""The fire panel: counts that follow zones, events, what people do to it, and a quiet panel that stays quiet."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.readings import Value
from simulators.faultfile import repertoire
from simulators.models.fire.fire_linkage import OUTPUTS
from simulators.models.fire.fire_panel import STATUS, FirePanel
from tests.simulators.conftest import Check, number, run, until

FAULTS = repertoire().faults_of("fire_alarm")


def panel(seed: int = 2, *, zones: int = 16) -> FirePanel:
    return FirePanel(Random(seed), zones=zones, loops=4)


def check_relations(values: dict[str, Value]) -> None:
    """What must agree in every state but in one of a linkage that is made to lie."""
    word = int(number(values, "panel.state"))
    for bit, name in enumerate(STATUS):
        assert values[f"panel.{name}"] == bool(word >> bit & 1), name
    zones = [key for key, value in values.items() if key.startswith("zone[") and key.endswith("alarm") and value]
    assert values["zones_in_alarm"] == len(zones)
    assert values["panel.fire"] == (number(values, "cnt.alarm") > 0) == bool(zones)
    assert values["cnt.disabled"] == sum(
        value is True for key, value in values.items() if key.startswith("zone[") and key.endswith("disabled")
    )
    for count in ("started", "feedback"):
        assert values[f"panel.{count}"] == (number(values, f"cnt.{count}") > 0)
    commands = [values[f"link.output[{n}].cmd"] for n in range(1, len(OUTPUTS) + 1)]
    feedbacks = [values[f"link.output[{n}].feedback"] for n in range(1, len(OUTPUTS) + 1)]
    assert values["cnt.started"] == sum(commands)
    assert values["cnt.feedback"] == sum(feedbacks)
    assert all(command for command, feedback in zip(commands, feedbacks, strict=True) if feedback)
    assert values["power.main_fault"] == values["panel.main_power_fault"]
    assert values["power.backup_fault"] == values["panel.backup_power_fault"]
    assert values["panel.mode"] == int(values["panel.manual"] is True)


def test_the_repertoire_names_what_the_model_can() -> None:
    assert set(FAULTS) == panel().faults
    assert set(repertoire().acts_of("fire_alarm")) == panel().acts


class Noticing(FirePanel):
    """A panel that writes down which params it asks for, and what it takes when there is none."""

    def __init__(self) -> None:
        super().__init__(Random(1), zones=16, loops=4)
        self.asked: dict[tuple[str, str], float] = {}

    def param(self, fault: str, name: str, default: float) -> float:
        self.asked[fault, name] = default
        return super().param(fault, name, default)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_param_is_read_and_has_the_default_that_the_repertoire_says(name: str) -> None:
    model = Noticing()
    model.asked.clear()
    model.inject(name)
    for _ in range(40):
        model.leap(FAULTS[name].lasts / 40)
        model.values()
    asked = {param: default for (fault, param), default in model.asked.items() if fault == name}
    assert asked == {param: item.default for param, item in FAULTS[name].params.items()}


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), times=st.lists(st.floats(0.1, 90_000.0), min_size=1, max_size=12))
def test_a_quiet_panel_stays_quiet_however_time_goes_by(in_range: Check, seed: int, times: list[float]) -> None:
    model = panel(seed)
    before = number(model.values(), "event.sequence")
    for seconds in times:
        model.leap(seconds)
        model.step(1.0)
        values = model.values()
        in_range("fire_alarm", values)
        check_relations(values)
        assert values["panel.state"] == 1
        assert not any(value for key, value in values.items() if key.endswith((".feedback", ".run", "_cmd", ".cmd"))
                       and key != "jockey.run")  # fmt: skip
        assert 0.42 <= number(values, "hydrant.pressure") <= 0.47
        assert 1 <= number(values, "jockey.starts_per_h") <= 4
        assert 15 < number(values, "det[5].analog") < 25
    assert values["event.sequence"] == before


@pytest.mark.slow
def test_the_jockey_pump_starts_a_few_times_an_hour() -> None:
    for seed in range(5):
        model, starts, ran = panel(seed), 0, False
        for _ in range(4 * 360):
            model.leap(10.0)
            runs = model.values()["jockey.run"] is True
            starts, ran = starts + (runs and not ran), runs
        assert 4 <= starts <= 16, "in four hours"


def test_detectors_vary_a_little_and_the_heart_beats() -> None:
    model = panel()
    first = model.values()
    model.leap(3600.0)
    later = model.values()
    assert len({first[f"det[{n}].analog"] for n in range(1, 33)}) == 32
    assert 0 < abs(number(later, "det[3].analog") - number(first, "det[3].analog")) < 3.1
    assert number(later, "dev.heartbeat") - number(first, "dev.heartbeat") == 3600


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_happens_every_value_stays_in_range_and_events_only_grow(in_range: Check, data: st.DataObject) -> None:
    model = panel(data.draw(st.integers(0, 100)), zones=data.draw(st.sampled_from([1, 16, 128])))
    sequence = 0.0
    for _ in range(8):
        if data.draw(st.booleans()):
            model.inject(data.draw(st.sampled_from(sorted(model.faults))))
        elif model.active and data.draw(st.booleans()):
            model.end(data.draw(st.sampled_from(sorted(model.active))))
        else:
            model.act(data.draw(st.sampled_from(sorted(model.acts))), zone=data.draw(st.sampled_from([1.0, 12.0])))
        model.leap(data.draw(st.floats(0.0, 20_000.0)))
        model.step(0.7)
        values = model.values()
        in_range("fire_alarm", values)
        assert number(values, "event.sequence") >= sequence
        sequence = number(values, "event.sequence")
    for fault in model.active:
        model.end(fault)
    for act in ("to_auto", "reset"):
        model.act(act)
    for zone in range(1, 129):
        model.act("enable_zone", zone=float(zone))
    model.leap(86_400.0)
    values = model.values()
    check_relations(values)
    assert values["panel.state"] == 1
    assert number(values, "tank.level") > 99
    assert 0.42 <= number(values, "hydrant.pressure") <= 0.47
    assert number(values, "power.batt_v") == pytest.approx(27.3, abs=0.1)


@pytest.mark.slow
def test_a_leap_ends_where_steps_end() -> None:
    """Whatever is no measured value with noise on it; the event sequence too."""
    noisy = ("pressure", "analog", "batt_v", "current", "level", "starts_per_h", "jockey.run")
    for fault in sorted(FAULTS):
        stepped, leapt = panel(), panel()
        for model in (stepped, leapt):
            model.step(2.0)
            model.inject(fault)
        stepped.step(90.0)
        leapt.leap(90.0)
        one, other = (
            {key: value for key, value in model.values().items() if not key.endswith(noisy)}
            for model in (stepped, leapt)
        )
        assert one == other, fault


# what people do


def test_a_call_point_beside_a_detector_confirms_the_fire() -> None:
    model = panel()
    model.inject("single_alarm", zone=7.0, first=1.0)
    assert run(model, 2)["cnt.started"] == 0
    model.act("press_call_point", zone=7.0)
    model.act("press_call_point", zone=7.0)
    values = run(model, 1)
    assert values["cnt.alarm"] == 2, "a call point is pressed only once"
    assert values["panel.started"] is True
    check_relations(values)


def test_a_call_point_in_another_zone_confirms_nothing() -> None:
    model = panel()
    model.inject("single_alarm", zone=7.0, first=1.0)
    model.act("press_call_point", zone=8.0)
    values = run(model, 2)
    assert (values["first_alarm_zone"], values["last_alarm_zone"]) == (8, 7)
    assert values["panel.started"] is False
    model.end("single_alarm")
    assert run(model, 1)["cnt.alarm"] == 0, "the reset puts the call point back too"


def test_a_reset_clears_what_is_over_and_what_still_burns_alarms_again() -> None:
    model = panel()
    model.inject("confirmed_fire", first=0.0, second=1.0)
    assert run(model, 5)["panel.started"] is True
    model.act("reset")
    values = run(model, 1)
    check_relations(values)
    assert values["panel.reset"] is True
    assert values["panel.fire"] is False
    assert values["cnt.started"] == 0
    assert values["cnt.prealarm"] == 1, "the smoke is still there"
    took = until(model, lambda values: values["panel.started"] is True, within=15)
    assert took == pytest.approx(9, abs=0.3)
    assert model.values()["panel.reset"] is False


def test_new_smoke_after_a_reset_is_not_held_up() -> None:
    model = panel()
    model.act("reset")
    model.inject("confirmed_fire", first=1.0, second=1.0)
    assert run(model, 2.2)["cnt.alarm"] == 2


def test_sounders_are_silenced_until_the_next_alarm() -> None:
    model = panel()
    model.act("silence")
    assert model.values()["panel.silenced"] is False, "nothing sounds"
    model.inject("confirmed_fire", first=0.0, second=1.0)
    assert run(model, 5)["panel.sounders"] is True
    model.act("silence")
    values = run(model, 1)
    assert (values["panel.silenced"], values["panel.sounders"]) == (True, False)
    assert values["link.output[2].feedback"] is True
    model.act("press_call_point", zone=2.0)
    values = run(model, 1)
    assert (values["panel.silenced"], values["panel.sounders"]) == (False, True)


def test_who_acknowledges_has_three_minutes_to_go_and_look() -> None:
    model = panel()
    model.inject("single_alarm", first=0.0)
    assert run(model, 1)["panel.delay"] is False
    model.act("acknowledge")
    assert run(model, 1)["panel.delay"] is True
    model.leap(177.0)
    assert run(model, 0.5)["panel.delay"] is True
    assert run(model, 2)["panel.delay"] is False


def test_in_manual_nothing_starts_until_it_is_put_to_auto() -> None:
    model = panel()
    model.act("to_manual")
    model.inject("confirmed_fire", first=0.0, second=1.0)
    values = run(model, 20)
    check_relations(values)
    assert values["panel.manual"]
    assert values["link.auto"] is False
    assert values["cnt.started"] == 0
    assert values["cnt.alarm"] == 2
    model.act("to_auto")
    assert run(model, 1)["cnt.started"] == len(OUTPUTS)
    assert model.values()["hydrant_pump.run"] is False, "the pump needs its time from now on"
    model.act("to_manual")
    assert run(model, 10)["hydrant_pump.run"] is True, "what is started goes on"


def test_a_disabled_zone_sees_no_fire() -> None:
    model = panel()
    model.act("disable_zone", zone=4.0)
    model.inject("confirmed_fire", zone=4.0, first=0.0, second=1.0)
    values = run(model, 10)
    check_relations(values)
    assert values["cnt.disabled"] == 1
    assert values["det[8].state"] == 3
    assert values["panel.fire"] is False
    model.act("enable_zone", zone=4.0)
    assert run(model, 1)["panel.started"] is True


def test_the_weekly_test_runs_the_pump_for_five_minutes_and_starts_no_linkage() -> None:
    model = panel()
    model.act("test_fire_pump")
    values = run(model, 1)
    check_relations(values)
    assert values["fire_pump.start_cmd"] is True
    assert values["fire_pump.run"] is False
    values = run(model, 30)
    check_relations(values)
    assert values["hydrant_pump.run"] is True
    assert values["panel.started"] is False
    assert number(values, "hydrant.pressure") > 0.8
    model.leap(270.0)
    values = run(model, 60)
    assert values["fire_pump.run"] is False
    assert values["fire_pump.start_cmd"] is False
    assert number(values, "hydrant.pressure") < 0.5


def test_every_deed_is_an_event() -> None:
    model = panel()
    for act in sorted(model.acts):
        before = number(model.values(), "event.sequence")
        model.act(act)
        model.act("reset")
        assert number(run(model, 0.5), "event.sequence") >= before + 2, act
