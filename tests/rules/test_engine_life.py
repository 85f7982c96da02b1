"""The engine's part of an alarm's life: suppression by design in its right order, and delays that outlive a restart."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from facility.readings import Quality
from rules.book.compiled import CompiledRule
from rules.effects import Standing
from rules.engine import Engine
from rules.language.expression import compile_expression
from tests.rules.test_engine import LIFT, T0, a_rule, a_sample, an_engine, told

KEY = ("open", 0, "EL-01")


def suppressed(rule: CompiledRule, text: str) -> CompiledRule:
    """The rule with a `suppress`."""
    return replace(rule, rule=replace(rule.rule, suppress=text), suppress=compile_expression(text, LIFT))


OPEN = suppressed(a_rule("open", "car.overload"), "car.moving")
SLOW = suppressed(a_rule("open", "car.overload", delay=10.0), "car.moving")


def test_what_is_suppressed_is_so_before_it_is_raised() -> None:
    engine = an_engine(OPEN)
    found = engine.on_sample(a_sample(0, {"car.moving": True, "car.overload": True}))
    assert [item.event for item in found] == ["suppress", "raise"]
    assert found[0].seen["car.moving"].value is True
    assert [item.event for item in engine.on_sample(a_sample(5, {"car.moving": False}))] == ["release"]


def test_a_suppression_that_begins_later_and_one_of_a_quiet_alarm() -> None:
    engine = an_engine(OPEN)
    assert engine.on_sample(a_sample(0, {"car.moving": True})) == []  # there is nothing to keep quiet
    assert engine.on_sample(a_sample(1, {"car.moving": False})) == []
    assert [item.event for item in engine.on_sample(a_sample(2, {"car.overload": True}))] == ["raise"]
    assert [item.event for item in engine.on_sample(a_sample(3, {"car.moving": True}))] == ["suppress"]
    assert [item.event for item in engine.on_sample(a_sample(4, {"car.overload": False}))] == ["clear"]
    assert [item.event for item in engine.on_sample(a_sample(5, {"car.overload": True}))] == ["raise"]
    both = engine.on_sample(a_sample(6, {"car.overload": False, "car.moving": False}))
    assert [item.event for item in both] == ["clear", "release"]  # released last: nobody is told of what is over


def test_a_delay_that_runs_out_under_the_logic_is_suppressed_first() -> None:
    engine = an_engine(SLOW)
    engine.on_sample(a_sample(0, {"car.moving": True, "car.overload": True}))
    assert told(engine.on_tick(T0 + 12_000)) == [("suppress", "open", 10, 10), ("raise", "open", 10, 0)]


def test_while_the_logic_is_unknown_all_stays_as_it_was() -> None:
    engine = an_engine(OPEN)
    engine.on_sample(a_sample(0, {"car.moving": True, "car.overload": True}))
    assert engine.on_sample(a_sample(1, {"car.moving": None}, bad=["car.moving"])) == []
    assert [item.event for item in engine.on_sample(a_sample(2, {"car.moving": False}))] == ["release"]


def test_a_suppression_is_not_lost_by_a_restart() -> None:
    engine = an_engine(OPEN)
    assert engine.restore([KEY], quiet=[KEY]) == []
    assert engine.on_sample(a_sample(0, {"car.moving": True, "car.overload": True})) == []
    assert [item.event for item in engine.on_sample(a_sample(1, {"car.moving": False}))] == ["release"]


def test_an_alarm_whose_rule_has_lost_its_suppression_is_released() -> None:
    engine = an_engine(a_rule("open", "car.overload"))
    engine.restore([KEY], quiet=[KEY])
    assert [item.event for item in engine.on_sample(a_sample(0, {"car.overload": True}))] == ["release"]
    assert engine.on_tick(T0 + 1000) == []


def restarted(engine: Engine, *rules: CompiledRule) -> Engine:
    """A new engine that knows what the records know: the delays that changed, and the alarms."""
    kept = {key: state for key, state in engine.changed_delays().items() if state}
    after = an_engine(*rules)
    active = [item.key for item in engine.snapshot() if item.key not in kept]
    after.restore(active, standing=[Standing(key, state) for key, state in kept.items()])
    return after


def test_a_delay_of_ten_minutes_is_raised_at_its_own_instant_after_a_restart() -> None:
    rule = a_rule("long", "car.overload", delay=600.0)
    engine = an_engine(rule)
    samples = [a_sample(second, {"car.overload": True}) for second in range(0, 300, 10)]
    for sample in samples:
        engine.on_sample(sample)
        engine.on_tick(sample.at)
    after = restarted(engine, rule)
    for sample in samples[-3:]:  # the store has no more than these
        after.warm(sample)
    found = []
    for second in range(300, 700, 10):
        found += after.on_sample(a_sample(second, {"car.overload": True}))
        found += after.on_tick(T0 + second * 1000)
    assert told(found) == [("raise", "long", 600, 0)]


def test_a_delay_that_stood_still_while_nothing_was_known_stands_after_a_restart() -> None:
    rule = a_rule("long", "car.overload", delay=600.0)
    engine = an_engine(rule)
    engine.on_sample(a_sample(0, {"car.overload": True}))
    engine.on_sample(a_sample(100, {"car.overload": None}, bad=["car.overload"]))
    after = restarted(engine, rule)
    after.warm(a_sample(0, {"car.overload": True}))
    after.warm(a_sample(100, {"car.overload": None}, bad=["car.overload"]))
    found = after.on_sample(a_sample(150, {"car.overload": True}))
    for second in range(160, 660, 10):
        found += after.on_sample(a_sample(second, {"car.overload": True}))
    assert told(found) == [("raise", "long", 650, 0)]


def test_only_what_changed_is_asked_to_be_kept() -> None:
    rule = a_rule("long", "car.overload", delay=600.0)
    engine = an_engine(rule)
    key = ("long", 0, "EL-01")
    engine.on_sample(a_sample(0, {"car.overload": True}))
    (state,) = engine.changed_delays().values()
    assert state is not None
    assert state.running == T0
    engine.on_sample(a_sample(1, {"car.overload": True}))
    assert engine.changed_delays() == {}
    engine.on_sample(a_sample(2, {"car.overload": False}))
    assert engine.changed_delays() == {key: None}


VALUES = st.sampled_from([True, False, None])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=25), st.integers(0, 24))
def test_a_restart_anywhere_changes_no_judgement(readings: list[tuple[bool | None, bool | None]], cut: int) -> None:
    rules = (suppressed(a_rule("open", "car.overload", delay=10.0, clear_delay=6.0), "car.moving"),)
    samples = [
        a_sample(
            4.0 * number,
            {"car.overload": over, "car.moving": moving},
            bad=[key for key, value in (("car.overload", over), ("car.moving", moving)) if value is None],
        )
        for number, (over, moving) in enumerate(readings)
    ]
    whole = an_engine(*rules)
    expected = [item for sample in samples for item in whole.on_sample(sample)]
    first = an_engine(*rules)
    found = [item for sample in samples[:cut] for item in first.on_sample(sample)]
    quiet = [item.event for item in found if item.event in ("suppress", "release")][-1:] == ["suppress"]
    active = [item.event for item in found if item.event in ("raise", "clear")][-1:] == ["raise"]
    kept = [Standing(key, state) for key, state in first.changed_delays().items() if state]
    second = an_engine(*rules)
    second.restore([KEY] * active, standing=kept, quiet=[KEY] * quiet)
    for sample in samples[:cut]:
        second.warm(sample)
    found += [item for sample in samples[cut:] for item in second.on_sample(sample)]
    assert told(found) == told(expected)


def test_what_is_known_now_can_be_asked_for() -> None:
    engine = an_engine(OPEN)
    engine.on_sample(a_sample(3, {"car.overload": True}))
    (seen,) = engine.seen("EL-01", ["car.overload", "nothing"]).values()
    assert (seen.value, seen.quality, seen.at) == (True, Quality.GOOD, T0 + 3000)
    assert engine.seen("EL-99", ["car.overload"]) == {}
