"""The demonstration building in quiet times before the shipped rules, told by exception as its gateways tell it."""

from __future__ import annotations

from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Point
from facility.readings import Quality, Sample, Value
from gateway.codec import bounded
from gateway.report import PointReport
from rules.engine import Engine
from simulators.building import Building
from tests.simulators.oracle import Raised, judging

MIDNIGHT = 1_767_542_400.0
"""2026-01-05 00:00 in Shanghai, a Monday."""
NUMBERS = (Kind.ANALOG, Kind.COUNTER)


class Teller:
    """What a gateway tells of one asset: each point at its interval, when it has moved."""

    def __init__(self, asset: str, points: dict[str, Point]) -> None:
        self._asset, self._points = asset, points
        self._report = PointReport()
        self._due: dict[str, float] = {}

    def tell(self, now: float, values: dict[str, Value]) -> Sample:
        """What there is to tell at `now` (s since 1970)."""
        told: dict[str, Value] = {}
        bad: dict[str, Quality] = {}
        for key, value in values.items():
            if self._due.get(key, 0.0) > now:
                continue
            point = self._points[key]
            self._due[key] = now + point.interval
            quality = _quality(point, value)
            if self._report.offer(point, value, quality, round(now * 1000)):
                told[key] = value if quality is Quality.GOOD else None
                if quality is not Quality.GOOD:
                    bad[key] = quality
        return Sample(self._asset, round(now * 1000), told, bad)


def _quality(point: Point, value: Value) -> Quality:
    if value is None:
        return Quality.SENTINEL
    if point.kind in NUMBERS and isinstance(value, int | float):
        return bounded(point, value)[1]
    return Quality.GOOD


def quiet(site: Site, catalog: Catalog, *, seed: int, hour: float, seconds: float) -> list[Raised]:
    """Every alarm of so many seconds from an hour of the day on, in which nothing happens."""
    building = Building(site, catalog, seed=seed, epoch=MIDNIGHT + hour * 3600, quantum=0.5)
    mapped = {key: frozenset(values) for key, values in building.values().items()}
    assets = {key: site.assets[key] for key in mapped}
    engine = Engine(judging(site, catalog, mapped), assets, catalog)
    tellers = {key: Teller(key, dict(catalog.classes[asset.asset_class].points)) for key, asset in assets.items()}
    found: list[Raised] = []
    for second in range(1, round(seconds)):
        building.step(1.0)
        now = MIDNIGHT + hour * 3600 + second
        judged = []
        for key, values in building.values().items():
            if not building.models[key].silent and (sample := tellers[key].tell(now, values)).values:
                judged += engine.on_sample(sample)
        judged += engine.on_tick(round(now * 1000))
        found += [
            Raised(second, item.asset, item.rule.id, item.rule.severity) for item in judged if item.event == "raise"
        ]
    return found
