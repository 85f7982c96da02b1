"""A fault of the demonstration building, played before the shipped rules: which alarms come, and when.

`python -m tests.simulators.oracle ASSET FAULT [POINT]` prints them beside what the repertoire expects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from facility.assets import Asset
from facility.catalog import Catalog
from facility.config import Site, load_site
from facility.hardware import Fault, On
from facility.points import Kind, Point
from facility.readings import Quality, Sample, Value
from gateway.codec import bounded
from rules.book.compiled import Rulebook
from rules.book.data.checkfile import read_checks
from rules.book.data.rules import with_checks
from rules.book.rulebook import PACKS, assign, read_rules
from rules.engine import Engine
from rules.linkage.judge import Linkage
from rules.linkage.matrixfile import shipped_linkage
from simulators.building import FINE, Building
from simulators.scenario import Action

DEMO = Path(__file__).parents[2] / "simulators" / "demo"
EPOCH = 1_767_582_000.0
"""A Monday, 11:00 in Shanghai."""
QUIET = 120
"""Seconds before the fault in which nothing may be raised."""
SOON = 10.0
"""Seconds after a look when whoever passed a door then has gone through."""
STROKES = {1: 2, 3: 0}
"""`door.car.state`: what opening and closing come to."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm, and the seconds after the fault began when it came."""

    seconds: float
    asset: str
    rule: str
    severity: int


def sample(asset: str, at: float, values: dict[str, Value], points: Mapping[str, Point] | None = None) -> Sample:
    """All values of an asset as a gateway would tell them; what the device has no value for is bad.

    With `points`, what is outside a point's range is bad too.
    """
    bad = {key: Quality.SENTINEL for key, value in values.items() if value is None}
    for key, value in values.items() if points else ():
        if points and points[key].kind in (Kind.ANALOG, Kind.COUNTER) and isinstance(value, int | float):
            quality = bounded(points[key], value)[1]
            if quality is not Quality.GOOD:
                bad[key] = quality
    values = {key: None if key in bad else value for key, value in values.items()}
    return Sample(asset, round(at * 1000), values, bad)


def after(samples: Iterable[Sample]) -> Iterator[Sample]:
    """What a leap hides: whoever pressed an exit button lets it go, and a lift's door comes to the end of its stroke.

    Without it two people at the ends of two turns would be one who presses all the time, and a door, which stands still
    in a leap, would be stuck.
    """
    for one in samples:
        told: dict[str, Value] = {key: False for key, value in one.values.items() if key.endswith(".rex") and value}
        if (door := one.values.get("door.car.state")) in STROKES:
            told["door.car.state"] = STROKES[door]
        if told:
            yield Sample(one.asset, one.at + round(SOON * 1000), told)


def fault_of(building: Building, asset: str, name: str) -> Fault:
    """The fault as the repertoire describes it."""
    return building.subjects()[On.ASSET, asset].faults[name]


def alone(site: Site, asset: str) -> Site:
    """The site with this asset only, so that a long time is played quickly."""
    devices = tuple(device for device in site.devices if device.asset == asset)
    return replace(site, assets={asset: replace(site.assets[asset], parents=())}, devices=devices)


def judging(assets: Mapping[str, Asset], catalog: Catalog, mapped: Mapping[str, frozenset[str]]) -> Rulebook:
    """The shipped rules and checks for those of the assets that have points (`mapped`)."""
    judged = {key: assets[key] for key in mapped}
    book = assign(read_rules([PACKS], catalog, assets=assets), judged, mapped)
    return with_checks(book, read_checks([], catalog, assets=assets)[0], judged, mapped, catalog)


def play(
    site: Site,
    catalog: Catalog,
    asset: str,
    name: str,
    *,
    point: str = "",
    seed: int = 1,
    part: tuple[float, float] | None = None,
    fine: float = FINE,
) -> list[Raised]:
    """Play a fault with its default params for its whole length; every alarm raised in that time, in order.

    `part`: the seconds of the fault in which somebody looks, so that months are played quickly; `fine`: of the seconds
    between two looks, those that are played and not leapt over. A device that is silent tells nothing.
    """
    building = Building(site, catalog, seed=seed, epoch=EPOCH, quantum=0.5)
    fault = fault_of(building, asset, name)
    mapped = {key: frozenset(values) for key, values in building.values().items()}
    assets = {key: site.assets[key] for key in mapped}
    points = {key: catalog.classes[asset.asset_class].points for key, asset in assets.items()}
    engine = Engine(judging(site.assets, catalog, mapped), assets, catalog)
    every = 1.0 if fault.lasts <= 7200 else 60.0
    linkage = Linkage(site.id, shipped_linkage(assets, catalog, mapped), assets, catalog)
    found: list[Raised] = []
    now, (first, last) = 0.0 if part else -float(QUIET), part or (0.0, fault.lasts)
    action = Action(0.0, fault.on, asset, name, fault.lasts, point)
    while now < last:
        if abs(now) < 1e-6:
            building.begin(action)
            if first:
                building.leap(first)
                now = first
        if now >= 0 and every > fine:
            building.leap(every - fine)
        building.step(min(every, fine) if now >= 0 else 1.0)
        now += every if now >= 0 else 1.0
        at = EPOCH + QUIET + now
        told = [
            sample(key, at, values, points[key])
            for key, values in building.values().items()
            if not building.models[key].silent
        ]
        judged = [item for one in told for judge in (engine, linkage) for item in judge.on_sample(one)]
        judged += [*engine.on_tick(round(at * 1000)), *linkage.on_tick(round(at * 1000))]
        if now >= 0 and every > fine:
            judged += [item for one in after(told) for item in engine.on_sample(one)]
        found += [
            Raised(item.at / 1000 - EPOCH - QUIET, item.asset, item.rule.id, item.rule.severity)
            for item in judged
            if item.event == "raise"
        ]
    return found


def main(asset: str, name: str, point: str = "") -> None:
    """Print what came and what was expected."""
    site, catalog = load_site(DEMO, env={})
    fault = fault_of(Building(site, catalog), asset, name)
    for item in play(site, catalog, asset, name, point=point):
        print(f"{item.seconds:10.1f} s  {item.asset:8} {item.rule:40} severity {item.severity}")
    for expected in fault.expect:
        when = f"{expected.first:g}..{expected.last:g} s"
        print(f"expected {when:>16}  {expected.of:8} {expected.rule} severity {expected.severity}")


if __name__ == "__main__":
    main(*sys.argv[1:])
