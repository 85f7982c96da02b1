"""A whole quiet week of the demonstration building before the shipped rules and checks of data: nothing is raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from facility.catalog import Catalog
from facility.config import Site
from facility.readings import Sample, Value
from rules.engine import Engine
from simulators.building import Building
from tests.simulators.oracle import after, judging, sample
from tests.simulators.test_quiet_day import MIDNIGHT

WEEK, TURN, WATCHED = 604_800.0, 240.0, 2.0
"""Seconds of it; of a turn, which is less than any silence that makes a reading stale; of its end that is watched."""
STOREY = 3_000.0
"""Millimetres, about."""


def looks(building: Building) -> Iterator[float]:
    """The seconds at which somebody looks: when a leap is over, and a moment later."""
    now = 0.0
    while now < WEEK:
        building.leap(TURN - WATCHED)
        now += TURN - WATCHED
        yield now
        building.step(WATCHED)
        now += WATCHED
        yield now


def before(samples: Iterable[Sample], trips: dict[str, Value]) -> Iterator[Sample]:
    """A lift that has made trips since the last look (`trips`: asset -> how many then) was at another floor."""
    for one in samples:
        made, floor = one.values.get("cnt.trips"), one.values.get("car.floor")
        if isinstance(floor, int) and made != trips.get(one.asset, made):
            aside, position = -1 if floor > 1 else 1, one.values["car.position"]
            assert isinstance(position, float)
            yield Sample(
                one.asset, one.at - 1000, {"car.floor": floor + aside, "car.position": position + aside * STOREY}
            )
        trips[one.asset] = made


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_quiet_week_raises_nothing(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    building = Building(site, catalog, seed=11, epoch=MIDNIGHT, quantum=0.5)
    building.step(1.0)
    mapped = {name: frozenset(values) for name, values in building.values().items()}
    assets = {name: site.assets[name] for name in mapped}
    rules = judging(site.assets, catalog, mapped)
    engine = Engine(rules, assets, catalog, future_ms=round(TURN * 1000))
    judged_classes = {site.assets[name].asset_class for name, items in rules.by_asset.items() if items}
    assert judged_classes == {asset.asset_class for asset in site.assets.values()} - {"gateway"}
    trips: dict[str, Value] = {}
    for now in looks(building):
        at = MIDNIGHT + now
        samples = [sample(name, at, values) for name, values in building.values().items()]
        judged = [item for one in [*before(samples, trips), *samples] for item in engine.on_sample(one)]
        judged += engine.on_tick(round(at * 1000))
        judged += [item for one in after(samples) for item in engine.on_sample(one)]
        assert [(item.event, item.asset, item.rule.id, now / 3600) for item in judged] == []
