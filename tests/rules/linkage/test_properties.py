"""Whatever the readings and however they are batched: verdicts by their definition, and none upon what is stale."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from facility.readings import Sample
from rules.linkage.judge import Linkage
from rules.linkage.run import Run
from rules.linkage.verdicts import Verdict
from tests.rules.linkage.panels import CATALOG, FIRE, QUIET, START, a_site, lines, matrices, told

FOLDER = Path(tempfile.mkdtemp(prefix="caretaker-linkage-"))
SITE = a_site(FOLDER)
MATRICES = matrices(SITE)
T0, END = 10.0, 190.0
LIMITS = {"EL-1": 60.0, "EL-2": 90.0}
"""Seconds from T0: 10 + 60 m / speed + 20."""

instants = st.one_of(st.none(), st.integers(100, 1850).map(lambda tenth: tenth / 10))
"""Seconds at which something comes, None for never; not before T0."""
doors = st.tuples(instants, instants, instants)


def fresh() -> Linkage:
    return Linkage(SITE.id, MATRICES, SITE.assets, CATALOG)


def played(samples: list[Sample], ticks: list[float]) -> tuple[Run, list[str]]:
    """The run after all samples, each given before the first tick that is not earlier."""
    linkage = fresh()
    waiting = sorted(samples, key=lambda sample: sample.at)
    found = []
    for tick in [*sorted(ticks), END]:
        at = START + round(tick * 1000)
        while waiting and waiting[0].at <= at:
            found += linkage.on_sample(waiting.pop(0))
        found += linkage.on_tick(at)
    (run,) = linkage.runs
    return run, lines(sorted(found, key=lambda item: (item.at, item.rule.index, item.event)))


def verdict(run: Run, number: int) -> Verdict:
    effect = run.effect(number)
    assert effect
    return effect.verdict


def told_at(asset: str, second: float | None, **values: bool | float) -> list[Sample]:
    return [] if second is None else [told(asset, second, **values)]


@given(instants, instants)
@settings(max_examples=60)
def test_lifts_by_definition(first: float | None, second: float | None) -> None:
    samples = [*QUIET, FIRE, *told_at("EL-1", first, fire__parked=True), *told_at("EL-2", second, fire__parked=True)]
    run, _ = played(samples, [T0 + step for step in range(0, 180, 3)])
    came = {"EL-1": first, "EL-2": second}
    if any(at is None for at in came.values()):
        expected = Verdict.FAILED
    elif all(at is not None and at - T0 <= LIMITS[lift] for lift, at in came.items()):
        expected = Verdict.CONFIRMED
    else:
        expected = Verdict.LATE
    assert verdict(run, 4) is expected


@given(doors)
@settings(max_examples=60)
def test_two_of_three_doors_by_definition(came: tuple[float | None, ...]) -> None:
    samples = [*QUIET, FIRE]
    for number, at in enumerate(came, 1):
        samples += told_at("AC", at, **{f"door_{number}__fire_release": True})
    run, _ = played([*{(s.asset, s.at, *s.values): s for s in samples}.values()], [T0 + step for step in range(180)])
    there = sorted(at for at in came if at is not None)
    if len(there) < 2 or len({round(at, 3) for at in there}) < len(there):
        return  # two readings of one instant: only the first counts
    assert verdict(run, 6) is (Verdict.CONFIRMED if there[1] - T0 <= 15 else Verdict.LATE)


@given(
    st.lists(
        st.tuples(st.integers(101, 1850), st.sampled_from([True, False, None])),
        max_size=8,
        unique_by=lambda item: item[0],
    ),
    st.lists(st.floats(11, 189), max_size=20),
    st.lists(st.floats(11, 189), max_size=20),
)
@example([(101, None), (251, False), (261, None)], [], [26.0])  # seen for a second only, after its limit
@settings(max_examples=80)  # fmt: skip
def test_batching_changes_nothing(
    changes: list[tuple[int, bool | None]], ticks: list[float], others: list[float]
) -> None:
    samples = [*QUIET, FIRE, *(told("FA", tenth / 10, fan__smoke_run=value) for tenth, value in changes)]
    one, told_one = played(samples, ticks)
    other, told_other = played(samples, others)
    assert verdict(one, 8) is verdict(other, 8)
    first, second = one.effect(8), other.effect(8)
    assert first
    assert second
    assert first.t_feedback == second.t_feedback
    raised = [[line for line in found if "raise smoke_failed" in line][:1] for found in (told_one, told_other)]
    if None not in [value for _, value in changes]:
        assert raised[0] == raised[1]


@given(
    st.integers(0, 9),
    st.lists(
        st.tuples(st.integers(101, 1850), st.sampled_from([False, None])), max_size=6, unique_by=lambda item: item[0]
    ),
)
@settings(max_examples=60)  # fmt: skip
def test_nothing_passes_without_a_good_reading_that_says_so(
    before: int, changes: list[tuple[int, bool | None]]
) -> None:
    """The fan ran once, long ago or never; since then only bad readings, or ones that say no."""
    old = told("FA", 0.5, fan__smoke_run=True)
    quiet = [Sample(item.asset, item.at - 3_600_000, item.values, item.quality) for item in (*QUIET, old)]
    samples = [*quiet, FIRE, *(told("FA", tenth / 10, fan__smoke_run=value) for tenth, value in changes)]
    run, _ = played(samples, [-3590.0, float(before), *(T0 + step for step in range(0, 180, 5))])
    assert verdict(run, 8) in (Verdict.UNKNOWN, Verdict.FAILED)
    assert run.effect(8).t_feedback is None  # type: ignore[union-attr]
