"""Derived points: what the file may say, that they follow their inputs in order, and that all are stored once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.assets import Asset
from facility.bus import MemoryBus
from facility.catalog import Catalog, read_catalog
from facility.errors import Problem
from facility.points import Label
from facility.readings import Quality, Reading, Sample, Value
from facility.wire import DERIVED
from ingest.deadletters import DeadLetters
from ingest.memory_store import MemoryStore
from ingest.service import Ingest
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.derived import place
from rules.book.kinship import Kinship
from rules.deriving import AGAIN_MS
from rules.engine import Engine
from rules.language.expression import compile_expression
from rules.records.records import Records
from rules.role import readback
from rules.rule import Raises, Rule, Severity
from tests.rules.plant import CLOCK, Line, a_site, at_work

LABEL = Label("设备", "thing")
T0 = 1_700_000_000_000
ASSETS = {
    "PM-01": Asset("PM-01", "power", LABEL, rated={"p": 200.0}),
    "PM-02": Asset("PM-02", "power", LABEL, parents=("PM-01",), rated={"p": 100.0}),
    "EL-001": Asset("EL-001", "elevator", LABEL, parents=("PM-02",)),
}
GIVEN = {
    "PM-01": frozenset({"p.total"}),
    "PM-02": frozenset({"p.total"}),
    "EL-001": frozenset({"car.load", "car.moving"}),
}
FILE = """
derived:
  - class: power
    key: load.high
    labels: {zh: 高负荷, en: High load}
    kind: discrete
    value: load.share > 80
  - class: power
    key: load.share
    labels: {zh: 负荷率, en: Share of the rated load}
    unit: "%"
    range: [0, 200]
    deadband: 1
    value: p.total / rated('p') * 100
  - class: elevator
    key: feed.high
    labels: {zh: 上级高负荷, en: A feed is loaded}
    kind: discrete
    value: upstream('power', load.high) >= 1
"""


def a_catalog(folder: Path, text: str = FILE) -> tuple[Catalog, list[Problem]]:
    (folder / "derived.yaml").write_text(text, encoding="utf-8")
    return read_catalog(folder)


def problems(folder: Path, text: str) -> list[str]:
    catalog, found = a_catalog(folder, text)
    place(catalog, ASSETS, GIVEN, {}, found)
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


def a_book(catalog: Catalog, *rules: tuple[str, str]) -> Rulebook:
    """Rules as (asset, condition)."""
    found: list[Problem] = []
    derived, points = place(catalog, ASSETS, GIVEN, {}, found)
    assert found == []
    by_asset: dict[str, tuple[CompiledRule, ...]] = dict.fromkeys(ASSETS, ())
    for asset, when in rules:
        own = catalog.classes[ASSETS[asset].asset_class]
        rule = Rule(f"{asset}.rule", own.id, LABEL, LABEL, Severity.URGENT, Raises.TICKET, when)
        by_asset[asset] += (CompiledRule(rule, compile_expression(when, own, classes=catalog.classes)),)
    return Rulebook(by_asset, derived=derived, kinship=Kinship(ASSETS, {}, points))


def an_engine(folder: Path, *rules: tuple[str, str], text: str = FILE) -> Engine:
    catalog, found = a_catalog(folder, text)
    assert found == []
    return Engine(a_book(catalog, *rules), ASSETS, catalog, future_ms=1 << 60)


def a_sample(asset: str, second: float, **values: Value) -> Sample:
    named = {name.replace("_", ".", 1): value for name, value in values.items()}
    return Sample(asset, T0 + int(second * 1000), named, {key: Quality.COMM for key, v in named.items() if v is None})


def told(samples: Iterable[Sample]) -> list[tuple[str, str, float, Value, str]]:
    return [
        (item.asset, key, (item.at - T0) / 1000, value, item.quality_of(key).value)
        for item in samples
        for key, value in item.values.items()
    ]


# the file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "key: load.share",
            "key: p.total",
            "derived.yaml:9: derived[1].key: the class power has a point 'p.total' alrea",
        ),
        (
            "key: load.share",
            "key: load.high",
            "derived.yaml:9: derived[1].key: 'load.high' is already derived on line 7",
        ),
        ("key: load.share", "key: Load!", "is not a point key such as load.share"),
        (
            "p.total / rated",
            "p.totl / rated",
            "derived[1].value: column 1: the class power has no point 'p.totl'; did you",
        ),
        ("> 80", "", "derived.yaml:7: derived[0].value: column 1: load.share is a number, a condition is needed"),
        (
            "/ rated('p') * 100",
            "",
            "derived.yaml:14: derived[1].value: column 1: p.total is in kW, the point load.share is in",
        ),
        ('unit: "%"', "unit: furlong", "derived[1].unit: 'furlong' is not one of the known UCUM units"),
        ("range: [0, 200]", "range: [9, 2]", "the lower end is not below the upper end"),
        ("class: elevator", "class: rocket", "derived[2].class: there is no asset class 'rocket'"),
        ("kind: discrete", "kind: text", "a derived point is analog (a number) or discrete (a condition)"),
        ("class: elevator", "class: elevator\n    assets: [EL-99]", "there is no asset 'EL-99' of class elevator"),
        (
            "value: p.total /",
            "value: (1 if load.high else 2) * p.total /",
            "is worked out from itself: load.high -> load.share -> load.high",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert any(message in item for item in problems(tmp_path, FILE.replace(old, new, 1)))


def test_a_circle_over_other_equipment_is_named_and_a_chain_is_none(tmp_path: Path) -> None:
    chain = (
        FILE
        + """  - class: power
    key: feeds.high
    labels: {zh: 上级, en: Feeds}
    value: upstream('power', load.high) + upstream('power', feeds.high > 0)
"""
    )
    assert problems(tmp_path, chain) == []
    ring = (
        chain
        + """  - class: power
    key: below
    labels: {zh: 下级, en: Below}
    value: members('power', feeds.high > 0)
""".replace("feeds.high > 0", "ring > 0")
        + """  - class: power
    key: ring
    labels: {zh: 环, en: Ring}
    value: upstream('power', below > 0)
"""
    )
    (found,) = problems(tmp_path, ring)
    assert found.startswith("derived.yaml:")
    assert "is worked out from itself: " in found
    assert "PM-01/below -> PM-02/ring" in found or "PM-02/ring -> PM-01/below" in found


def test_a_circle_is_refused_where_no_asset_has_it_yet(tmp_path: Path) -> None:
    catalog, found = a_catalog(tmp_path, FILE.replace("value: p.total /", "value: (1 if load.high else 2) * p.total /"))
    place(catalog, {}, {}, {}, found)
    assert ["is worked out from itself" in str(problem) for problem in found] == [True]


def test_it_is_where_its_inputs_are(tmp_path: Path) -> None:
    catalog, found = a_catalog(tmp_path)
    derived, points = place(catalog, ASSETS, {**GIVEN, "PM-01": frozenset(), "EL-001": frozenset()}, {}, found)
    assert [(asset, item.point.key) for asset, item in derived.order] == [
        ("PM-02", "load.share"), ("PM-02", "load.high"), ("EL-001", "feed.high"),
    ]  # fmt: skip
    assert points["PM-02"] == {"p.total", "load.share", "load.high"}
    nothing, _ = place(catalog, ASSETS, {}, {}, found)
    assert ("load.share", "PM-01 has no p.total") in [(item.point.key, why) for item, why in nothing.unused]
    assert found == []


# the engine


def test_a_change_goes_through_in_order_and_rules_see_it(tmp_path: Path) -> None:
    engine = an_engine(tmp_path, ("PM-02", "load.high and p.total > 0"), ("EL-001", "feed.high"))
    found = engine.on_sample(a_sample("PM-02", 0, p_total=90.0))
    assert [(item.rule.id, item.event, item.at - T0) for item in found] == [
        ("PM-02.rule", "raise", 0), ("EL-001.rule", "raise", 0),
    ]  # fmt: skip
    assert told(engine.take_told()) == [
        ("PM-02", "load.share", 0, 90.0, "good"),
        ("PM-02", "load.high", 0, True, "good"),
        ("EL-001", "feed.high", 0, True, "good"),
    ]
    # within the deadband nothing is told; the rules see it all the same
    assert engine.on_sample(a_sample("PM-02", 1, p_total=90.5)) == []
    assert engine.take_told() == []
    found = engine.on_sample(a_sample("PM-02", 2, p_total=10.0))
    assert [item.event for item in found] == ["clear"]
    # of the other feed nothing is known: the lift's alarm stands
    assert told(engine.take_told())[-1] == ("EL-001", "feed.high", 2, None, "sensor")


def test_what_is_not_known_has_no_value_and_the_reason_of_its_input(tmp_path: Path) -> None:
    engine = an_engine(tmp_path)
    engine.on_sample(a_sample("PM-02", 0, p_total=50.0))
    engine.on_sample(a_sample("PM-02", 1, p_total=None))
    assert told(engine.take_told())[3:] == [
        ("PM-02", "load.share", 1, None, "comm"),
        ("PM-02", "load.high", 1, None, "comm"),
    ]


def test_silence_of_an_input_is_told_and_a_gateway_that_is_gone_too(tmp_path: Path) -> None:
    engine = an_engine(tmp_path)
    engine.on_tick(T0 - 1000)
    engine.on_sample(a_sample("PM-02", 0, p_total=50.0))
    engine.on_sample(a_sample("PM-01", 0, p_total=50.0))
    engine.take_told()
    engine.hush("PM-01", ["p.total"], T0 + 1000)
    assert ("PM-01", "load.share", 1, None, "comm") in told(engine.take_told())
    engine.unhush("PM-01", ["p.total"], T0 + 2000)
    assert ("PM-01", "load.share", 2, 25.0, "good") in told(engine.take_told())
    engine.on_tick(T0 + 340_000)
    assert ("PM-02", "load.share", 340, None, "stale") in told(engine.take_told())


def test_it_is_told_again_while_its_inputs_live(tmp_path: Path) -> None:
    engine = an_engine(tmp_path)
    engine.on_sample(a_sample("PM-02", 0, p_total=50.0))
    engine.take_told()
    engine.on_tick(T0 + AGAIN_MS - 1000)
    assert engine.take_told() == []
    engine.on_tick(T0 + AGAIN_MS + 5000)
    assert ("PM-02", "load.share", AGAIN_MS / 1000 + 5, 50.0, "good") in told(engine.take_told())


def test_a_window_inside_runs_with_time(tmp_path: Path) -> None:
    text = """
derived:
  - class: power
    key: load.mean
    labels: {zh: 均值, en: Mean}
    unit: kW
    value: avg(p.total, '1m')
"""
    engine = an_engine(tmp_path, text=text)
    engine.on_sample(a_sample("PM-02", 0, p_total=10.0))
    assert told(engine.take_told()) == [("PM-02", "load.mean", 0, None, "sensor")]
    engine.on_tick(T0 + 31_000)
    assert told(engine.take_told()) == [("PM-02", "load.mean", 31, 10.0, "good")]


def test_what_the_store_has_is_not_told_again(tmp_path: Path) -> None:
    first, second = an_engine(tmp_path), an_engine(tmp_path)
    samples = [a_sample("PM-02", second_, p_total=float(second_)) for second_ in range(0, 100, 10)]
    for sample in samples:
        first.on_sample(sample)
    stored = first.take_told()
    for sample in sorted([*samples[:5], *stored[:7]], key=lambda item: item.at):
        second.warm(sample)
    for sample in samples[5:]:
        second.on_sample(sample, historical=True)
    assert stored[:7] + second.take_told() == stored


values = st.one_of(st.none(), st.integers(0, 200).map(float))
stories = st.lists(
    st.tuples(st.integers(1, 20_000), st.sampled_from(["PM-01", "PM-02"]), values), min_size=1, max_size=25
)


@pytest.mark.slow
@given(stories, st.lists(st.integers(0, 140_000), max_size=15))
def test_when_it_is_ticked_changes_no_value(tmp_path_factory: Any, story: Any, ticks: list[int]) -> None:
    folder = tmp_path_factory.getbasetemp()
    plain, ticked = an_engine(folder), an_engine(folder)
    at, samples = 0.0, []
    for gap, asset, value in story:
        at += gap / 1000
        if at < AGAIN_MS / 1000:
            samples.append(a_sample(asset, at, p_total=value))
    for sample in samples:
        plain.on_sample(sample)
    steps: list[tuple[int, int, Sample | None]] = [(sample.at, 0, sample) for sample in samples]
    for instant, _, given_sample in sorted([*steps, *((T0 + tick, 1, None) for tick in ticks)], key=lambda s: s[:2]):
        if given_sample is None:
            ticked.on_tick(instant)
        else:
            ticked.on_sample(given_sample)
    assert told(ticked.take_told()) == told(plain.take_told())


# the whole way


async def test_derived_points_are_stored_and_go_on_after_a_restart_without_doubles(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)
    catalog, found = a_catalog(tmp_path)
    assert found == []
    site = replace(a_site(tmp_path, "http://127.0.0.1:9/", lifts=["EL-001"]), assets=ASSETS)
    bus, store, book = MemoryBus(), MemoryStore(catalog), a_book(catalog)
    letters = DeadLetters(":memory:")
    ingest = Ingest(site, catalog, bus=bus, store=store, dead_letters=letters, clock=CLOCK)
    at_ingest = asyncio.create_task(ingest.run())
    await asyncio.sleep(0.01)
    began = CLOCK.ms()
    line = Line(bus)

    async def readings() -> list[Reading]:
        return list(await store.between("PM-02", ["load.share"], began - 1000, began + 60_000))

    async def until(wanted: list[float | None]) -> None:
        async with asyncio.timeout(20):
            while [item.value for item in await readings()] != wanted:
                await asyncio.sleep(0.02)

    try:
        async with at_work(site, records, bus=bus, store=store_as_history(store), book=book, catalog=catalog) as rules:
            await line.send(Sample("PM-02", began, {"p.total": 50.0}))
            await until([50.0])
            await line.send(Sample("PM-02", began + 10, {"p.total": 60.0}))
            await until([50.0, 60.0])
            async with asyncio.timeout(20):
                while rules.metrics()["derived_unconfirmed"]:
                    await asyncio.sleep(0.02)
        # told while nobody worked it out
        await line.send(Sample("PM-02", began + 20, {"p.total": 70.0}))
        async with asyncio.timeout(20):
            while len(await store.between("PM-02", ["p.total"], began - 1000, began + 60_000)) < 3:
                await asyncio.sleep(0.02)
        async with at_work(site, records, bus=bus, store=store_as_history(store), book=book, catalog=catalog):
            await until([50.0, 60.0, 70.0])
            await line.send(Sample("PM-02", began + 30, {"p.total": 80.0}))
            await until([50.0, 60.0, 70.0, 80.0])
        assert [item.at for item in await readings()] == [began, began + 10, began + 20, began + 30]
        assert ingest.metrics()["gaps"] == 0
        assert ingest.metrics()["readings_quarantined"] == 0
        assert DERIVED not in site.gateways
    finally:
        at_ingest.cancel()
        with suppress(asyncio.CancelledError):
            await at_ingest
        letters.close()


def store_as_history(store: MemoryStore) -> Any:
    """A plant's store whose history is that of ingest."""

    class Kept:
        history = staticmethod(store.samples)

    return Kept()
