"""The engine against a model on paper: the same transitions, at the same instants, however it is fed and ticked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.readings import Quality, Sample
from rules.book.compiled import CompiledRule
from rules.effects import Judgement
from rules.engine import Engine
from tests.rules.reference import Known, Paper, both, known_by_second, over, transitions, true, under
from tests.rules.test_engine import T0, a_rule, an_engine

TAIL = 90
"""Seconds after the last reading, so that every delay is over."""


def _ratio(known: Known) -> bool | None:
    speed = known.get("car.speed")
    return None if not speed else 1 / speed > 2


PAPERS: dict[str, tuple[CompiledRule, Paper]] = {
    rule.rule.id: (rule, paper)
    for rule, paper in (
        (a_rule("over", "car.overload"), Paper(true("car.overload"))),
        (
            a_rule("hot", "drive.motor_temp > 100", clear="drive.motor_temp < 90", delay=10.0, clear_delay=4.0),
            Paper(over("drive.motor_temp", 100), under("drive.motor_temp", 90), 10, 4),
        ),
        (
            a_rule("stuck", "car.moving and car.overload", delay=5.0, clear_delay=3.0),
            Paper(lambda known: both(known.get("car.moving"), known.get("car.overload")), None, 5, 3),
        ),
        (
            a_rule("apart", "car.overload", clear="drive.motor_temp < 90", delay=2.0, clear_delay=6.0),
            Paper(true("car.overload"), under("drive.motor_temp", 90), 2, 6),
        ),
        (a_rule("ratio", "1 / car.speed > 2", delay=3.0), Paper(_ratio, None, 3)),
        (
            a_rule("when_moving", "drive.motor_temp > 100", enable="car.moving", delay=4.0),
            Paper(over("drive.motor_temp", 100), None, 4, 0, true("car.moving")),
        ),
        (a_rule("long", "car.overload", delay=45.0), Paper(true("car.overload"), None, 45)),
    )
}
"""Each rule in both forms. One divides by zero now and then; one is cleared by another point than it is raised by."""

POINTS = {
    "car.moving": st.booleans(),
    "car.overload": st.booleans(),
    "drive.motor_temp": st.sampled_from([80, 95, 105]),
    "car.speed": st.sampled_from([0.0, 0.25, 1.0]),
}
changes = st.one_of(*(st.tuples(st.just(key), st.one_of(st.none(), values)) for key, values in POINTS.items()))
readings = st.tuples(
    st.integers(0, 9),
    st.sampled_from(["EL-01", "EL-02"]),
    st.lists(changes, min_size=1, max_size=3).map(dict),
)
stories = st.lists(readings, min_size=1, max_size=25)
Story = list[tuple[int, str, dict[str, Any]]]


def samples(story: Story) -> list[Sample]:
    """The story as samples, in whole seconds; an asset tells an instant once."""
    second, last, found = 0, dict[str, int](), []
    for gap, asset, values in story:
        second = max(second + gap, last.get(asset, -1) + 1)
        last[asset] = second
        quality = {key: Quality.COMM for key, value in values.items() if value is None}
        found.append(Sample(asset, T0 + second * 1000, dict(values), quality))
    return found


def on_paper(given_samples: Iterable[Sample], papers: dict[str, tuple[CompiledRule, Paper]]) -> list[Any]:
    """(asset, rule, event, second) that the model has, in order."""
    by_asset = defaultdict[str, list[tuple[int, Known]]](list)
    for sample in given_samples:
        by_asset[sample.asset].append(((sample.at - T0) // 1000, sample.values))
    end = max(second for changes in by_asset.values() for second, _ in changes) + TAIL
    return sorted(
        (asset, name, event, second)
        for asset, changes in by_asset.items()
        for name, (_, paper) in papers.items()
        for event, second in transitions(paper, known_by_second(changes, end))
    )


def told(judgements: Iterable[Judgement]) -> list[Any]:
    """The same of judgements."""
    return sorted((item.asset, item.rule.id, item.event, (item.at - T0) / 1000) for item in judgements)


def an_engine_of_all() -> Engine:
    return an_engine(*(rule for rule, _ in PAPERS.values()))


def the_end(given_samples: list[Sample]) -> int:
    return max(sample.at for sample in given_samples) + TAIL * 1000


def played(given_samples: list[Sample], ticks: Iterable[int] = ()) -> list[Judgement]:
    """What an engine says to them, ticked at these instants (ms from the beginning) too."""
    engine, end = an_engine_of_all(), the_end(given_samples)
    steps: list[tuple[int, int, Callable[[], list[Judgement]]]] = [
        (sample.at, 0, lambda sample=sample: engine.on_sample(sample)) for sample in given_samples
    ]
    steps += [(T0 + tick, 1, lambda at=T0 + tick: engine.on_tick(at)) for tick in ticks if T0 + tick < end]
    found = [item for _, _, step in sorted(steps, key=lambda step: step[:2]) for item in step()]
    return found + engine.on_tick(end) + engine.on_tick(end + 1)


@pytest.mark.slow
@given(stories, st.lists(st.integers(0, 300_000), max_size=20))
def test_the_engine_does_what_the_paper_says(story: Story, ticks: list[int]) -> None:
    given_samples = samples(story)
    wanted = on_paper(given_samples, PAPERS)
    assert told(played(given_samples)) == wanted
    assert told(played(given_samples, ticks)) == wanted


@pytest.mark.slow
@given(stories, st.lists(st.integers(0, 3), max_size=60))
def test_copies_and_what_comes_again_change_nothing(story: Story, backs: list[int]) -> None:
    """After each sample one of the newest comes again, as after a lost confirmation."""
    given_samples = samples(story)
    engine, found = an_engine_of_all(), list[Judgement]()
    for number, sample in enumerate(given_samples):
        found += engine.on_sample(sample)
        back = backs[number] if number < len(backs) else 0
        assert engine.on_sample(given_samples[max(0, number - back)]) == []
    found += engine.on_tick(the_end(given_samples)) + engine.on_tick(the_end(given_samples) + 1)
    assert told(found) == on_paper(given_samples, PAPERS)


@pytest.mark.slow
@given(stories, st.randoms(use_true_random=False), st.integers(1, 20_000))
def test_the_order_between_assets_is_of_no_matter(story: Story, random: Any, bound: int) -> None:
    """Samples of one asset in order, those of two as the ways to here are: up to 20 s apart."""
    given_samples = samples(story)
    late = {name: random.randrange(bound) for name in ("EL-01", "EL-02")}
    shuffled = sorted(given_samples, key=lambda sample: sample.at + late[sample.asset])
    engine = an_engine_of_all()
    found = [item for sample in shuffled for item in engine.on_sample(sample)]
    found += engine.on_tick(the_end(given_samples)) + engine.on_tick(the_end(given_samples) + 1)
    assert told(found) == on_paper(given_samples, PAPERS)


@pytest.mark.slow
@given(stories, st.randoms(use_true_random=False), st.integers(1, 30_000))
def test_what_comes_in_disorder_loses_no_alarm_that_stands(story: Story, random: Any, bound: int) -> None:
    """Any sample may come up to 30 s late, overtaken by others of its own asset; what stands at the end is raised."""
    given_samples = samples(story)
    shuffled = sorted(given_samples, key=lambda sample: sample.at + random.randrange(bound))
    engine, steady = an_engine_of_all(), an_engine_of_all()
    for sample in shuffled:
        engine.on_sample(sample)
    for sample in given_samples:
        steady.on_sample(sample)
    stands: list[set[tuple[str, str]]] = []
    for item in (engine, steady):
        item.on_tick(the_end(given_samples))
        item.on_tick(the_end(given_samples) + 1)
        true_now = {
            (asset, name)
            for asset in ("EL-01", "EL-02")
            for name, (_, paper) in PAPERS.items()
            if paper.says({key: seen.value for key, seen in item.seen(asset, POINTS).items()})[0]
        }
        phases = {(each.key[2], each.key[0]): each.state.phase.value for each in item.snapshot()}
        assert all(phases.get(key) == "active" for key in true_now)
        stands.append(true_now)
    assert stands[0] == stands[1]


def test_what_is_wrong_has_not_ended_although_nobody_knows_of_the_end() -> None:
    """The clearing condition is over another point: it is unknown while the condition itself is known to be true."""
    engine = an_engine(PAPERS["apart"][0])
    found = []
    for second, values in (
        (0, {"car.overload": True, "drive.motor_temp": 80}),
        (10, {"car.overload": False}),
        (15, {"car.overload": True, "drive.motor_temp": None}),
        (16, {"car.overload": False, "drive.motor_temp": 80}),
    ):
        found += engine.on_sample(samples([(second, "EL-01", values)])[0])
    found += engine.on_tick(T0 + 60_000)
    assert told(found) == [("EL-01", "apart", "clear", 22), ("EL-01", "apart", "raise", 2)]


def test_a_delay_that_its_silence_outlasts_raises_nothing_however_late_the_tick() -> None:
    """The point is too old to be believed before the delay is over: nobody knows that it was true all the time."""
    slow = a_rule("slow", "car.overload", delay=1000.0)
    sample = Sample("EL-01", T0, {"car.overload": True})
    often, once, replayed = an_engine(slow), an_engine(slow), an_engine(slow)
    for engine in (often, once, replayed):
        assert engine.on_sample(sample) == []
    assert [item for second in range(2000) for item in often.on_tick(T0 + second * 1000)] == []
    assert once.on_tick(T0 + 2_000_000) == []
    # as read from the store after a standstill: the next reading is the first to say that time has gone by
    assert replayed.on_sample(Sample("EL-01", T0 + 2_000_000, {"car.moving": True}), historical=True) == []
